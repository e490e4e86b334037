// graphql-ws as an application uses it that is to miss nothing: it subscribes again with the last seq that it saw.
// Usage: node reconnects.mjs URL SESSION. Prints what happens, as lines of JSON; ends with the second message.

import { createClient } from "graphql-ws";
import WebSocket from "ws";

const [url, session] = process.argv.slice(2);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

let connections = 0;
const client = createClient({
  url: url.replace("http", "ws"),
  webSocketImpl: WebSocket,
  retryAttempts: 60,
  retryWait: () => new Promise((resolve) => setTimeout(resolve, 200)),
  shouldRetry: () => true,
  on: { connected: () => ++connections > 1 && say({ connected: connections }) },
});

const query = "subscription S($id: ID!, $after: Int) { messageAdded(sessionId: $id, afterSeq: $after) { seq } }";
// The client sends these variables again on its own when it has reconnected.
const variables = { id: session, after: 0 };
client.subscribe(
  { query, variables },
  {
    next({ data }) {
      variables.after = data.messageAdded.seq;
      say({ seq: variables.after });
      if (variables.after === 2) setTimeout(() => process.exit(0), 50);
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
