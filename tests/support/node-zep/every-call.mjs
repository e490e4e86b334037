// Every call of zep-js for sessions, memory, messages, users and search.
// Usage: every-call.mjs BASE_URL PREFIX [API_KEY]; prints what it saw as JSON.
import assert from "node:assert/strict";
import { APIError, Memory, MemorySearchPayload, Message, NotFoundError, Session, ZepClient } from "@getzep/zep-js";

const [baseURL, prefix, apiKey] = process.argv.slice(2);
const client = await ZepClient.init(baseURL, apiKey);
const { memory, message, user } = client;
const seen = {};
const all = async (chunks) => {
  const list = [];
  for await (const chunk of chunks) list.push(chunk);
  return list;
};

const ada = `${prefix}-ada`;
const sessionId = `${prefix}-session`;
let person = await user.add({ user_id: ada, email: "ada@example.com", first_name: "Ada", metadata: { a: { b: 1 } } });
assert.equal(person.user_id, ada);
assert.equal(typeof person.id, "number");
await assert.rejects(user.add({ user_id: ada }), APIError);
person = await user.update({ user_id: ada, last_name: "Byron", metadata: { a: { c: 2 } } });
assert.deepEqual([person.first_name, person.last_name, person.metadata], ["Ada", "Byron", { a: { b: 1, c: 2 } }]);
assert.deepEqual(await user.get(ada), person);
await assert.rejects(user.get(`${prefix}-nobody`), NotFoundError);
assert.ok((await user.list()).some(({ uuid }) => uuid === person.uuid));
seen.users = (await all(user.listChunked(2))).map((chunk) => chunk.map(({ user_id }) => user_id));

let session = await memory.addSession(new Session({ session_id: sessionId, user_id: ada, metadata: { topic: "books" } }));
assert.deepEqual([session.session_id, session.user_id], [sessionId, ada]);
await assert.rejects(memory.addSession(new Session({ session_id: sessionId, metadata: {} })), APIError);
session = await memory.updateSession(new Session({ session_id: sessionId, metadata: { n: 1, system: { x: 1 } } }));
assert.deepEqual(session.metadata, { topic: "books", n: 1 });
assert.deepEqual(await memory.getSession(sessionId), session);
await assert.rejects(memory.getSession(`${prefix}-nobody`), NotFoundError);
await assert.rejects(memory.updateSession(new Session({ session_id: `${prefix}-nobody`, metadata: {} })), NotFoundError);
assert.deepEqual(await user.getSessions(ada), [session]);
await assert.rejects(user.getSessions(`${prefix}-nobody`), NotFoundError);
assert.ok((await memory.listSessions(1000)).some(({ uuid }) => uuid === session.uuid));
seen.sessions = (await all(memory.listSessionsChunked(2))).map((chunk) => chunk.map(({ session_id }) => session_id));

await assert.rejects(memory.getMemory(sessionId), NotFoundError);
const said = [1, 2, 3, 4, 5].map(
  (n) => new Message({ role: n % 2 ? "human" : "ai", content: `This is line ${n} about movies.` }),
);
said[1].metadata = { foo: "bar", system: { intent: "forged" } };
assert.equal(await memory.addMemory(sessionId, new Memory({ messages: said })), "OK");
const whole = await memory.getMemory(sessionId);
const contents = (list) => list.map(({ content }) => content);
assert.deepEqual(contents(whole.messages), contents(said));
assert.ok(whole.messages.every(({ uuid, created_at, token_count }) => uuid && created_at && token_count));
assert.deepEqual(whole.messages[1].metadata, { foo: "bar" });
assert.deepEqual((await memory.getMemory(sessionId, 2)).messages, whole.messages.slice(3));
seen.uuids = whole.messages.map(({ uuid }) => uuid);

assert.deepEqual(await message.getSessionMessages(sessionId), whole.messages);
assert.deepEqual(await message.getSessionMessages(sessionId, 2, 2), whole.messages.slice(2, 4));
const [first] = whole.messages;
assert.deepEqual(await message.getSessionMessage(sessionId, first.uuid), first);
await assert.rejects(message.getSessionMessage(sessionId, "0b3b9a2e-52e9-4e0c-8f5a-6f2f35a1f0aa"), NotFoundError);
await message.updateSessionMessageMetadata(sessionId, first.uuid, { a: { b: 1 } });
const changed = await message.updateSessionMessageMetadata(sessionId, first.uuid, { a: { c: 2 } });
assert.deepEqual(changed.metadata, { a: { b: 1, c: 2 } });

const search = (payload, limit) => memory.searchMemory(sessionId, new MemorySearchPayload(payload), limit);
let found = await search({ text: "movie 3" }, 2);
assert.deepEqual([found.length, found[0].message.content], [2, said[2].content]);
assert.ok(found[0].dist > found[1].dist);
found = await search({ text: "line", metadata: { where: { jsonpath: '$[*] ? (@.foo == "bar")' } } });
assert.deepEqual(found.map(({ message: { uuid } }) => uuid), [whole.messages[1].uuid]);
found = await search({ metadata: { start_date: "2020-01-01" } }, 3);
assert.deepEqual(found.map(({ message: { content } }) => content), contents(said).slice(2).reverse());
await search({ text: "line", search_type: "mmr", search_scope: "summary" });
assert.deepEqual(await memory.searchMemory(`${prefix}-nobody`, new MemorySearchPayload({ text: "line" })), []);
await assert.rejects(search({}), APIError);

assert.equal(await memory.deleteMemory(sessionId), "OK");
await assert.rejects(memory.getMemory(sessionId), NotFoundError);
await assert.rejects(memory.deleteMemory(`${prefix}-nobody`), NotFoundError);
assert.equal(await memory.addMemory(sessionId, new Memory({ messages: said.slice(0, 1) })), "OK");
assert.deepEqual(contents((await memory.getMemory(sessionId)).messages), contents(said).slice(0, 1));
assert.equal(await user.delete(ada), "OK");
await assert.rejects(user.get(ada), NotFoundError);
await assert.rejects(user.delete(ada), NotFoundError);

// The same calls on the client itself, which it still has for older applications.
const older = `${prefix}-older`;
await client.addSession(new Session({ session_id: older, metadata: {} }));
assert.equal((await client.getSession(older)).session_id, older);
assert.equal(await client.addMemory(older, new Memory({ messages: [{ role: "human", content: "Hello, movies" }] })), "OK");
assert.equal((await client.getMemory(older, 5)).messages.length, 1);
assert.equal((await client.searchMemory(older, new MemorySearchPayload({ text: "movie" }), 5)).length, 1);
assert.equal(await client.deleteMemory(older), "OK");

// Collections are not kept here, and the client says so.
await assert.rejects(client.document.listCollections(), APIError);
console.log(JSON.stringify(seen));
