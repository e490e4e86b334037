// graphql-sse with a headers function, whose first token expires while the client follows a session.
// Usage: node renewals-sse.mjs URL SESSION TOKEN LATER; the session has a message. Prints what came, as JSON.

import { createClient } from "graphql-sse";

const [url, session, first, later] = process.argv.slice(2);
const tokens = [first];
const codes = [];
const seqs = [];

const client = createClient({ url, headers: () => ({ authorization: `Bearer ${tokens.shift() ?? later}` }) });
const query = "subscription S($id: ID!, $after: Int) { messageAdded(sessionId: $id, afterSeq: $after) { seq } }";

// What the client missed was added after its stream ended.
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

// As an application writes it: a stream that ends for the sake of its token goes on after the last number.
while (seqs.length < 2) {
  for await (const { data, errors } of client.iterate({ query, variables: { id: session, after: seqs.at(-1) ?? 0 } })) {
    if (errors) codes.push(...errors.map(({ extensions }) => extensions.code));
    else seqs.push(data.messageAdded.seq);
    if (seqs.length === 2) break;
  }
  if (seqs.length === 1) await addWhileAway();
}
client.dispose();
process.stdout.write(JSON.stringify({ codes, seqs }), () => process.exit(0));
