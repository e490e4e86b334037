// A native EventSource that loses its connection and resumes: a proxy cuts it after two events, once.
// Usage: node --experimental-eventsource event-source.mjs URL SESSION; the session has two messages.
// Prints the numbers that came, and the Last-Event-ID of each connection, as JSON.

import { createServer, request } from "node:http";

const [url, session] = process.argv.slice(2);
const ADD = "mutation Add($input: AddMemoryInput!) { addMemory(input: $input) { replayed } }";
const ADDED =
  "subscription Added($id: ID!, $after: Int) { messageAdded(sessionId: $id, afterSeq: $after) { seq } }";
const marks = [];
let cut;

const proxy = createServer((incoming, outgoing) => {
  marks.push(incoming.headers["last-event-id"] ?? null);
  const forward = request(new URL(incoming.url, url), { headers: incoming.headers }, (answer) => {
    outgoing.writeHead(answer.statusCode, answer.headers);
    answer.pipe(outgoing);
  });
  cut = () => {
    forward.destroy();
    outgoing.destroy();
  };
  forward.on("error", () => {});
  forward.end();
});
await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));

const query = new URLSearchParams({ query: ADDED, variables: JSON.stringify({ id: session, after: 0 }) });
const source = new EventSource(`http://127.0.0.1:${proxy.address().port}/graphql?${query}`);
const seqs = [];
source.addEventListener("next", async (event) => {
  seqs.push(JSON.parse(event.data).data.messageAdded.seq);
  if (seqs.length === 2) {
    cut();
    await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        query: ADD,
        variables: { input: { sessionId: session, messages: [{ role: "human", content: "third" }] } },
      }),
    });
  }
  if (seqs.length === 3) {
    source.close();
    console.log(JSON.stringify({ seqs, marks }));
    process.exit(0);
  }
});
