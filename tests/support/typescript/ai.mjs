// The transport for the AI SDK's chats in Node.js. Usage: node ai.mjs URL SCENARIO; prints JSON.

import { deepStrictEqual } from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { json as body } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

import { Chat } from "@ai-sdk/react";
import { RecallQL } from "@recallql/client";
import { RecallQLChatTransport } from "@recallql/client/ai";
import {
  DefaultChatTransport,
  lastAssistantMessageIsCompleteWithToolCalls,
  pipeUIMessageStreamToResponse,
  validateUIMessages,
} from "ai";

import { built, rest } from "./node_modules/@recallql/client/dist/ai/built.js";

const [url, scenario] = process.argv.slice(2);
const client = new RecallQL({ url, attempts: 20 });
const json = (value) => JSON.parse(JSON.stringify(value));
const LONG = "Kyōto 🐈 ".repeat(20_000);

const said = (text, id = "t") => [
  { type: "text-start", id },
  ...text.split(/(?<= )/).map((delta) => ({ type: "text-delta", id, delta })),
  { type: "text-end", id },
];
const step = (...chunks) => [{ type: "start-step" }, ...chunks, { type: "finish-step" }];
const answered = (...chunks) => [{ type: "start" }, ...step(...chunks), { type: "finish", finishReason: "stop" }];

/** An answer with every kind of chunk. */
const EVERY_KIND = [
  { type: "start", messageMetadata: { model: "m", none: null } },
  ...step(
    { type: "reasoning-start", id: "r", providerMetadata: { p: { signature: null } } },
    { type: "reasoning-delta", id: "r", delta: "hm " },
    { type: "reasoning-delta", id: "r", delta: "hm" },
    { type: "reasoning-end", id: "r" },
    ...said("It is \n\0 a cat: 🐈 ", "t1"),
    ...said("", "empty"),
    { type: "tool-input-start", toolCallId: "c1", toolName: "weather" },
    { type: "tool-input-delta", toolCallId: "c1", inputTextDelta: '{"city": "Ky' },
    { type: "tool-input-delta", toolCallId: "c1", inputTextDelta: 'ōto"}' },
    { type: "tool-input-available", toolCallId: "c1", toolName: "weather", input: { city: "Kyōto" } },
    { type: "tool-output-available", toolCallId: "c1", output: { celsius: 20 }, preliminary: true },
    { type: "tool-output-available", toolCallId: "c1", output: { celsius: 21, note: LONG } },
    {
      type: "tool-input-available",
      toolCallId: "c2",
      toolName: "odd",
      input: {},
      dynamic: true,
      providerExecuted: true,
    },
    { type: "tool-output-error", toolCallId: "c2", errorText: "no", dynamic: true, providerExecuted: true },
    { type: "tool-input-available", toolCallId: "c3", toolName: "delete", input: { path: "/" } },
    { type: "tool-approval-request", toolCallId: "c3", approvalId: "a3" },
    { type: "tool-approval-response", approvalId: "a3", approved: false, reason: "no" },
    { type: "tool-output-denied", toolCallId: "c3" },
    { type: "tool-input-error", toolCallId: "c4", toolName: "weather", input: "{", errorText: "no JSON" },
  ),
  ...step(
    { type: "source-url", sourceId: "s1", url: "https://weather.example/", title: "Weather" },
    { type: "source-document", sourceId: "s2", mediaType: "text/plain", title: "Notes", filename: "notes.txt" },
    { type: "file", mediaType: "image/png", url: "data:image/png;base64,iVBORw0KGgo=" },
    { type: "data-note", id: "d1", data: { text: "seen", none: null } },
    { type: "data-passing", data: 1, transient: true },
    { type: "message-metadata", messageMetadata: { tokens: 7 } },
    ...said("Sunny.", "t1"),
  ),
  { type: "finish", finishReason: "stop" },
];

const TOOL = { type: "tool-input-available", toolCallId: "c1", toolName: "place", input: {} };

/** A stream of chunks with a wait between them. */
function streamOf(chunks, { wait = 0, signal, failure } = {}) {
  return new ReadableStream({
    async start(controller) {
      try {
        for (const chunk of chunks) {
          await sleep(wait, undefined, { signal });
          controller.enqueue(chunk);
        }
        await sleep(wait);
        if (failure) throw new Error(failure);
        controller.close();
      } catch (error) {
        controller.error(error);
      }
    },
  });
}

const chatWith = (chunks, options = {}, init = {}) => {
  const transport = new RecallQLChatTransport({
    client,
    userId: "ada",
    answer: ({ messages, abortSignal }) =>
      streamOf(typeof chunks === "function" ? chunks(messages) : chunks, { ...options, signal: abortSignal }),
  });
  return [new Chat({ id: crypto.randomUUID(), transport, ...init }), transport];
};
const other = () => new RecallQLChatTransport({ client, answer: () => streamOf([]) });

/** A second chat with the same id, which shows what is stored and follows what is being written. */
async function reopened(id) {
  const transport = other();
  const chat = new Chat({ id, transport, messages: await transport.messages(id) });
  await chat.resumeStream();
  return chat;
}

async function until(condition) {
  for (const end = Date.now() + 30_000; !(await condition()); await sleep(5)) {
    if (Date.now() > end) throw new Error("it did not come true in time");
  }
}

const scenarios = {
  async exact() {
    const [chat, transport] = chatWith(EVERY_KIND);
    await chat.sendMessage({
      parts: [
        { type: "text", text: "Hello" },
        { type: "file", mediaType: "image/png", url: "data:," },
      ],
      metadata: { at: null },
    });
    await chat.sendMessage({ text: "Again" });
    deepStrictEqual(chat.error, undefined);
    const stored = await transport.messages(chat.id);
    deepStrictEqual(stored, json(chat.messages));
    await validateUIMessages({ messages: stored });
    const raw = await client.messages(chat.id);
    return {
      count: raw.length,
      statuses: raw.map(({ status }) => status),
      text: raw[1].content,
      last: (await transport.messages(chat.id, { last: 1 })).length,
    };
  },

  // After each chunk, the rest makes the same message.
  async rest() {
    const chunks = json(EVERY_KIND).filter(({ transient }) => !transient);
    chunks[0].messageId = "m";
    const whole = json(await built(chunks));
    for (let seen = 0; seen < chunks.length; seen++) {
      const came = chunks.slice(0, seen);
      const more = [];
      for await (const chunk of rest(came, whole)) more.push(chunk);
      const now = json(await built([...came, ...more]));
      // Of a text that the model ends without a word, a part is shown as it came.
      deepStrictEqual(now, whole, `after ${seen} chunks, ${JSON.stringify(chunks[seen - 1])}`);
    }
    return chunks.length;
  },

  // Chats that open at any time follow the answer.
  async follow() {
    const text = Array.from({ length: 150 }, (_, number) => `word${number} `).join("");
    const [chat] = chatWith(answered(...said(text)), { wait: 20 });
    const sending = chat.sendMessage({ text: "Tell" });
    const followers = [];
    await until(async () => (await client.messages(chat.id)).length === 2);
    for (let number = 0; number < 6; number++) {
      followers.push(reopened(chat.id));
      await sleep(80);
    }
    await sending;
    for (const follower of await Promise.all(followers)) {
      deepStrictEqual(json(follower.messages), json(chat.messages));
      deepStrictEqual(follower.status, "ready");
    }
    return chat.messages[1].parts[1].text === text;
  },

  // A reader that is slower than the end gets the rest from the message.
  async slow() {
    const [chat] = chatWith(EVERY_KIND, { wait: 2 });
    const sending = chat.sendMessage({ text: "Tell" });
    await until(async () => (await client.messages(chat.id)).length === 2);
    const stream = await other().reconnectToStream({ chatId: chat.id });
    const reader = stream.getReader();
    const came = [(await reader.read()).value];
    await sending;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      came.push(value);
    }
    deepStrictEqual(json(await built(came)), json(chat.messages[1]));
    return came.length < EVERY_KIND.length;
  },

  // The message ends between the reading of the messages and the reconnection.
  async late() {
    const [chat] = chatWith(EVERY_KIND, { wait: 2 });
    const sending = chat.sendMessage({ text: "Tell" });
    const transport = other();
    await until(async () => (await client.messages(chat.id)).length === 2);
    const late = new Chat({ id: chat.id, transport, messages: await transport.messages(chat.id) });
    await sending;
    await late.resumeStream();
    deepStrictEqual(json(late.messages), json(chat.messages));
    return (await transport.reconnectToStream({ chatId: chat.id })) === null;
  },

  // One answer ends and the next begins between the reading of the messages and the reconnection.
  async stale() {
    let number = 0;
    const [chat] = chatWith(() => answered(...said(`answer ${number++} ${"word ".repeat(60)}`)), { wait: 5 });
    const transport = other();
    const first = chat.sendMessage({ text: "one" });
    await until(async () => (await client.messages(chat.id)).length === 2);
    await transport.messages(chat.id);
    await first;
    const second = chat.sendMessage({ text: "two" });
    await until(async () => (await client.messages(chat.id)).length === 4);
    const chunks = [];
    for await (const chunk of await transport.reconnectToStream({ chatId: chat.id })) chunks.push(chunk);
    await second;
    deepStrictEqual(json(await built(chunks)), json(chat.messages[3]));
    await transport.messages(chat.id);
    return (await transport.reconnectToStream({ chatId: chat.id })) === null;
  },

  async branches() {
    let number = 0;
    const [chat, transport] = chatWith(() => answered(...said(`answer ${number++}`)));
    await chat.sendMessage({ text: "one" });
    await chat.sendMessage({ text: "two" });
    await chat.regenerate();
    await chat.sendMessage({ text: "TWO", messageId: chat.messages[2].id });
    await chat.sendMessage({ text: "ONE", messageId: chat.messages[0].id });
    deepStrictEqual(chat.error, undefined);
    deepStrictEqual(await transport.messages(chat.id), json(chat.messages));
    const path = (await transport.messages(chat.id)).map(({ parts }) => parts.at(-1).text);
    const all = await client.transport.execute(
      `query($id: ID!) { session(sessionId: $id) { messages(first: 100, branch: ALL) { edges { node { content } } } } }`,
      { id: chat.id },
    );
    return { path, all: all.session.messages.edges.map(({ node }) => node.content) };
  },

  // A tool of the page: the answer goes on in the same message.
  async tools() {
    const chunks = (messages) =>
      messages.at(-1).role === "user"
        ? answered(...said("I look."), TOOL)
        : [...answered(...said(`You are in ${messages.at(-1).parts.at(-1).output}.`))];
    const asked = { sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls };
    const [chat, transport] = chatWith(chunks, { wait: 5 }, asked);
    await chat.sendMessage({ text: "Where am I?" });
    await chat.addToolOutput({ tool: "place", toolCallId: "c1", output: "Kyōto" });
    await until(() => chat.messages[1].parts.length > 3);
    const follower = await reopened(chat.id);
    await until(() => chat.status === "ready");
    deepStrictEqual(chat.error, undefined);
    deepStrictEqual(await transport.messages(chat.id), json(chat.messages));
    deepStrictEqual(json(follower.messages), json(chat.messages));
    return [chat.messages.length, (await client.messages(chat.id)).map(({ content }) => content)];
  },

  async stop() {
    const [chat, transport] = chatWith(answered(...said("word ".repeat(1_000))), { wait: 5 });
    const sending = chat.sendMessage({ text: "Tell" });
    await until(() => (chat.messages[1]?.parts[1]?.text.length ?? 0) > 50);
    await chat.stop();
    await sending;
    await until(async () => (await client.messages(chat.id)).at(-1).status !== "STREAMING");
    await until(async () => (await client.messages(chat.id)).at(-1).parts.length === 2);
    const [, stored] = await transport.messages(chat.id);
    deepStrictEqual(stored.id, chat.messages[1].id);
    return [
      (await client.messages(chat.id)).at(-1).status,
      stored.parts[1].text.startsWith(chat.messages[1].parts[1].text),
    ];
  },

  // The page goes: the answer is stored to its end.
  async gone() {
    const [chat, transport] = chatWith(EVERY_KIND, { wait: 2 });
    const messages = [{ id: "u", role: "user", parts: [{ type: "text", text: "Tell" }] }];
    const stream = await transport.sendMessages({ chatId: chat.id, messages, trigger: "submit-message" });
    await stream.cancel();
    await until(async () => (await client.messages(chat.id)).at(-1).status === "COMPLETE");
    return (await transport.messages(chat.id))[1].parts.length;
  },

  // An endpoint stores; the page loses its connection in the middle, and resumes.
  async endpoint() {
    const [, transport] = chatWith(EVERY_KIND, { wait: 10 });
    const server = createServer(async (request, response) => {
      const { id: chatId, ...sent } = await body(request);
      pipeUIMessageStreamToResponse({ response, stream: await transport.sendMessages({ chatId, ...sent }) });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const answer = new DefaultChatTransport({ api: `http://127.0.0.1:${server.address().port}` });
    const page = new RecallQLChatTransport({ client, answer, store: false });
    const chat = new Chat({ id: crypto.randomUUID(), transport: page });
    const sending = chat.sendMessage({ text: "Tell" });
    await until(() => (chat.messages[1]?.parts.length ?? 0) > 4);
    await chat.stop();
    await sending;
    const seen = chat.messages[1].parts.length;
    await chat.resumeStream();
    deepStrictEqual(chat.error, undefined);
    deepStrictEqual(json(chat.messages), await page.messages(chat.id));
    server.closeAllConnections();
    return [seen < chat.messages[1].parts.length, (await client.messages(chat.id)).map(({ status }) => status)];
  },

  // The pieces would have more than the service takes, and the message has not.
  async large() {
    const call = {
      type: "tool-input-available",
      toolCallId: "c1",
      toolName: "draw",
      input: {},
      providerExecuted: true,
    };
    const outputs = Array.from({ length: 12 }, (_, number) => ({
      type: "tool-output-available",
      toolCallId: "c1",
      output: `${number} ${"x".repeat(150_000)}`,
      preliminary: number < 11,
    }));
    const [chat, transport] = chatWith(answered(call, ...outputs, ...said("Drawn. ".repeat(30))), { wait: 60 });
    await chat.sendMessage({ text: "Draw" });
    deepStrictEqual(chat.error, undefined);
    deepStrictEqual(await transport.messages(chat.id), json(chat.messages));
    const [huge] = chatWith(answered(...said("x".repeat(1_100_000))));
    await huge.sendMessage({ text: "Too much" });
    return [(await client.messages(chat.id)).at(-1).status, huge.status, huge.error.name];
  },

  // A page that shows a part of an answer goes on, and the stored answer stays whole.
  async partial() {
    const [chat, transport] = chatWith(answered(...said("the whole answer"), ...said("and more", "u")));
    await chat.sendMessage({ text: "Tell" });
    const [question, whole] = chat.messages;
    const shown = [question, { ...whole, parts: whole.parts.slice(0, 1) }];
    for await (const _ of await transport.sendMessages({
      chatId: chat.id,
      messages: shown,
      trigger: "submit-message",
    }));
    const stored = await transport.messages(chat.id);
    deepStrictEqual(stored[1].parts.slice(0, 3), json(whole.parts));
    return stored.map(({ parts }) => parts.length);
  },

  async failure() {
    const [chat, transport] = chatWith(answered(...said("as far as")).slice(0, 4), {
      wait: 20,
      failure: "the model is away",
    });
    await chat.sendMessage({ text: "Tell" });
    const [, stored] = await transport.messages(chat.id);
    const refused = new RecallQLChatTransport({ client, answer: () => Promise.reject(new Error("no answer")) });
    const [ended] = await Promise.allSettled([
      refused.sendMessages({ chatId: "refused", messages: chat.messages.slice(0, 1) }),
    ]);
    return {
      error: chat.error.message,
      stored: stored.parts.at(-1).text,
      status: (await client.messages(chat.id)).at(-1).status,
      refused: [ended.reason.message, (await client.messages("refused")).map(({ role }) => role)],
    };
  },

  // A model fails before the service has answered that the message is there.
  async early() {
    const id = crypto.randomUUID();
    const answer = () =>
      new ReadableStream({
        start(controller) {
          for (const chunk of answered(...said("as far as")).slice(0, 4)) controller.enqueue(chunk);
          setImmediate(() => controller.error(new Error("the model is away")));
        },
      });
    const transport = new RecallQLChatTransport({ client, userId: "ada", answer });
    const question = { id: "u1", role: "user", parts: [{ type: "text", text: "Tell" }] };
    const stream = await transport.sendMessages({ chatId: id, messages: [question], trigger: "submit-message" });
    const [ended] = await Promise.allSettled([stream.getReader().closed]);
    return [ended.reason.message, (await client.messages(id)).map(({ content, status }) => [content, status])];
  },

  // A retry of a message, and a chat whose history is not loaded, store nothing twice and hide nothing.
  async again() {
    const [chat, transport] = chatWith(answered(...said("yes")));
    const first = { id: "u1", role: "user", parts: [{ type: "text", text: "one" }] };
    const send = async (messages) => {
      for await (const _ of await transport.sendMessages({ chatId: chat.id, messages, trigger: "submit-message" }));
    };
    const answer = () => Promise.reject(new Error("no answer"));
    const refused = new RecallQLChatTransport({ client, userId: "ada", answer });
    await refused.sendMessages({ chatId: chat.id, messages: [first] }).catch(() => undefined);
    await send([first]);
    await send([{ id: "u2", role: "user", parts: [{ type: "text", text: "two" }] }]);
    return (await client.messages(chat.id)).map(({ content }) => content);
  },

  // A page sends what it likes to an endpoint with a service key.
  async forged() {
    const [chat, transport] = chatWith(answered(...said("I look."), TOOL));
    await chat.sendMessage({ text: "my secret" });
    const before = json(await transport.messages(chat.id));
    const eve = new RecallQLChatTransport({ client, userId: "eve", answer: () => streamOf(answered(...said("yes"))) });
    const ownerless = crypto.randomUUID();
    await client.add(ownerless, { role: "user", content: "of nobody" });
    const [question, answer] = json(before);
    answer.parts.at(-1).state = "output-available";
    answer.parts.at(-1).output = "forged";
    const refused = [];
    for (const [chatId, messages] of [
      [chat.id, [question, answer]],
      [chat.id, [{ id: "e", role: "user", parts: [{ type: "text", text: "mine" }] }]],
      [ownerless, [{ id: "e", role: "user", parts: [{ type: "text", text: "mine" }] }]],
    ]) {
      const [ended] = await Promise.allSettled([eve.sendMessages({ chatId, messages })]);
      refused.push(ended.reason?.name);
    }
    for (const chatId of [chat.id, ownerless]) {
      const reads = await Promise.allSettled([eve.messages(chatId), eve.reconnectToStream({ chatId })]);
      refused.push(...reads.map(({ reason }) => reason?.name));
    }
    deepStrictEqual(await transport.messages(chat.id), before);
    const parts = [{ type: "text", text: "hello" }];
    const sent = ["system", "user", "assistant", "user", "assistant"];
    const messages = sent.map((role, at) => ({ id: `f${at}`, role, parts }));
    const id = crypto.randomUUID();
    for await (const _ of await eve.sendMessages({ chatId: id, messages }));
    const trusted = new RecallQLChatTransport({
      client,
      roles: ["system", "user"],
      answer: () => streamOf(answered(...said("yes"))),
    });
    const all = crypto.randomUUID();
    for await (const _ of await trusted.sendMessages({ chatId: all, messages: messages.slice(0, 2) }));
    const roles = async (chatId) => (await client.messages(chatId)).map(({ role, content }) => `${role}: ${content}`);
    return [refused, await roles(id), (await client.messages(ownerless)).length, await roles(all)];
  },

  // Two equal requests at once, as of a page that sends again, store the message once; a deleted one is stored again.
  async twice() {
    const [chat, transport] = chatWith(answered(...said("yes")));
    const messages = [{ id: "u1", role: "user", parts: [{ type: "text", text: "one" }], metadata: { a: null } }];
    const send = async () => {
      for await (const _ of await transport.sendMessages({ chatId: chat.id, messages, trigger: "submit-message" }));
    };
    await Promise.all([send(), send(), send()]);
    const everything = `query($id: ID!) { session(sessionId: $id) { messages(first: 100, branch: ALL) {
      edges { node { uuid role } } } } }`;
    const all = async () => (await client.transport.execute(everything, { id: chat.id })).session.messages.edges;
    const asked = (await all()).filter(({ node }) => node.role === "user");
    const remove = "mutation($input: DeleteMessageInput!) { deleteMessage(input: $input) { deletedId } }";
    for (const { node } of await all()) await client.transport.execute(remove, { input: { uuid: node.uuid } });
    await send();
    return [asked.length, (await client.messages(chat.id)).map(({ content }) => content)];
  },

  // A model that is silent for longer than the service waits.
  async silent() {
    const pause = { type: "data-pause", data: {}, transient: true };
    const [first, ...others] = answered(...said("at last"));
    const chunks = [first, ...Array.from({ length: 26 }, () => pause), ...others];
    const [chat] = chatWith(chunks, { wait: 1_000 });
    await chat.sendMessage({ text: "Tell" });
    return [chat.messages[1].parts[1].text, (await client.messages(chat.id)).map(({ status }) => status)];
  },

  // Prints a line when the answer is under way; the test kills the process.
  async killed() {
    const chunks = [...answered(...said("as far as this")).slice(0, -2)];
    const transport = new RecallQLChatTransport({
      client,
      answer: () => new ReadableStream({ start: (controller) => chunks.forEach((chunk) => controller.enqueue(chunk)) }),
    });
    const chat = new Chat({ id: "killed", transport });
    void chat.sendMessage({ text: "Tell" });
    await until(() => chat.messages[1]?.parts[1]?.text === "as far as this");
    await sleep(500); // until the pieces are stored
    console.log("running");
    await sleep(60_000);
  },

  async survivor() {
    const chat = await reopened("killed");
    const again = await other().messages("killed");
    return [chat.status, chat.error?.message, json(chat.messages[1].parts.at(-1).text), again[1].parts];
  },

  // Plain pieces of another writer, as of a backend in Python.
  // Another client writes the answer, as text alone; a follower comes while it is written, or after its end.
  async foreign() {
    const send = (query, input) => client.transport.execute(query, { input });
    const append = "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { nextIndex } }";
    const finish = "mutation($input: FinishMessageInput!) { finishMessage(input: $input) { message { uuid } } }";
    const shown = [];
    for (const isLate of [false, true]) {
      const id = crypto.randomUUID();
      const { startMessage } = await send(
        "mutation($input: StartMessageInput!) { startMessage(input: $input) { message { uuid } } }",
        { sessionId: id, role: "ai" },
      );
      const { uuid } = startMessage.message;
      await send(append, { uuid, pieces: [{ index: 0, text: "It " }] });
      const transport = other();
      const chat = new Chat({ id, transport, messages: await transport.messages(id) });
      let following = isLate ? undefined : chat.resumeStream();
      await send(append, { uuid, pieces: [{ index: 1, text: "streams." }] });
      await send(finish, { uuid });
      following ??= chat.resumeStream();
      await following;
      deepStrictEqual(chat.error, undefined);
      shown.push(...chat.messages.map(({ id, role, parts }) => [role, parts, id === uuid]));
    }
    return shown;
  },
};

console.log(JSON.stringify(await scenarios[scenario]()));
process.exit(0);
