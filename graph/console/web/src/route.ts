import { useSyncExternalStore } from 'react';

/** A view with its parameters, as the fragment of the page's address has it: `#/sessions/ID?seq=3`. */
export interface Route {
  view: string;
  id: string | null;
  parameters: URLSearchParams;
}

/** The address of a view, without empty parameters. */
export function hrefOf(view: string, id: string | null = null, parameters: Record<string, string | undefined> = {}): string {
  const given = Object.entries(parameters).filter((entry): entry is [string, string] => Boolean(entry[1]));
  const query = new URLSearchParams(given).toString();
  return `#/${view}${id === null ? '' : `/${encodeURIComponent(id)}`}${query ? `?${query}` : ''}`;
}

export function routeOf(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const [view = '', id] = path.split('/', 2);
  return { view: view || 'sessions', id: id === undefined ? null : decoded(id), parameters: new URLSearchParams(query) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function subscribe(onChange: () => void): () => void {
  addEventListener('hashchange', onChange);
  return () => removeEventListener('hashchange', onChange);
}

export function useRoute(): Route {
  return routeOf(useSyncExternalStore(subscribe, () => location.hash));
}

/** Changes parameters of the current view, without a new entry of the browser's history. */
export function replaceParameters(changes: Record<string, string>): void {
  const { view, id, parameters } = routeOf(location.hash);
  location.replace(hrefOf(view, id, { ...Object.fromEntries(parameters), ...changes }));
}
