// The calls of the packed client in Node.js. Usage: node calls.mjs URL SCENARIO [KEY]; prints JSON.

import { RecallQL, RecallQLError } from "@recallql/client";

const [url, scenario, key] = process.argv.slice(2);
const memory = new RecallQL({ url, key, attempts: 5 });
const CLARA = { role: "user", content: "My sister Clara works at the harbour office." };

const scenarios = {
  async front() {
    const added = await memory.add("s", [CLARA, { role: "assistant", content: "Good for her!" }], { userId: "ada" });
    const contents = async (options) => (await memory.messages("s", options)).map(({ content }) => content);
    const all = await contents();
    const last = await contents({ last: 1 });
    const users = await contents({ where: { roles: ["user"] } });
    const [hit] = await memory.search("Clara", { userId: "ada" });
    const context = await memory.context(200, { sessionId: "s", query: "Where does Clara work?" });
    const popped = await memory.pop("s");
    await memory.clear("s");
    const cleared = await contents();
    const unknown = [await memory.pop("unknown"), await memory.clear("unknown"), await memory.messages("unknown")];
    return {
      added: [added.replayed, added.session.messageCount],
      all,
      last,
      users,
      hit: [hit.node.content, hit.node.session.sessionId],
      context: context.text.includes("harbour office") && context.tokenCount <= 200,
      popped: popped.seq,
      cleared,
      unknown,
    };
  },

  async long() {
    const numbered = Array.from({ length: 250 }, (_, number) => ({ role: "user", content: String(number) }));
    await memory.add("s", numbered);
    const seqs = async (options) => (await memory.messages("s", options)).map(({ seq }) => seq);
    return { all: await seqs(), last: await seqs({ last: 150 }), none: await seqs({ last: 0 }) };
  },

  async add() {
    const { replayed, session } = await memory.add("s", { role: "user", content: "second" });
    return { replayed, messageCount: session.messageCount };
  },

  async errors() {
    const { session } = await memory.add("s", CLARA);
    const calls = [
      memory.add("", CLARA),
      memory.add("s", CLARA, { expectedRevision: session.revision + 5 }),
      new RecallQL({ url }).messages("s"),
      new RecallQL({ url, key: () => "wrong" }).follow("s", { afterSeq: 0 }).next(),
      new RecallQL({ url: "http://127.0.0.1:1", attempts: 2 }).messages("s"),
      memory.messages("s", { signal: AbortSignal.abort() }),
    ];
    const ended = await Promise.allSettled(calls);
    return ended.map(({ reason }) => [reason?.constructor.name, reason instanceof RecallQLError]);
  },

  // Prints a line for each message: the test cuts the connections meanwhile.
  async follow() {
    const controller = new AbortController();
    for await (const { seq } of memory.follow("s", { afterSeq: 0, signal: controller.signal })) {
      console.log(seq);
      if (seq === 16) controller.abort();
    }
    return "ended";
  },

  // Prints a line for each edit, deletion and clearing.
  async changes() {
    const controller = new AbortController();
    for await (const { kind, seq, message } of memory.changes("s", { sinceRevision: 1, signal: controller.signal })) {
      if (kind === "ENRICHED") continue;
      console.log(JSON.stringify([kind, seq, message?.content ?? null]));
      if (kind === "CLEARED") controller.abort();
    }
    return "ended";
  },

  // Prints the index of each piece of the message that stands in place of the key.
  async stream() {
    let text = "";
    for await (const piece of new RecallQL({ url, attempts: 5 }).stream(key)) {
      if (piece.done) return [text, piece.message.content, piece.status];
      text += piece.text;
      console.log(piece.index);
    }
    return "deleted";
  },

  async silent() {
    const started = Date.now();
    const impatient = new RecallQL({ url, attempts: 1, timeout: 300 });
    const [ended] = await Promise.allSettled([impatient.messages("s")]);
    return [ended.reason?.constructor.name, Date.now() - started < 5_000];
  },
};

console.log(JSON.stringify(await scenarios[scenario]()));
