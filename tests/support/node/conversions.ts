// The converters of docs/messages.md for AI SDK, beside this file, against the running server.
// Usage: node bundle URL. Fails, or prints how many messages came back equal, as JSON.

import { deepStrictEqual } from "node:assert/strict";
import { convertToModelMessages, modelMessageSchema, validateUIMessages } from "ai";
import type { ModelMessage, UIMessage } from "ai";

import * as model from "./ai-sdk-model";
import * as ui from "./ai-sdk-ui";

const ADD = `mutation Add($input: AddMemoryInput!) {
  addMemory(input: $input) { memory { messages { uuid role content parts metadata } } }
}`;

async function stored<T>(messages: unknown[]): Promise<T[]> {
  const response = await fetch(process.argv[2]!, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: ADD, variables: { input: { sessionId: crypto.randomUUID(), messages } } }),
  });
  const { data, errors } = (await response.json()) as { data: any; errors?: unknown };
  if (errors) throw new Error(JSON.stringify(errors));
  return data.addMemory.memory.messages;
}

type Tools = { weather: { input: { city: string }; output: { celsius: number } } };
type Chat = UIMessage<{ model: string }, { note: { text: string } }, Tools>;

const shown: Chat[] = [
  { id: "u1", role: "user", parts: [{ type: "text", text: "How is the weather in Kyōto? 🐈" }] },
  {
    id: crypto.randomUUID(),
    role: "assistant",
    metadata: { model: "m" },
    parts: [
      { type: "step-start" },
      { type: "reasoning", text: "hm", state: "done", providerMetadata: { anthropic: { signature: "s" } } },
      { type: "tool-weather", toolCallId: "c1", state: "output-available", input: { city: "Kyōto" }, output: { celsius: 21 } },
      { type: "data-note", id: "d1", data: { text: "seen" } },
      { type: "source-url", sourceId: "s1", url: "https://weather.example/", title: "Weather" },
      { type: "file", mediaType: "image/png", url: "data:image/png;base64,iVBORw0KGgo=", filename: "sky.png" },
      { type: "text", text: "Sunny.", state: "done" },
    ],
  },
  { id: "s1", role: "system", parts: [{ type: "text", text: "Be brief." }] },
];

// A key whose value is undefined is as absent in JSON.
function defined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(defined);
  if (value === null || typeof value !== "object" || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, item]) => (item === undefined ? [] : [[name, defined(item)]])),
  );
}

const kept = await stored<ui.Stored>(shown.map(ui.toInput));
const again = kept.map((message) => ui.fromStored<Chat>(message));
deepStrictEqual(again, shown);
await validateUIMessages({ messages: again });
deepStrictEqual(kept.map(({ content }) => content), ["How is the weather in Kyōto? 🐈", "Sunny.", "Be brief."]);
deepStrictEqual(kept[1]!.uuid, shown[1]!.id);

const sent: ModelMessage[] = [
  { role: "system", content: "Be brief.", providerOptions: { anthropic: { cacheControl: { type: "ephemeral" } } } },
  { role: "user", content: "How is the weather?" },
  {
    role: "user",
    content: [
      { type: "text", text: "And this?" },
      { type: "image", image: new Uint8Array([0, 1, 254, 255]), mediaType: "image/png" },
      { type: "image", image: new URL("https://pictures.example/a.png") },
      { type: "file", data: "iVBORw0KGgo=", mediaType: "image/png", filename: "a.png" },
    ],
  },
  {
    role: "assistant",
    content: [
      { type: "reasoning", text: "hm", providerOptions: { anthropic: { signature: "s" } } },
      { type: "tool-call", toolCallId: "c1", toolName: "weather", input: { city: "Kyōto" } },
    ],
  },
  {
    role: "tool",
    content: [{ type: "tool-result", toolCallId: "c1", toolName: "weather", output: { type: "json", value: { celsius: 21 } } }],
  },
  { role: "assistant", content: "Sunny." },
  ...(await convertToModelMessages(shown.slice(0, 2))),
];

const back = (await stored<model.Stored>(sent.map(model.toInput))).map(model.fromStored);
deepStrictEqual(back, defined(sent));
for (const message of back) modelMessageSchema.parse(message);

const [foreign] = await stored<model.Stored & ui.Stored>([{ role: "ai", content: "Hi", parts: [{ type: "critique", text: "x" }] }]);
deepStrictEqual(model.fromStored(foreign!), { role: "assistant", content: "Hi" });
deepStrictEqual(ui.fromStored(foreign!), { id: foreign!.uuid, role: "assistant", parts: [{ type: "text", text: "Hi" }] });

console.log(JSON.stringify({ ui: again.length, model: back.length }));
