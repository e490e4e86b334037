import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, ServerError } from "@apollo/client";
import { SetContextLink } from "@apollo/client/link/context";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { relayStylePagination } from "@apollo/client/utilities";
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { OperationTypeNode } from "graphql";
import { createClient } from "graphql-ws";
import { defer, map, retry, throwError, timer } from "rxjs";
import type { Subscription } from "rxjs";

import { newest } from "./newest";
import { MESSAGE, SESSION } from "./operations";

const PAUSE = 300; // milliseconds before an operation is sent again

/** Returns a client for one user. `token` gives a valid token; it is called for each request and each connection. */
export function connect(url: string, token: () => Promise<string>): ApolloClient {
  const cache = new InMemoryCache({
    possibleTypes: {},
    typePolicies: { Session: { fields: { messages: relayStylePagination() } } },
  });
  const authorized = async () => ({ authorization: `Bearer ${await token()}` });
  const socket = createClient({
    url: url.replace(/^http/, "ws"),
    connectionParams: authorized,
    retryAttempts: 0, // `follow` subscribes again, after the last event
    keepAlive: 10_000,
  });
  const http = ApolloLink.from([
    persistent(),
    new SetContextLink(async () => ({ headers: await authorized() })),
    new HttpLink({ uri: url }),
  ]);
  const isSubscription = ({ operationType }: ApolloLink.Operation) => operationType === OperationTypeNode.SUBSCRIPTION;
  const network = ApolloLink.split(isSubscription, new GraphQLWsLink(socket), http);
  return new ApolloClient({ cache, link: ApolloLink.from([newestOnly(cache), network]) });
}

/** Keeps an older answer from replacing a newer state in the cache. */
export function newestOnly(cache: InMemoryCache): ApolloLink {
  const fragments: Record<string, [TypedDocumentNode, string]> = {
    Message: [MESSAGE, "ChatMessage"],
    Session: [SESSION, "ChatSession"],
  };
  const known = (object: { __typename: string; id: string }) => {
    const [fragment, fragmentName] = fragments[object.__typename] ?? [];
    const id = cache.identify(object);
    if (!fragment || !fragmentName || !id) return null;
    return cache.readFragment<object>({ id, fragment, fragmentName, returnPartialData: true });
  };
  return new ApolloLink((operation, forward) =>
    forward(operation).pipe(map((result) => ("data" in result ? { ...result, data: newest(result.data, known) } : result))),
  );
}

/** Sends a query or mutation again until there is an answer: every mutation of this page can be sent twice. */
function persistent(): ApolloLink {
  return new ApolloLink((operation, forward) =>
    defer(() => forward(operation)).pipe(
      map((result) => {
        const errors = "errors" in result ? result.errors : undefined;
        if (errors?.length && isTransient(new CombinedGraphQLErrors(result))) throw new CombinedGraphQLErrors(result);
        return result;
      }),
      retry({ delay: (error: unknown) => (isTransient(error) ? timer(PAUSE) : throwError(() => error)) }),
    ),
  );
}

function isTransient(error: unknown): boolean {
  const passing = ["UNAVAILABLE", "UNAUTHENTICATED"]; // a token that has expired is replaced by `token`
  if (CombinedGraphQLErrors.is(error)) return error.errors.every(({ extensions }) => passing.includes(String(extensions?.["code"])));
  return !ServerError.is(error) || error.statusCode === 401 || error.statusCode >= 500;
}

export function hasCode(error: unknown, code: string): boolean {
  return CombinedGraphQLErrors.is(error) && error.errors.some(({ extensions }) => extensions?.["code"] === code);
}

/** Subscribes, and after each lost connection again. `variables` gives the place after the last event. */
export function follow<Data, Variables extends Record<string, unknown>>(
  client: ApolloClient,
  query: TypedDocumentNode<Data, Variables>,
  variables: () => NoInfer<Variables>,
  take: (data: Data) => void,
): Subscription {
  return defer(() => client.subscribe<Data>({ query: query as TypedDocumentNode<Data>, variables: variables() }))
    .pipe(
      map(({ data, error }) => {
        if (error) throw error;
        return data as Data;
      }),
      retry({ delay: (error: unknown) => (isTransient(error) ? timer(PAUSE) : throwError(() => error)) }),
    )
    .subscribe({ next: take, error: (error: unknown) => console.warn(String(error)) });
}
