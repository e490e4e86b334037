// OpenAI Agents SDK: a session.

import type { AgentInputItem, Session } from "@openai/agents";

import type { Message, PoppedMessage, RecallQL } from "./client.js";
import type { MessageInput } from "./generated.js";

/** The type of a part whose `value` is the item. */
const TYPE = "openai-agents";
const ROLES: Record<string, string> = { human: "user", ai: "assistant" };

/** The items of one session; each item comes back equal to the added one. */
export class RecallQLSession implements Session {
  readonly #client: RecallQL;
  readonly #sessionId: string;
  readonly #userId: string | undefined;

  /**
   * Create the front of a session; nothing is stored yet.
   *
   * @param client the client
   * @param sessionId the session
   * @param options.userId the user to whom a new session belongs
   */
  constructor(client: RecallQL, sessionId: string, { userId }: { userId?: string } = {}) {
    this.#client = client;
    this.#sessionId = sessionId;
    this.#userId = userId;
  }

  /** Return the id of the session. */
  async getSessionId(): Promise<string> {
    return this.#sessionId;
  }

  /** Return the latest items, oldest first; all of them without a limit. */
  async getItems(limit?: number): Promise<AgentInputItem[]> {
    const options = limit === undefined ? {} : { last: limit };
    return (await this.#client.messages(this.#sessionId, options)).map(toItem);
  }

  /** Add items, all or none of them. */
  async addItems(items: AgentInputItem[]): Promise<void> {
    if (items.length === 0) return;
    const options = this.#userId === undefined ? {} : { userId: this.#userId };
    await this.#client.add(this.#sessionId, items.map(fromItem), options);
  }

  /** Delete and return the newest item; two callers never get the same one. */
  async popItem(): Promise<AgentInputItem | undefined> {
    const popped = await this.#client.pop(this.#sessionId);
    return popped === null ? undefined : toItem(popped);
  }

  /** Delete all items. */
  async clearSession(): Promise<void> {
    await this.#client.clear(this.#sessionId);
  }
}

/**
 * Return the message to add for an item; `toItem` returns an equal item.
 *
 * The item is the only part of its message, and its text is the content, which searches and entities read.
 */
export function fromItem(item: AgentInputItem): MessageInput {
  const given: { type?: string | undefined; role?: string } = item;
  const role = given.role ?? (given.type?.endsWith("_result") ? "tool" : "assistant");
  return { role, content: textsOf(item).join("\n"), parts: [{ type: TYPE, value: item }] };
}

/** Return the item of a stored message, also of one that another client added. */
export function toItem({ role: said, content, parts }: Message | PoppedMessage): AgentInputItem {
  const [part] = parts as { type?: string; value?: AgentInputItem }[];
  if (parts.length === 1 && part?.type === TYPE && part.value !== undefined) return part.value;
  const role = ROLES[said] ?? said;
  if (role === "user" || role === "system") return { role, content };
  return { role: "assistant", status: "completed", content: [{ type: "output_text", text: content }] };
}

function textsOf(item: AgentInputItem): string[] {
  const { content, output } = item as { content?: unknown; output?: unknown };
  return [content, output].flatMap((value) => {
    if (typeof value === "string") return [value];
    const parts = (Array.isArray(value) ? value : [value]) as ({ text?: unknown } | null | undefined)[];
    return parts.flatMap((part) => (typeof part?.text === "string" ? [part.text] : []));
  });
}
