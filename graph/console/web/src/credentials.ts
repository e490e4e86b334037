const KEY = 'recallql:token';
let token: string | null = sessionStorage.getItem(KEY);

/** The service key or JWT of the person at the page; null without one. */
export function readToken(): string | null {
  return token;
}

/** Keeps a token in memory, and in `sessionStorage` where the person asks for that. */
export function keepToken(value: string | null, inSession: boolean): void {
  token = value;
  if (value && inSession) sessionStorage.setItem(KEY, value);
  else sessionStorage.removeItem(KEY);
}
