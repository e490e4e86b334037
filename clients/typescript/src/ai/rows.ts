// The messages that a chat shows, and the messages of its session.

import type { UIMessage } from "ai";

import type { RecallQL } from "../client.js";
import { UpdateMessageDocument } from "../generated.js";
import { fromStored, isSame, type Row, rowsOf, toInput } from "./messages.js";
import type { Place } from "./recording.js";

/** The latest messages in which the shown ones are looked for first. */
const RECENT = 100;
/** Stands for the place before the first message of a session. */
const BEGINNING = "00000000-0000-0000-0000-000000000000";

/**
 * Add the shown messages that are not stored, and return where the answer to the last one is to be stored.
 *
 * A message follows the one that is shown before it. Where another message follows that one already, as after an edit,
 * a branch begins, and what the branch replaces stays in the session. An answer keeps its stored parts.
 */
export async function stored<M extends UIMessage>(
  client: RecallQL,
  sessionId: string,
  shown: M[],
  userId: string | undefined,
): Promise<Place<M>> {
  const { rows, count } = await found(client, sessionId, shown);
  const before = count === 0 ? undefined : rows.findLast(({ message }) => message.id === shown[count - 1]?.id);
  const added = shown.slice(count);
  const place = { sessionId, userId, parentUuid: parentOf(rows, before, added[0]), base: undefined };
  if (added.length > 0) {
    const [first, ...others] = added.map(toInput);
    const messages = [{ ...first!, parentUuid: place.parentUuid }, ...others];
    const { memory } = await client.add(sessionId, messages, userId === undefined ? {} : { userId });
    const base = added.at(-1)?.role === "assistant" ? rowsOf<M>(memory.messages).at(-1) : undefined;
    return { ...place, base, parentUuid: memory.messages.at(-1)?.uuid };
  }
  const last = shown.at(-1);
  if (before === undefined || last?.role !== "assistant") return place;
  const message = { ...before.message, parts: withResults(before.message.parts, last.parts) };
  await updateRow(client, before, message.parts);
  return { ...place, base: { ...before, message } };
}

/** The parts with what the page made of its tools; it may show a part of the answer alone. */
function withResults<M extends UIMessage>(parts: M["parts"], shown: M["parts"]): M["parts"] {
  return parts.map((part) => {
    if (!("toolCallId" in part) || part.state.startsWith("output")) return part;
    const results = shown.filter((one) => "toolCallId" in one && one.toolCallId === part.toolCallId);
    return results.find((one) => "state" in one && /^output|^approval-responded/.test(one.state ?? "")) ?? part;
  });
}

/** Store the parts of an answer, each at the stored message that has it. */
export async function updateRow<M extends UIMessage>(client: RecallQL, row: Row<M>, parts: M["parts"]): Promise<void> {
  let first = 0;
  for (const message of row.stored) {
    const before = fromStored<M>(message)?.parts ?? [];
    const own =
      message === row.stored.at(-1)
        ? parts.slice(first, row.message.parts.length)
        : parts.slice(first, first + before.length);
    first += before.length;
    if (message.parts.length === 0 || isSame(before, own)) continue;
    await client.transport.execute(UpdateMessageDocument, { input: { uuid: message.uuid, parts: own } });
  }
}

/** The latest messages of a session, and how many of the shown ones are stored. */
async function found<M extends UIMessage>(
  client: RecallQL,
  sessionId: string,
  shown: M[],
): Promise<{ rows: Row<M>[]; count: number }> {
  for (const last of [RECENT, Infinity]) {
    const messages = await client.messages(sessionId, { last });
    const rows = rowsOf<M>(messages);
    const byId = new Map(rows.map(({ message }) => [message.id, message]));
    const count = shown.findLastIndex((message) => isStored(message, byId.get(message.id))) + 1;
    if (count > 0 || messages.length < last) return { rows, count };
  }
  return { rows: [], count: 0 };
}

/** Whether a message is stored as it is shown; an answer may be shown in part. */
function isStored(shown: UIMessage, kept: UIMessage | undefined): boolean {
  if (kept === undefined || kept.role !== shown.role) return false;
  return shown.role === "assistant" || isSame(kept, shown);
}

/** The message that the next one follows; undefined for the last one of the session. */
function parentOf<M extends UIMessage>(
  rows: Row<M>[],
  before: Row<M> | undefined,
  next: M | undefined,
): string | undefined {
  if (before !== undefined) return before === rows.at(-1) ? undefined : before.stored.at(-1)?.uuid;
  const edited = rows.findIndex(({ message }) => message.id === next?.id);
  return edited < 0 ? undefined : (rows[edited - 1]?.stored.at(-1)?.uuid ?? BEGINNING);
}
