import type { FormEvent } from 'react';

interface Props {
  onDone: (token: string | null, inSession: boolean) => void;
  onCancel: () => void;
}

export function SignIn({ onDone, onCancel }: Props) {
  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    onDone(String(form.get('token')).trim() || null, form.has('keep'));
  }

  return (
    <main className="narrow">
      <h1>Sign in</h1>
      <p>
        The service asks for credentials. <code>recallql key create NAME</code> makes a service key, which sees all
        sessions; with a user’s JWT, the console shows the sessions of that user.
      </p>
      <form onSubmit={submit} className="stack">
        <label>
          Service key or JWT
          <input name="token" type="password" autoComplete="off" spellCheck={false} required autoFocus />
        </label>
        <label className="check">
          <input name="keep" type="checkbox" /> Keep it until this tab is closed
        </label>
        <div className="row">
          <button type="submit" className="primary">
            Sign in
          </button>
          <button type="button" onClick={onCancel}>
            Cancel
          </button>
        </div>
      </form>
    </main>
  );
}
