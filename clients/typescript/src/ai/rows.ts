// The messages that a chat shows, and the messages of its session.

import type { UIMessage } from "ai";

import type { RecallQL } from "../client.js";
import { Conflict } from "../errors.js";
import { type AddMemoryInput, SessionDocument, UpdateMessageDocument } from "../generated.js";
import { fromStored, isSame, type Row, rowsOf, toInput } from "./messages.js";
import type { Place } from "./recording.js";

/** The latest messages in which the shown ones are looked for first. */
const RECENT = 100;
/** Stands for the place before the first message of a session. */
const BEGINNING = "00000000-0000-0000-0000-000000000000";

/** Whose messages are stored, and which ones. */
export interface Rules {
  /** The user to whom the session belongs, or will; without it, the session of any user that the client may change. */
  userId: string | undefined;
  /** The roles of the messages that are added. */
  roles: readonly UIMessage["role"][];
}

/**
 * Add the shown messages of some roles that are not stored, and return where the answer to the last one is to be
 * stored.
 *
 * A message of another role is the page's word alone, and left out. Simultaneous equal calls add a message once.
 *
 * A message follows the one that is shown before it. Where another message follows that one already, as after an edit,
 * a branch begins, and what the branch replaces stays in the session. An answer keeps its stored parts.
 *
 * @throws {Conflict} the session does not belong to the user; nothing is changed
 */
export async function stored<M extends UIMessage>(
  client: RecallQL,
  sessionId: string,
  shown: M[],
  { userId, roles }: Rules,
): Promise<Place<M>> {
  await refuseOther(client, sessionId, userId);
  const { rows, count } = await found(client, sessionId, shown);
  const before = count === 0 ? undefined : rows.findLast(({ message }) => message.id === shown[count - 1]?.id);
  const added = shown.slice(count).filter(({ role }) => roles.includes(role));
  const place = { sessionId, userId, parentUuid: parentOf(rows, before, added[0]), base: undefined };
  if (added.length > 0) {
    const [first, ...others] = added.map(toInput);
    const messages = [{ ...first!, parentUuid: place.parentUuid }, ...others];
    const { memory } = await addOnce(client, sessionId, messages, userId === undefined ? {} : { userId });
    const base = added.at(-1)?.role === "assistant" ? rowsOf<M>(memory.messages).at(-1) : undefined;
    return { ...place, base, parentUuid: memory.messages.at(-1)?.uuid };
  }
  const last = shown.at(-1);
  if (before === undefined || before.message.id !== last?.id || last.role !== "assistant") return place;
  const message = { ...before.message, parts: withResults(before.message.parts, last.parts) };
  await updateRow(client, before, message.parts);
  return { ...place, base: { ...before, message } };
}

/**
 * Refuse a session that exists and does not belong to the user; without a user, refuse none.
 *
 * @throws {Conflict} the session is another user's, or nobody's
 */
export async function refuseOther(client: RecallQL, sessionId: string, userId: string | undefined): Promise<void> {
  if (userId === undefined) return;
  const { session } = await client.transport.execute(SessionDocument, { sessionId });
  if (session === null || session.user?.userId === userId) return;
  const message = `session ${JSON.stringify(sessionId.slice(0, 100))} does not belong to the user of this transport`;
  throw new Conflict([{ message, extensions: { code: "CONFLICT" } }]);
}

/** Add messages whose idempotency key says all of the call: a second equal call returns the result of the first. */
async function addOnce(
  client: RecallQL,
  sessionId: string,
  messages: AddMemoryInput["messages"],
  options: { userId?: string },
): ReturnType<RecallQL["add"]> {
  const said = new TextEncoder().encode(JSON.stringify([messages, options]));
  // Only pages of https and localhost have digests; without one, as with any client, the key is a new one.
  const digest = await (crypto.subtle as SubtleCrypto | undefined)?.digest("SHA-256", said);
  if (digest === undefined) return client.add(sessionId, messages, options);
  const digits = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const added = await client.add(sessionId, messages, { ...options, idempotencyKey: `ai-sdk:${digits}` });
  if (!added.replayed || added.memory.messages.length > 0) return added;
  return client.add(sessionId, messages, options); // the messages of the first call were deleted meanwhile
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
