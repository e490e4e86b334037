// Real clients with their ordinary settings: each queries, and follows a session from its beginning.
// Usage: node clients.mjs URL CLIENT SESSION; the session has two messages. Prints the numbers that came, as JSON.

import { createClient as createSSE } from "graphql-sse";
import { createClient as createWS } from "graphql-ws";
import WebSocket from "ws";

const [url, name, session] = process.argv.slice(2);
const wsUrl = url.replace("http", "ws");

const QUERY = "query Q($id: ID!) { session(sessionId: $id) { id messageCount } }";
const ADD = "mutation Add($input: AddMemoryInput!) { addMemory(input: $input) { replayed } }";
const ADDED =
  "subscription Added($id: ID!, $after: Int) { messageAdded(sessionId: $id, afterSeq: $after) { id seq content } }";
const variables = { id: session, after: 0 };
const third = { input: { sessionId: session, messages: [{ role: "human", content: "third" }] } };

async function overHttp(query, variables) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  return (await response.json()).data;
}

// Collects three numbers; the third message is added when the two stored ones are there.
function collect(subscribe, add = () => overHttp(ADD, third)) {
  return new Promise((resolve, reject) => {
    const seqs = [];
    const stop = subscribe({
      next(result) {
        if (result.errors || result.error) reject(new Error(JSON.stringify(result.errors ?? result.error)));
        seqs.push(result.data.messageAdded.seq);
        if (seqs.length === 2) add().catch(reject);
        if (seqs.length === 3) {
          queueMicrotask(() => stop());
          resolve(seqs);
        }
      },
      error: reject,
      complete: () => reject(new Error(`completed after ${seqs}`)),
    });
  });
}

const clients = {
  async "graphql-ws"() {
    const client = createWS({ url: wsUrl, webSocketImpl: WebSocket });
    const queried = await new Promise((resolve, reject) => {
      let result;
      client.subscribe(
        { query: QUERY, variables },
        { next: (value) => (result = value), error: reject, complete: () => resolve(result.data) },
      );
    });
    const seqs = await collect((sink) => client.subscribe({ query: ADDED, variables }, sink));
    await client.dispose();
    return { queried, seqs };
  },

  async "graphql-sse"() {
    const client = createSSE({ url });
    const queried = await new Promise((resolve, reject) => {
      let result;
      client.subscribe(
        { query: QUERY, variables },
        { next: (value) => (result = value), error: reject, complete: () => resolve(result.data) },
      );
    });
    const seqs = await collect((sink) => client.subscribe({ query: ADDED, variables }, sink));
    client.dispose();
    return { queried, seqs };
  },

  async apollo() {
    const { ApolloClient, HttpLink, InMemoryCache, gql } = await import("@apollo/client/core");
    const client = new ApolloClient({ link: new HttpLink({ uri: url }), cache: new InMemoryCache() });
    return withApollo(client, gql);
  },

  async "apollo-ws"() {
    const { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } = await import("@apollo/client/core");
    const { GraphQLWsLink } = await import("@apollo/client/link/subscriptions");
    const { OperationTypeNode } = await import("graphql");
    const socket = createWS({ url: wsUrl, webSocketImpl: WebSocket });
    const link = ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(socket),
      new HttpLink({ uri: url }),
    );
    const result = await withApollo(new ApolloClient({ link, cache: new InMemoryCache() }), gql);
    await socket.dispose();
    return result;
  },

  async urql() {
    const { Client, fetchExchange, cacheExchange } = await import("@urql/core");
    const client = new Client({ url, exchanges: [cacheExchange, fetchExchange], fetchSubscriptions: true, preferGetMethod: false });
    return withUrql(client);
  },

  async "urql-ws"() {
    const { Client, fetchExchange, cacheExchange, subscriptionExchange } = await import("@urql/core");
    const socket = createWS({ url: wsUrl, webSocketImpl: WebSocket });
    const client = new Client({
      url,
      preferGetMethod: false,
      exchanges: [
        cacheExchange,
        fetchExchange,
        subscriptionExchange({
          forwardSubscription(request) {
            const input = { ...request, query: request.query || "" };
            return { subscribe: (sink) => ({ unsubscribe: socket.subscribe(input, sink) }) };
          },
        }),
      ],
    });
    const result = await withUrql(client);
    await socket.dispose();
    return result;
  },
};

async function withApollo(client, gql) {
  const queried = (await client.query({ query: gql(QUERY), variables })).data;
  const seqs = await collect(
    (sink) => {
      const subscription = client.subscribe({ query: gql(ADDED), variables }).subscribe(sink);
      return () => subscription.unsubscribe();
    },
    () => client.mutate({ mutation: gql(ADD), variables: third }),
  );
  client.stop();
  return { queried: { session: { id: queried.session.id, messageCount: queried.session.messageCount } }, seqs };
}

async function withUrql(client) {
  const answer = await client.query(QUERY, variables).toPromise();
  if (answer.error) throw answer.error;
  const { id, messageCount } = answer.data.session;
  const seqs = await collect(
    (sink) => {
      const subscription = client.subscription(ADDED, variables).subscribe((result) => sink.next(result));
      return () => subscription.unsubscribe();
    },
    async () => {
      const added = await client.mutation(ADD, third).toPromise();
      if (added.error) throw added.error;
    },
  );
  return { queried: { session: { id, messageCount } }, seqs };
}

const { queried, seqs } = await clients[name]();
console.log(JSON.stringify({ messageCount: queried.session.messageCount, seqs }));
process.exit(0);
