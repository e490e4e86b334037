// The JavaScript samples of Zep's documentation: add a memory, get it, and an unknown session.
// Usage: samples.mjs BASE_URL SESSION_ID; prints what it got as JSON.
import { Memory, Message, NotFoundError, ZepClient } from "@getzep/zep-js";

const history = [
  { role: "human", content: "Who was Octavia Butler?" },
  {
    role: "ai",
    content:
      "Octavia Estelle Butler (June 22, 1947 – February 24, 2006) was an American science fiction author.",
  },
  { role: "human", content: "Which books of hers were made into movies?", metadata: { foo: "bar" } },
];

const [baseURL, sessionID] = process.argv.slice(2);
const client = await ZepClient.init(baseURL);

let notFound;
try {
  await client.memory.getMemory(`nobody-${sessionID}`);
} catch (error) {
  if (!(error instanceof NotFoundError)) throw error;
  notFound = error.message;
}

const messages = history.map((message) => new Message(message));
const answer = await client.memory.addMemory(sessionID, new Memory({ messages }));
const memory = await client.memory.getMemory(sessionID);
console.log(JSON.stringify({ not_found: notFound, answer, messages: memory.messages }));
