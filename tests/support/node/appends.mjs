// Apollo Client with relayStylePagination, which appends the edges of a subscription to a cached list.
// Usage: node appends.mjs URL SESSION; the session has two messages. Prints the numbers and the cursors, as JSON.

import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client/core";
import { relayStylePagination } from "@apollo/client/utilities";

const [url, session] = process.argv.slice(2);

const EDGE = "cursor node { id seq }";
const HISTORY = gql(`query H($id: ID!, $after: String) {
  session(sessionId: $id) { id messages(first: 50, after: $after) { edges { ${EDGE} } pageInfo { hasNextPage endCursor } } }
}`);
const ADDED = gql(`subscription A($id: ID!, $after: Int) { messageEdgeAdded(sessionId: $id, afterSeq: $after) { ${EDGE} } }`);
const ADD = gql("mutation M($input: AddMemoryInput!) { addMemory(input: $input) { replayed } }");

const cache = new InMemoryCache({ typePolicies: { Session: { fields: { messages: relayStylePagination() } } } });
const client = new ApolloClient({ link: new HttpLink({ uri: url }), cache });
const add = (content) =>
  client.mutate({ mutation: ADD, variables: { input: { sessionId: session, messages: [{ role: "human", content }] } } });

const history = client.watchQuery({ query: HISTORY, variables: { id: session } });
const listed = () => history.getCurrentResult().data.session.messages;
const watching = history.subscribe(() => undefined);

while (!history.getCurrentResult().data?.session) await new Promise((resolve) => setTimeout(resolve, 10));

const stop = history.subscribeToMore({
  document: ADDED,
  variables: { id: session, after: 2 },
  updateQuery({ session }, { subscriptionData: { data } }) {
    const { messages } = session;
    const edge = data.messageEdgeAdded;
    const pageInfo = { ...messages.pageInfo, endCursor: edge.cursor }; // else the edge gets the cursor of the one before
    return { session: { ...session, messages: { ...messages, edges: [...messages.edges, edge], pageInfo } } };
  },
});
await add("third");
while (listed().edges.length < 3) await new Promise((resolve) => setTimeout(resolve, 10));
const endCursor = listed().pageInfo.endCursor;
stop();
await add("fourth");
await history.fetchMore({ variables: { after: endCursor } });
while (listed().edges.length < 4) await new Promise((resolve) => setTimeout(resolve, 10));
const edges = listed().edges;
watching.unsubscribe();
process.stdout.write(
  JSON.stringify({
    seqs: edges.map(({ node }) => node.seq),
    cursors: edges.map(({ cursor }) => cursor),
    wentOnAfter: edges.findIndex(({ cursor }) => cursor === endCursor),
  }),
  () => process.exit(0),
);
