// An answer that is stored while it is read.

import type { UIMessage, UIMessageChunk } from "ai";

import { newUUID, type RecallQL } from "../client.js";
import { Conflict, NotFound } from "../errors.js";
import {
  AbortMessageDocument,
  AppendMessageDocument,
  FinishMessageDocument,
  StartMessageDocument,
  UpdateMessageDocument,
} from "../generated.js";
import { built } from "./built.js";
import { metadataOf, type Row } from "./messages.js";
import { Encoder, keep } from "./pieces.js";
import { updateRow } from "./rows.js";

/** Pieces of one call: with 16,384 characters each, far below the maximum of a request's body. */
const MOST_PIECES = 50;
/** Milliseconds of silence after which an empty piece shows that the writer lives; the service waits for 60 seconds. */
const SILENCE = 15_000;

/** Where an answer is stored. */
export interface Place<M extends UIMessage> {
  sessionId: string;
  userId: string | undefined;
  /** The message that the answer follows; without it, the last one of the session. */
  parentUuid: string | undefined;
  /** The answer that goes on. */
  base: Row<M> | undefined;
}

/**
 * Store an answer as a message that is being written, and return the stream of the same chunks.
 *
 * The answer is read and stored to its end also where the returned stream is cancelled. The stream ends after the
 * message is stored, and with an error where it can't be stored.
 *
 * The service takes 20,000 pieces of a message with 1 MiB together. The deltas of a text are pieces of text alone; any
 * other chunk, as a delta of a reasoning or of the input of a tool, is a line of JSON, with about 90 bytes besides what
 * it says. Beyond these bounds, readers get no more pieces, and the whole message at its end; the service takes the
 * writer for silent from then on.
 */
export async function recorded<M extends UIMessage>(
  client: RecallQL,
  source: ReadableStream<UIMessageChunk>,
  place: Place<M>,
  signal: AbortSignal | undefined,
): Promise<ReadableStream<UIMessageChunk>> {
  const recording = new Recording(client, place);
  let isRead = true;
  // It is read at once: a source that fails drops the chunks that nobody has read.
  const stream = new ReadableStream<UIMessageChunk>({
    start(controller) {
      const give = (chunk: UIMessageChunk) => isRead && controller.enqueue(chunk);
      recording.run(source, give, signal).then(
        () => isRead && controller.close(),
        (error: unknown) => isRead && controller.error(error),
      );
    },
    cancel() {
      isRead = false;
    },
  });
  await recording.started;
  return stream;
}

class Recording<M extends UIMessage> {
  /** Settles when the message is there, or is refused. */
  readonly started: Promise<unknown>;
  readonly #client: RecallQL;
  readonly #uuid = newUUID();
  readonly #base: Row<M> | undefined;
  readonly #encoder = new Encoder();
  #id: string;
  /** All chunks that are stored, for the message at the end. */
  readonly #chunks: UIMessageChunk[] = [];
  /** The chunks that no piece has yet. */
  #queue: UIMessageChunk[] = [];
  #draining: Promise<void> | undefined;
  #isRefused = false;

  constructor(client: RecallQL, { base, sessionId, userId, parentUuid }: Place<M>) {
    this.#client = client;
    this.#base = base;
    this.#id = base?.message.id ?? this.#uuid;
    const metadata = metadataOf({ id: this.#id });
    const input = { sessionId, uuid: this.#uuid, role: "assistant", metadata, userId, parentUuid };
    this.started = client.transport.execute(StartMessageDocument, { input });
  }

  async run(
    source: ReadableStream<UIMessageChunk>,
    give: (chunk: UIMessageChunk) => void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const reader = source.getReader();
    const cancel = (reason: unknown) => void reader.cancel(reason).catch(() => undefined);
    const stop = () => cancel(signal?.reason);
    signal?.addEventListener("abort", stop);
    if (signal?.aborted) stop();
    this.started.catch(cancel);
    const alive = setInterval(() => this.#showLife(), SILENCE);
    let failure: { error: unknown } | undefined;
    try {
      for (let isFirst = true; ; isFirst = false) {
        const { done, value } = await reader.read();
        if (done) break;
        for (const chunk of this.#named(value, isFirst)) {
          give(chunk);
          this.#store(chunk);
        }
      }
    } catch (error) {
      failure = { error };
    } finally {
      signal?.removeEventListener("abort", stop);
    }
    try {
      const isCut = this.#chunks.some(({ type }) => type === "abort" || type === "error");
      await this.#end(isCut || failure !== undefined || signal?.aborted === true);
    } finally {
      clearInterval(alive);
    }
    if (failure !== undefined) throw failure.error;
  }

  /** The chunk with the id of the message, after a start if it is the first one and none. */
  #named(chunk: UIMessageChunk, isFirst: boolean): UIMessageChunk[] {
    if (chunk.type !== "start") return isFirst ? [{ type: "start", messageId: this.#id }, chunk] : [chunk];
    this.#id = chunk.messageId ?? this.#id;
    return [{ ...chunk, messageId: this.#id }];
  }

  #store(chunk: UIMessageChunk): void {
    if ("transient" in chunk && chunk.transient === true) return; // no part of the message
    keep(this.#chunks, chunk);
    if (this.#isRefused) return;
    this.#queue.push(chunk);
    this.#draining ??= this.#drain();
  }

  async #drain(): Promise<void> {
    await Promise.resolve(); // the end below comes after the assignment of this promise
    try {
      while (this.#queue.length > 0) {
        const pieces = this.#encoder.encode(this.#queue.splice(0));
        for (let first = 0; first < pieces.length; first += MOST_PIECES) {
          await this.#append(pieces.slice(first, first + MOST_PIECES));
        }
      }
    } catch {
      this.#isRefused = true; // the end stores the whole message, or fails
      this.#queue = [];
    } finally {
      this.#draining = undefined;
    }
  }

  async #append(pieces: ReturnType<Encoder["encode"]>): Promise<void> {
    await this.started;
    await this.#client.transport.execute(AppendMessageDocument, { input: { uuid: this.#uuid, pieces } });
  }

  #showLife(): void {
    if (this.#draining !== undefined || this.#isRefused) return;
    const sent = this.#append([this.#encoder.empty()]);
    this.#draining = sent
      .catch(() => undefined)
      .then(() => {
        this.#draining = undefined;
        if (this.#queue.length > 0) this.#draining = this.#drain();
      });
  }

  async #end(isEarly: boolean): Promise<void> {
    while (this.#draining !== undefined) await this.#draining;
    await this.started;
    const base = this.#base?.message;
    const whole = await built<M>(this.#chunks, base);
    const { role: _, parts, ...kept } = whole;
    const own = parts.slice(base?.parts.length ?? 0);
    const said = { ...(own.length > 0 ? { parts: own } : {}), metadata: metadataOf(kept) };
    try {
      await (isEarly ? this.#abort(said) : this.#finish(said));
      // The results of tools may be those of earlier parts.
      if (this.#base !== undefined) await updateRow(this.#client, this.#base, parts);
    } catch (error) {
      if (!(error instanceof NotFound)) throw error; // it was deleted
    }
  }

  async #finish(said: object): Promise<void> {
    try {
      await this.#client.transport.execute(FinishMessageDocument, { input: { uuid: this.#uuid, ...said } });
    } catch (error) {
      if (!hasEnded(error)) throw error;
      await this.#update(said); // the service took the writer for silent, and the message has the text that had come
    }
  }

  async #abort(said: object): Promise<void> {
    try {
      await this.#client.transport.execute(AbortMessageDocument, { input: { uuid: this.#uuid } });
    } catch (error) {
      if (!hasEnded(error)) throw error;
    }
    await this.#update(said);
  }

  async #update(said: object): Promise<void> {
    await this.#client.transport.execute(UpdateMessageDocument, { input: { uuid: this.#uuid, ...said } });
  }
}

function hasEnded(error: unknown): boolean {
  return error instanceof Conflict && error.extensions["status"] !== undefined;
}
