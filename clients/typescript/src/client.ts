// The calls that an application needs.

import { NotFound } from "./errors.js";
import {
  AddMemoryDocument,
  type AddMemoryInput,
  type AddMemoryMutation,
  ChangesDocument,
  type ChangesSubscription,
  ContextDocument,
  type ContextQuery,
  DeleteMemoryDocument,
  FollowDocument,
  FollowStreamDocument,
  type FollowStreamSubscription,
  type FollowSubscription,
  type MessageFieldsFragment,
  type MessageFilter,
  type MessageInput,
  MessagesDocument,
  type MessagesQuery,
  type MessagesQueryVariables,
  PopMessageDocument,
  type PopMessageMutation,
  SearchDocument,
  type SearchMode,
  type SearchQuery,
  SessionDocument,
} from "./generated.js";
import { type Options, repeated, Transport } from "./transport.js";

/** A stored message. */
export type Message = MessageFieldsFragment;
/** The stored messages, in `memory.messages`, and their session. */
export type AddedMemory = AddMemoryMutation["addMemory"];
/** The context for a prompt. */
export type PromptContext = ContextQuery["context"];
/** A found message, in `node`, with its `score`. */
export type SearchHit = SearchQuery["search"]["edges"][number];
/** An edit, deletion or finished enrichment: its `kind`, and the message, which is null after a deletion. */
export type Change = ChangesSubscription["messageUpdated"];
/** A piece of a message that is being written; the last one has `done` and the message. */
export type Piece = FollowStreamSubscription["messageStream"];
/** A message that was deleted. */
export type PoppedMessage = NonNullable<PopMessageMutation["popMessage"]["poppedMessage"]>;

const PAGE = 100;

/** A client of one server, for Node.js and the browser. */
export class RecallQL {
  /** Sends operations of your own. */
  readonly transport: Transport;

  constructor(options: Options = {}) {
    this.transport = new Transport(options);
  }

  /**
   * Add messages at the end of a session, which is created if it is new.
   *
   * A repetition after a lost answer adds nothing twice: all attempts have the same idempotency key.
   *
   * @throws {Conflict} the session has another revision than the expected one
   * @throws {RecallQLError} the messages are refused
   */
  async add(
    sessionId: string,
    messages: MessageInput | MessageInput[],
    options: Omit<AddMemoryInput, "sessionId" | "messages"> & { signal?: AbortSignal } = {},
  ): Promise<AddedMemory> {
    const { signal, ...optional } = options;
    const idempotencyKey = optional.idempotencyKey ?? newUUID();
    const input = { ...optional, sessionId, messages: [messages].flat(), idempotencyKey };
    return (await this.transport.execute(AddMemoryDocument, { input }, { signal })).addMemory;
  }

  /** Return the messages of a session, oldest first: all of them, or the `last` ones. An unknown session has none. */
  async messages(
    sessionId: string,
    { last = Infinity, where, signal }: { last?: number; where?: MessageFilter; signal?: AbortSignal } = {},
  ): Promise<Message[]> {
    const pages: Message[][] = [];
    let before: string | null = null;
    for (let left = last; left > 0; ) {
      const variables: MessagesQueryVariables = { sessionId, last: Math.min(left, PAGE), before, filter: where };
      const { session }: MessagesQuery = await this.transport.execute(MessagesDocument, variables, { signal });
      const page = session?.messages;
      if (page === undefined) break;
      pages.unshift(page.edges.map((edge) => edge.node));
      before = page.pageInfo.startCursor;
      left -= page.edges.length;
      if (!page.pageInfo.hasPreviousPage) break;
    }
    return pages.flat();
  }

  /** Return the context for a prompt; `text` is ready to use and has at most `maxTokens` tokens. */
  async context(
    maxTokens: number,
    options: { query?: string; sessionId?: string; userId?: string; recent?: number; signal?: AbortSignal } = {},
  ): Promise<PromptContext> {
    const { signal, ...chosen } = options;
    return (await this.transport.execute(ContextDocument, { maxTokens, ...chosen }, { signal })).context;
  }

  /** Return the messages that fit a query best; each has `node`, the message, and `score` from 0 to 1. */
  async search(
    query: string,
    options: {
      sessionId?: string;
      userId?: string;
      first?: number;
      where?: MessageFilter;
      mode?: SearchMode;
      signal?: AbortSignal;
    } = {},
  ): Promise<SearchHit[]> {
    const { signal, where, ...chosen } = options;
    const variables = { first: 20, ...chosen, query, ...(where === undefined ? {} : { filter: where }) };
    return (await this.transport.execute(SearchDocument, variables, { signal })).search.edges;
  }

  /**
   * Delete the newest message of a session, and return it; null if the session has none.
   *
   * Two callers never get the same message. The call is sent once: after a lost answer, a repetition would delete
   * another message.
   *
   * @throws {ConnectionLost} the connection is lost; the message may be deleted
   */
  async pop(sessionId: string): Promise<PoppedMessage | null> {
    const sent = this.transport.execute(PopMessageDocument, { input: { sessionId } }, { attempts: 1 });
    return sent.then(({ popMessage }) => popMessage.poppedMessage, ifUnknown(null));
  }

  /** Delete all messages of a session; an unknown session has none. */
  async clear(sessionId: string): Promise<void> {
    const sent = this.transport.execute(DeleteMemoryDocument, { input: { sessionId } });
    await sent.catch(ifUnknown(undefined));
  }

  /**
   * Yield each new message of a session once and in order, for as long as the caller iterates.
   *
   * The stream begins again after a lost connection, at the message after the last one. It ends when the session is
   * deleted, and when the `signal` aborts.
   *
   * @param options.afterSeq the `seq` of the last message that you have, or 0 for every message; by default, only new ones
   * @throws {RecallQLError} the subscription is refused
   */
  async *follow(
    sessionId: string,
    { afterSeq, signal }: { afterSeq?: number; signal?: AbortSignal } = {},
  ): AsyncGenerator<Message, void, undefined> {
    const newest = async () => (await this.messages(sessionId, { last: 1, ...(signal && { signal }) })).at(-1)?.seq ?? 0;
    const begin = (last: number) => this.transport.subscribe(FollowDocument, { sessionId, afterSeq: last }, signal);
    const placeOf = ({ messageAdded }: FollowSubscription) => messageAdded.seq;
    try {
      for await (const { messageAdded } of resumed(begin, placeOf, afterSeq ?? (await newest()), signal)) yield messageAdded;
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    }
  }

  /**
   * Yield edits, deletions and finished enrichments of the messages of a session, for as long as the caller iterates.
   *
   * The stream begins again after a lost connection, at the changes after the last one: none is missed. Edits and
   * deletions come in order; an enrichment, and changes of one call, may come twice. The stream ends when the session is
   * deleted, and when the `signal` aborts.
   *
   * @param options.sinceRevision the greatest `revision` of the changes that you have, or the session's `revision`, read
   *   before its messages; by default, only new changes come
   * @throws {RecallQLError} the subscription is refused, also where the revision is one of an earlier session with the id
   */
  async *changes(
    sessionId: string,
    { sinceRevision, signal }: { sinceRevision?: number; signal?: AbortSignal } = {},
  ): AsyncGenerator<Change, void, undefined> {
    const current = async () =>
      (await this.transport.execute(SessionDocument, { sessionId }, { signal })).session?.revision ?? 0;
    const begin = (last: number) => this.transport.subscribe(ChangesDocument, { sessionId, sinceRevision: last }, signal);
    try {
      let greatest = sinceRevision ?? (await current());
      const placeOf = ({ messageUpdated }: ChangesSubscription) => (greatest = Math.max(greatest, messageUpdated.revision));
      for await (const { messageUpdated } of resumed(begin, placeOf, greatest, signal)) yield messageUpdated;
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    }
  }

  /**
   * Yield each piece of a message that is being written once and in order, and at last the message.
   *
   * The last piece has `done`, and in `message` the message, whose content replaces the pieces. The stream begins again
   * after a lost connection, at the piece after the last one. It ends without a message when the message is deleted, and
   * when the `signal` aborts.
   *
   * @param uuid identifies the message
   * @param options.afterIndex the `index` of the last piece that you have; by default, every piece comes
   * @throws {RecallQLError} the subscription is refused
   */
  async *stream(
    uuid: string,
    { afterIndex, signal }: { afterIndex?: number; signal?: AbortSignal } = {},
  ): AsyncGenerator<Piece, void, undefined> {
    const begin = (last: number | null) =>
      this.transport.subscribe(FollowStreamDocument, { uuid, afterIndex: last }, signal);
    const placeOf = ({ messageStream }: FollowStreamSubscription) => messageStream.index;
    try {
      for await (const { messageStream } of resumed(begin, placeOf, afterIndex ?? null, signal)) {
        yield messageStream;
        if (messageStream.done) return;
      }
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    }
  }
}

/** Yield the results of a subscription, which begins again after the place of its last result when it is lost. */
async function* resumed<TResult, TPlace>(
  begin: (place: TPlace) => AsyncGenerator<TResult>,
  placeOf: (result: TResult) => TPlace,
  place: TPlace,
  signal: AbortSignal | undefined,
): AsyncGenerator<TResult, void, undefined> {
  let stream: AsyncGenerator<TResult> | undefined;
  const next = () => {
    stream ??= begin(place);
    return stream.next().catch((error: unknown) => {
      stream = undefined; // a generator that threw has ended
      throw error;
    });
  };
  try {
    for (;;) {
      const { done, value } = await repeated(next, { signal });
      if (done === true) return;
      place = placeOf(value);
      yield value;
    }
  } finally {
    await stream?.return(undefined);
  }
}

/** A random UUID of version 4. `randomUUID` is missing in pages without HTTPS. */
export function newUUID(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function ifUnknown<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof NotFound) return value;
    throw error;
  };
}
