// What an application that uses graphql-ws sees when the service closes its connection.
// Usage: node close-codes.mjs URL CASE. Prints the code and the reason, as JSON.

import { createClient } from "graphql-ws";
import WebSocket from "ws";

const [url, name] = process.argv.slice(2);
const FOLLOW = { query: 'subscription { messageAdded(sessionId: "s") { seq } }' };

// A client that speaks the protocol wrongly: its replacer has the last word on what is sent.
const sendInstead = (type, message) => ({
  jsonMessageReplacer: (key, value) => (key === "" && value.type === type ? message : value),
});

const cases = {
  "an unknown message": sendInstead("subscribe", { type: "start" }),
  "an operation before the connection is acknowledged": sendInstead("connection_init", {
    id: "1",
    type: "subscribe",
    payload: FOLLOW,
  }),
  "wrong credentials": { connectionParams: { Authorization: "Bearer nobody" } },
  "one id twice": { generateID: () => "the same" },
  "a second initialisation": sendInstead("subscribe", { type: "connection_init" }),
  "a defect of the service": {},
};

let closed;
const client = createClient({
  url: url.replace("http", "ws"),
  webSocketImpl: WebSocket,
  retryAttempts: 0,
  on: { closed: (event) => (closed = { code: event.code, reason: event.reason }) },
  ...cases[name],
});

const ended = () =>
  new Promise((resolve) =>
    client.subscribe(FOLLOW, {
      next() {},
      error: (error) => resolve({ code: error.code, reason: error.reason }),
      complete: () => resolve({ completed: true }),
    }),
  );

const [seen] = await Promise.all(name === "one id twice" ? [ended(), ended()] : [ended()]);
process.stdout.write(JSON.stringify({ seen, closed }));
process.exit(0);
