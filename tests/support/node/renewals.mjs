// graphql-ws with a connectionParams function, whose first token expires while the client follows a session.
// Usage: node renewals.mjs URL SESSION TOKEN LATER; the session has a message. Prints what came, as JSON.

import { createClient } from "graphql-ws";
import WebSocket from "ws";

const [url, session, first, later] = process.argv.slice(2);
const tokens = [first];
const codes = [];
const seqs = [];

// What the client missed was added after its connection was closed.
async function addWhileAway() {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${later}` },
    body: JSON.stringify({
      query: "mutation M($input: AddMemoryInput!) { addMemory(input: $input) { replayed } }",
      variables: { input: { sessionId: session, messages: [{ role: "human", content: "missed" }] } },
    }),
  });
  if (!response.ok) throw new Error(await response.text());
}

const client = createClient({
  url: url.replace("http", "ws"),
  webSocketImpl: WebSocket,
  connectionParams: async () => {
    const token = tokens.shift();
    if (token) return { authorization: `Bearer ${token}` };
    await addWhileAway();
    return { authorization: `Bearer ${later}` };
  },
  on: { closed: ({ code }) => codes.push(code) },
});

const variables = { id: session, after: 0 };
const query = "subscription S($id: ID!, $after: Int) { messageAdded(sessionId: $id, afterSeq: $after) { seq } }";
client.subscribe(
  { query, variables },
  {
    next({ data }) {
      variables.after = data.messageAdded.seq;
      seqs.push(variables.after);
      if (variables.after === 2) process.stdout.write(JSON.stringify({ codes, seqs }), () => process.exit(0));
    },
    error(error) {
      console.error(error);
      process.exit(1);
    },
    complete() {
      console.error("completed");
      process.exit(1);
    },
  },
);
