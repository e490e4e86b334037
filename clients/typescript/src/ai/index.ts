// AI SDK: a transport for `useChat` that stores the messages, and follows an answer that is being written.

import type { ChatTransport, UIMessage, UIMessageChunk } from "ai";

import type { Message, RecallQL } from "../client.js";
import { rest, restOfText } from "./built.js";
import { fromStored, rowsOf, toInput } from "./messages.js";
import { Decoder, keep } from "./pieces.js";
import { recorded } from "./recording.js";
import { refuseOther, type Rules, stored } from "./rows.js";

export { fromStored, toInput };

/** What `sendMessages` of a transport gets. */
export type Sent<M extends UIMessage> = Parameters<ChatTransport<M>["sendMessages"]>[0];
type Reconnecting<M extends UIMessage> = Parameters<ChatTransport<M>["reconnectToStream"]>[0];
/** Makes the answer: another transport, such as a `DefaultChatTransport` to your endpoint, or a function. */
export type Answer<M extends UIMessage> =
  | Pick<ChatTransport<M>, "sendMessages">
  | ((sent: Sent<M>) => ReadableStream<UIMessageChunk> | Promise<ReadableStream<UIMessageChunk>>);

/** The settings of a transport. */
export interface ChatOptions<M extends UIMessage> {
  /** The client, which may write messages of assistants if the transport stores. */
  client: RecallQL;
  /** What makes the answers: RecallQL has no model. */
  answer: Answer<M>;
  /**
   * The user to whom the sessions belong; a session of another user, or of none, is refused before any read or change.
   * Without it, the session of a chat may be anyone's whose messages the client may read and change.
   */
  userId?: string;
  /**
   * The roles of the messages that are stored as a page sends them, `["user"]` without it. A message of another role
   * that is not stored yet is left out: the page could have made it up.
   */
  roles?: readonly UIMessage["role"][];
  /** Whether the transport stores; false in a page whose endpoint stores with a transport of its own. */
  store?: boolean;
}

/** The latest messages among which an answer that is being written is looked for, with what it goes on with, first. */
const RECENT = 100;
/** Chats whose last read answer is remembered: those of one page, or the latest ones of a server. */
const MOST_CHATS = 1_000;

/**
 * The messages of a chat in the session with the chat's id.
 *
 * `sendMessages` stores the messages that are not stored yet, lets `answer` make the answer, and stores it piece by
 * piece while it passes it on. `reconnectToStream` follows an answer from its beginning, whoever writes it.
 */
export class RecallQLChatTransport<M extends UIMessage = UIMessage> implements ChatTransport<M> {
  /** A resumed stream has the whole answer, which replaces a part of it that is shown. */
  readonly resumeStreamIsReplay = true;
  readonly #client: RecallQL;
  readonly #answer: Answer<M>;
  readonly #rules: Rules;
  readonly #stores: boolean;
  /** The uuids of the answers that were being written when the messages were read, by chat. */
  readonly #leftOut = new Map<string, string>();

  constructor({ client, answer, userId, roles = ["user"], store = true }: ChatOptions<M>) {
    this.#client = client;
    this.#answer = answer;
    this.#rules = { userId, roles };
    this.#stores = store;
  }

  /**
   * Return the messages of a chat for `useChat`, oldest first: all of them, or those of the `last` stored ones.
   *
   * An answer that is being written is not among them: `reconnectToStream`, or `useChat` with `resume`, brings it.
   *
   * @throws {Conflict} the session does not belong to the user
   */
  async messages(chatId: string, options: { last?: number; signal?: AbortSignal } = {}): Promise<M[]> {
    await refuseOther(this.#client, chatId, this.#rules.userId);
    const messages = await this.#client.messages(chatId, options);
    this.#remember(chatId, runningOf(messages)?.message.uuid);
    return rowsOf<M>(messages.filter(({ status }) => status !== "STREAMING")).map(({ message }) => message);
  }

  /**
   * Send the messages of a chat, and return the stream of the answer.
   *
   * A cancelled stream does not end the answer, which is stored to its end; the `abortSignal` does. The stream ends
   * with an error if the answer can't be stored.
   *
   * @throws {Conflict} the session does not belong to the user; no answer is made
   * @throws {RecallQLError} the messages are refused, and no answer is made; or the caller may not write an answer
   */
  async sendMessages(sent: Sent<M>): Promise<ReadableStream<UIMessageChunk>> {
    if (!this.#stores) return this.#answered(sent);
    const place = await stored(this.#client, sent.chatId, sent.messages, this.#rules);
    return recorded(this.#client, await this.#answered(sent), place, sent.abortSignal);
  }

  /**
   * Return the stream of the answer that is being written, from its beginning; null without one.
   *
   * An answer that ended since `messages` left it out is followed, too, while it is the last message.
   *
   * @throws {Conflict} the session does not belong to the user
   */
  async reconnectToStream({ chatId, abortSignal }: Reconnecting<M>): Promise<ReadableStream<UIMessageChunk> | null> {
    await refuseOther(this.#client, chatId, this.#rules.userId);
    const leftOut = this.#leftOut.get(chatId);
    const running = await this.#found(chatId, leftOut);
    if (this.#leftOut.get(chatId) === leftOut) this.#leftOut.delete(chatId);
    if (running === undefined) return null;
    const controller = new AbortController();
    const signal = AbortSignal.any(abortSignal === undefined ? [controller.signal] : [controller.signal, abortSignal]);
    const chunks = followed(this.#client, running, signal);
    return new ReadableStream<UIMessageChunk>({
      async pull(to) {
        const { done, value } = await chunks.next();
        if (done === true) to.close();
        else to.enqueue(value);
      },
      async cancel() {
        controller.abort();
        await chunks.return();
      },
    });
  }

  #remember(chatId: string, uuid: string | undefined): void {
    this.#leftOut.delete(chatId); // the latest one is the last in the order of the map
    if (uuid === undefined) return;
    this.#leftOut.set(chatId, uuid);
    const [oldest] = this.#leftOut.keys();
    if (this.#leftOut.size > MOST_CHATS) this.#leftOut.delete(oldest!);
  }

  async #found(chatId: string, leftOut: string | undefined): Promise<Running | undefined> {
    for (const last of [RECENT, Infinity]) {
      const messages = await this.#client.messages(chatId, { last });
      const running = runningOf(messages, leftOut);
      if (running?.first !== messages[0] || messages.length < last) return running;
    }
    return undefined;
  }

  async #answered(sent: Sent<M>): Promise<ReadableStream<UIMessageChunk>> {
    return typeof this.#answer === "function" ? this.#answer(sent) : this.#answer.sendMessages(sent);
  }
}

/** An answer that is being written. */
interface Running {
  message: Message;
  /** The first stored message of what it goes on with, or the message itself. */
  first: Message;
  /** What it goes on with. */
  base: UIMessage | undefined;
}

/** The answer that is being written, or the last message if it is the one that was left out. */
function runningOf(messages: Message[], leftOut?: string): Running | undefined {
  const isAnswer = (one: Message | undefined) => one !== undefined && fromStored(one)?.role === "assistant";
  const written = messages.findLastIndex((one) => one.status === "STREAMING" && isAnswer(one));
  const place = written < 0 && messages.at(-1)?.uuid === leftOut ? messages.length - 1 : written;
  const message = messages[place];
  if (message === undefined || !isAnswer(message)) return undefined;
  const before = rowsOf(messages.slice(0, place)).at(-1);
  const isBase = before?.message.role === "assistant" && before.message.id === fromStored(message)?.id;
  return { message, first: isBase ? before.stored[0] : message, base: isBase ? before.message : undefined };
}

/** Yield the chunks of an answer from its beginning; the end of its message has what pieces had no time to bring. */
async function* followed(
  client: RecallQL,
  { message, base }: Running,
  signal: AbortSignal,
): AsyncGenerator<UIMessageChunk, void, undefined> {
  if (base !== undefined) yield* rest([], base); // the page shows the answer from its beginning
  const messageId = fromStored(message)?.id ?? message.uuid;
  const decoder = new Decoder(messageId);
  const seen: UIMessageChunk[] = [];
  for await (const piece of client.stream(message.uuid, { signal })) {
    if (!piece.done) {
      for (const chunk of decoder.decode({ text: piece.text, data: piece.data ?? null })) {
        keep(seen, chunk);
        yield chunk;
      }
      continue;
    }
    const whole = piece.message == null ? null : fromStored(piece.message);
    if (piece.message?.parts.length === 0) yield* restOfText(seen, messageId, piece.message.content);
    else if (whole !== null && !seen.some(({ type }) => type === "finish")) yield* rest(seen, whole);
    if (piece.status === "INTERRUPTED") yield { type: "error", errorText: "the writer of the answer was interrupted" };
    else if (!seen.some(({ type }) => type === "finish" || type === "abort" || type === "error")) {
      yield { type: piece.status === "ABORTED" ? "abort" : "finish" };
    }
    return;
  }
  if (!signal.aborted) yield { type: "abort" }; // the message was deleted
}
