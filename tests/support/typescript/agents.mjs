// The session for the OpenAI Agents SDK in Node.js. Usage: node agents.mjs URL SCENARIO; prints JSON.

import { deepStrictEqual } from "node:assert/strict";

import { Agent, run, setTracingDisabled, tool, Usage } from "@openai/agents";
import { RecallQL } from "@recallql/client";
import { RecallQLSession } from "@recallql/client/openai-agents";

setTracingDisabled(true);
const [url, scenario] = process.argv.slice(2);
const client = new RecallQL({ url });
const opened = () => new RecallQLSession(client, crypto.randomUUID(), { userId: "ada" });

const EVERY_KIND = [
  { role: "user", content: "How is the weather in Kyōto?" },
  { role: "system", content: "Be brief." },
  {
    type: "message",
    role: "user",
    content: [
      { type: "input_text", text: "And this?" },
      { type: "input_image", image: "data:," },
    ],
  },
  { type: "reasoning", id: "r1", content: [{ type: "input_text", text: "hm" }], providerData: { encrypted: null } },
  {
    type: "function_call",
    callId: "c1",
    name: "weather",
    status: "completed",
    arguments: '{"city": "Kyōto"}',
    id: "f1",
  },
  {
    type: "function_call_result",
    callId: "c1",
    name: "weather",
    status: "completed",
    output: { type: "text", text: "21 °C" },
  },
  { type: "hosted_tool_call", name: "web_search_call", id: "h1", status: "completed", arguments: "{}" },
  {
    role: "assistant",
    status: "completed",
    id: "m1",
    content: [{ type: "output_text", text: "Sunny.", providerData: { logprobs: [1.5] } }],
  },
];

/** A model whose answers are given; it keeps the input of each call. */
class Scripted {
  inputs = [];
  constructor(...answers) {
    this.answers = answers;
  }
  async getResponse({ input }) {
    this.inputs.push(JSON.parse(JSON.stringify(input)));
    return { usage: new Usage(), output: this.answers.shift(), responseId: crypto.randomUUID() };
  }
  getStreamedResponse() {
    throw new Error("the script has no stream");
  }
}

const said = (text) => [
  { type: "message", role: "assistant", status: "completed", content: [{ type: "output_text", text }] },
];

const scenarios = {
  async exact() {
    const session = opened();
    deepStrictEqual(await session.getItems(), []);
    await session.addItems(EVERY_KIND);
    await session.addItems([]);
    deepStrictEqual(await session.getItems(), EVERY_KIND);
    deepStrictEqual(await session.getItems(3), EVERY_KIND.slice(-3));
    deepStrictEqual(await session.getItems(0), []);
    deepStrictEqual(await session.getItems(100), EVERY_KIND);
    const id = await session.getSessionId();
    await client.add(id, [
      { role: "human", content: "Hello" },
      { role: "ai", content: "Hi" },
    ]);
    const contents = (await client.messages(id)).map(({ content }) => content);
    return { contents, others: await session.getItems(2) };
  },

  async popped() {
    const session = opened();
    deepStrictEqual(await session.popItem(), undefined);
    const numbered = Array.from({ length: 12 }, (_, number) => ({ role: "user", content: `${number}` }));
    await session.addItems(numbered);
    const popped = await Promise.all(numbered.map(() => session.popItem()));
    const contents = popped.map(({ content }) => Number(content)).sort((one, other) => one - other);
    await session.addItems(EVERY_KIND);
    deepStrictEqual(await session.popItem(), EVERY_KIND.at(-1));
    await session.clearSession();
    await opened().clearSession();
    return { contents, left: await session.getItems() };
  },

  async run() {
    const weather = tool({
      name: "weather",
      description: "The weather of a city.",
      strict: false,
      parameters: {
        type: "object",
        properties: { city: { type: "string" } },
        required: [],
        additionalProperties: true,
      },
      execute: ({ city }) => `${city}: 21 °C`,
    });
    const call = {
      type: "function_call",
      callId: "c1",
      name: "weather",
      status: "completed",
      arguments: '{"city":"Kyōto"}',
    };
    const model = new Scripted([call], said("It has 21 °C."), said("You asked for Kyōto."));
    const agent = new Agent({ name: "Guide", model, tools: [weather] });
    const session = opened();
    const first = await run(agent, "How is the weather in Kyōto?", { session });
    const again = new RecallQLSession(client, await session.getSessionId());
    const second = await run(agent, "For which city did I ask?", { session: again });
    const items = await session.getItems();
    return {
      answers: [first.finalOutput, second.finalOutput],
      kinds: items.map((item) => item.type ?? item.role),
      seen: model.inputs.at(-1).map((item) => item.type ?? item.role),
      result: items[2].output,
    };
  },
};

console.log(JSON.stringify(await scenarios[scenario]()));
