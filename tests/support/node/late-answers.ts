// A browser's page that sends a message and follows its changes. Beside the modules of examples/chat/src.
// `start(CLIENT, HOW, SESSION)` follows; `send()` sends; `state()` is the state of the message for the application.

import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { Client, fetchExchange, subscriptionExchange } from "@urql/core";
import { createClient } from "graphql-ws";

import { newestOnly as newestInApollo } from "./apollo";
import { newestOnly as newestInUrql } from "./urql";

const FIELDS = "__typename id revision enrichment { __typename state }";
const UPDATED = `subscription U($id: ID!) { messageUpdated(sessionId: $id) { __typename kind message { ${FIELDS} } } }`;
const SEND = `mutation M($id: ID!) {
  addMemory(input: { sessionId: $id, messages: [{ role: "human", content: "Clara lives in Paris." }] }) {
    memory { id messages { ${FIELDS} } }
  }
}`;

interface Chat {
  follow: (id: string, take: (data: any) => void) => void;
  send: (id: string) => Promise<unknown>;
  state: () => string;
}

const url = new URL("/graphql", location.href).href;
const socket = createClient({ url: url.replace("http", "ws"), lazy: false });
const connected = new Promise((resolve) => socket.on("connected", resolve));

function withApollo(isSafe: boolean): Chat {
  const cache = new InMemoryCache();
  const split = ApolloLink.split(
    ({ operationType }) => operationType === "subscription",
    new GraphQLWsLink(socket),
    new HttpLink({ uri: url }),
  );
  const client = new ApolloClient({ cache, link: isSafe ? ApolloLink.from([newestInApollo(cache), split]) : split });
  return {
    follow: (id, take) => void client.subscribe({ query: gql(UPDATED), variables: { id } }).subscribe(({ data }) => take(data)),
    send: (id) => client.mutate({ mutation: gql(SEND), variables: { id } }),
    state: () => Object.values(cache.extract() as Record<string, any>).find(({ __typename }) => __typename === "Message")?.enrichment.state,
  };
}

function withUrql(isSafe: boolean): Chat {
  const forward = subscriptionExchange({
    forwardSubscription: ({ query, variables }) => ({
      subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query: query ?? "", ...(variables && { variables }) }, sink as never) }),
    }),
  });
  const client = new Client({ url, preferGetMethod: false, exchanges: [...(isSafe ? [newestInUrql()] : []), fetchExchange, forward] });
  let shown: any; // an application's own state: the last message that it got
  return {
    follow: (id, take) =>
      void client.subscription(UPDATED, { id }).subscribe(({ data }: any) => {
        shown = data.messageUpdated.message;
        take(data);
      }),
    send: async (id) => {
      const { data, error } = await client.mutation(SEND, { id }).toPromise();
      if (error) throw error;
      shown = data.addMemory.memory.messages[0];
    },
    state: () => shown?.enrichment.state,
  };
}

let chat: Chat;
let session: string;
const page = window as any;
page.kinds = [];
page.start = async (name: "apollo" | "urql", isSafe: boolean, id: string) => {
  chat = (name === "apollo" ? withApollo : withUrql)(isSafe);
  session = id;
  await connected;
  chat.follow(id, ({ messageUpdated }) => page.kinds.push(messageUpdated.kind));
};
page.send = () => chat.send(session);
page.state = () => chat.state();
