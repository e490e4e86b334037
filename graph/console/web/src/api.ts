import { createClient } from 'graphql-ws';
import { readToken } from './credentials';
import type { TypedDocumentString } from './gql/graphql';

const url = new URL('graphql', document.baseURI);
const socketUrl = new URL(url);
socketUrl.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';

/** An error of a GraphQL response, or of the request for it. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly code: string,
  ) {
    super(message);
  }
}

interface Result {
  data?: unknown;
  errors?: readonly { message: string; extensions?: { code?: unknown } }[];
}

function authorization(): Record<string, string> {
  const token = readToken();
  return token ? { authorization: `Bearer ${token}` } : {};
}

function dataOf<TData>(result: Result): TData {
  const [error] = result.errors ?? [];
  if (error) throw new ApiError(error.message, String(error.extensions?.code ?? 'UNKNOWN'));
  return result.data as TData;
}

/**
 * Executes a query or a mutation.
 *
 * @throws ApiError where the service refuses the operation or a field of it.
 */
export async function execute<TData, TVariables>(
  document: TypedDocumentString<TData, TVariables>,
  variables: TVariables,
  signal?: AbortSignal,
): Promise<TData> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json',
      ...authorization(),
    },
    body: JSON.stringify({ query: document.toString(), variables }),
    signal: signal ?? null,
  });
  const result = (await response.json().catch(() => null)) as Result | null;
  if (!result) throw new ApiError(`The service answered with status ${response.status}.`, String(response.status));
  return dataOf<TData>(result);
}

/** The connection of all subscriptions of the page; it opens with the first one. */
const socket = createClient({
  url: socketUrl.href,
  connectionParams: authorization,
  retryAttempts: Number.POSITIVE_INFINITY,
  // 4403: the credentials are refused, and a repetition would be, too.
  shouldRetry: (event) => !(event instanceof CloseEvent && event.code === 4403),
});

let isConnected = false;
socket.on('connected', () => {
  isConnected = true;
});
socket.on('closed', () => {
  isConnected = false;
});

/**
 * Follows a subscription until the returned function is called.
 *
 * The client subscribes again after the loss of its connection. The events of the meantime are missing then, and
 * `onReconnected` lets the view read again. `onSent` is called once, when the service is asked for the events: those
 * since the view was read are missing.
 */
export function follow<TData, TVariables extends Record<string, unknown>>(
  document: TypedDocumentString<TData, TVariables>,
  variables: TVariables,
  onEvent: (data: TData) => void,
  onReconnected: () => void,
  onSent: () => void = () => undefined,
): () => void {
  let isSent = isConnected;
  if (isSent) onSent();
  const stopListening = socket.on('connected', () => {
    if (isSent) onReconnected();
    else onSent();
    isSent = true;
  });
  const unsubscribe = socket.subscribe<TData>(
    { query: document.toString(), variables },
    {
      next: (result) => {
        if (result.data) onEvent(result.data);
      },
      error: () => undefined, // the queries of the same view show why the service refuses
      complete: () => undefined,
    },
  );
  return () => {
    stopListening();
    unsubscribe();
  };
}

/** Closes the connection of the subscriptions, so that the next one is opened with other credentials. */
export function reconnect(): void {
  socket.terminate();
}
