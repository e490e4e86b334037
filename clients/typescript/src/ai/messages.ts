// UI messages of the AI SDK as messages of a session.

import type { UIMessage } from "ai";

import type { Message } from "../client.js";
import type { MessageInput } from "../generated.js";

/** The key in a message's metadata whose value has the fields of the UI message besides its role and parts. */
const KEY = "aiSdk";
const ROLES: Record<string, UIMessage["role"]> = {
  system: "system",
  user: "user",
  human: "user",
  assistant: "assistant",
  ai: "assistant",
};

/** The messages of a session that are one UI message: an answer that goes on after its tools has several. */
export interface Row<M extends UIMessage> {
  message: M;
  stored: [Message, ...Message[]];
}

/** Return the message to add for a UI message; `fromStored` returns an equal one. */
export function toInput({ role, parts, ...rest }: UIMessage): MessageInput {
  return { role, metadata: metadataOf(rest), ...(parts.length > 0 ? { parts } : { content: "" }) };
}

/**
 * Return the UI message of a stored message: null for a role that UI messages do not have, such as `tool`.
 *
 * A message that another client added, or whose writer was interrupted, has its text as its one part.
 */
export function fromStored<M extends UIMessage>({ uuid, role: said, content, parts, metadata }: Message): M | null {
  const role = ROLES[said];
  if (role === undefined) return null;
  const list = (metadata as Record<string, unknown>)[KEY];
  const kept = Array.isArray(list) ? (list[0] as Partial<M>) : undefined;
  const text = content === "" ? [] : [{ type: "text", text: content }];
  return { id: uuid, ...kept, role, parts: kept !== undefined && parts.length > 0 ? parts : text } as M;
}

/** Return the metadata of a stored message; a list, since an update replaces it whole, nulls included. */
export function metadataOf(rest: object): Record<string, unknown> {
  return { [KEY]: [rest] };
}

/** Return the UI messages of stored messages, oldest first. */
export function rowsOf<M extends UIMessage>(messages: Message[]): Row<M>[] {
  const rows: Row<M>[] = [];
  for (const stored of messages) {
    const message = fromStored<M>(stored);
    if (message === null) continue;
    const before = rows.at(-1);
    if (before?.message.id === message.id && message.role === "assistant") {
      before.stored.push(stored);
      before.message = { ...message, parts: [...before.message.parts, ...message.parts] };
    } else {
      rows.push({ message, stored: [stored] });
    }
  }
  return rows;
}

/** Whether two values are equal as JSON, in any order of keys. */
export function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries("toJSON" in value ? (JSON.parse(JSON.stringify(value)) as object) : value);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, item]) => [name, sorted(item)]));
}
