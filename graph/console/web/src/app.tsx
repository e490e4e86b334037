import { useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useEffect, useState } from 'react';
import { reconnect } from './api';
import { keepToken, readToken } from './credentials';
import { hrefOf, type Route, useRoute } from './route';
import { Conversation } from './views/conversation';
import { Entity } from './views/entity';
import { Health } from './views/health';
import { Recall } from './views/recall';
import { Sessions } from './views/sessions';
import { SignIn } from './views/sign-in';
import { User } from './views/user';

const VIEWS = { sessions: 'Sessions', recall: 'Recall', health: 'Health' };

export function App() {
  const route = useRoute();
  const client = useQueryClient();
  const [signsIn, setSignsIn] = useState(false);

  useEffect(() => {
    const ask = () => setSignsIn(true);
    addEventListener('recallql:unauthenticated', ask);
    return () => removeEventListener('recallql:unauthenticated', ask);
  }, []);

  function signIn(token: string | null, inSession: boolean) {
    keepToken(token, inSession);
    reconnect();
    client.clear();
    setSignsIn(false);
  }

  return (
    <>
      <header className="bar">
        <a className="brand" href={hrefOf('sessions')}>
          RecallQL
        </a>
        <nav aria-label="Views">
          {Object.entries(VIEWS).map(([view, title]) => (
            <a key={view} href={hrefOf(view)} aria-current={route.view === view ? 'page' : undefined}>
              {title}
            </a>
          ))}
          <a href="graphql">Explorer</a>
        </nav>
        <button type="button" onClick={() => (readToken() ? signIn(null, false) : setSignsIn(true))}>
          {readToken() ? 'Sign out' : 'Sign in'}
        </button>
      </header>
      {signsIn ? <SignIn onDone={signIn} onCancel={() => setSignsIn(false)} /> : viewOf(route)}
    </>
  );
}

function viewOf(route: Route): ReactNode {
  switch (route.view) {
    case 'sessions':
      if (route.id === null) return <Sessions parameters={route.parameters} />;
      return <Conversation key={route.id} sessionId={route.id} seq={Number(route.parameters.get('seq')) || null} />;
    case 'entities':
      return <Entity key={route.id} id={route.id ?? ''} />;
    case 'users':
      return <User key={route.id} userId={route.id ?? ''} />;
    case 'recall':
      return <Recall parameters={route.parameters} />;
    case 'health':
      return <Health />;
    default:
      return (
        <main>
          <p>This address has no view. Go to the <a href={hrefOf('sessions')}>sessions</a>.</p>
        </main>
      );
  }
}
