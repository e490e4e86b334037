// The chunks of a UI message stream as pieces of a message.
//
// The deltas of text are the texts of the pieces, so that a message whose writer is interrupted has a readable content.
// Every other chunk is a line of JSON in the data of the pieces, and a piece without data goes on with the last text.

import type { UIMessageChunk } from "ai";

import type { PieceInput } from "../generated.js";

/** Characters of a piece: at most 3 bytes each, and a piece has at most 64 KiB. */
const MOST_CHARACTERS = 16_384;
const LONE_SURROGATE = /\p{Surrogate}/u;

type TextDelta = Extract<UIMessageChunk, { type: "text-delta" }>;

/** Makes the pieces of chunks. */
export class Encoder {
  #index = 0;
  #textId: string | undefined;

  /** Return the pieces of the next chunks. */
  encode(chunks: UIMessageChunk[]): PieceInput[] {
    const kept: UIMessageChunk[] = [];
    for (const chunk of chunks) keep(kept, chunk);
    return kept.flatMap((chunk) => this.#piecesOf(chunk));
  }

  /** Return a piece that stands for no chunk. */
  empty(): PieceInput {
    return this.#piece("", undefined);
  }

  #piecesOf(chunk: UIMessageChunk): PieceInput[] {
    // The API refuses half a character, which is an escape in JSON.
    if (chunk.type !== "text-delta" || LONE_SURROGATE.test(chunk.delta)) {
      if (chunk.type === "text-start" || chunk.type === "text-delta") this.#textId = chunk.id;
      return cut(`${JSON.stringify(chunk)}\n`).map((data) => this.#piece("", data));
    }
    const { delta, ...rest } = chunk;
    const isNext = rest.id === this.#textId && rest.providerMetadata === undefined;
    this.#textId = rest.id;
    const named = isNext ? undefined : `${JSON.stringify(rest)}\n`;
    // Data that is too long for one piece goes before the text.
    if (named !== undefined && named.length > MOST_CHARACTERS) {
      return cut(`${JSON.stringify(chunk)}\n`).map((data) => this.#piece("", data));
    }
    return cut(delta).map((text, place) => this.#piece(text, place === 0 ? named : undefined));
  }

  #piece(text: string, data: string | undefined): PieceInput {
    return { index: this.#index++, text, ...(data === undefined ? {} : { data }) };
  }
}

/** Reads chunks from pieces, also from those of a writer that sends texts alone. */
export class Decoder {
  readonly #messageId: string;
  #hasStarted = false;
  #textId: string | undefined;
  #line = "";

  constructor(messageId: string) {
    this.#messageId = messageId;
  }

  /** Yield the chunks that a piece completes. */
  *decode({ text, data }: { text: string; data: string | null }): Generator<UIMessageChunk, void, undefined> {
    if (data === null) {
      if (text !== "") yield* this.#delta(text);
      return;
    }
    const lines = (this.#line + data).split("\n");
    this.#line = lines.pop() ?? "";
    for (const line of lines) {
      const read = parsed(line);
      if (read === undefined) continue;
      const chunk = read.type === "text-delta" ? { ...read, delta: (read as Partial<TextDelta>).delta ?? text } : read;
      if (chunk.type === "text-start" || chunk.type === "text-delta") this.#textId = chunk.id;
      this.#hasStarted = true;
      yield chunk;
    }
  }

  *#delta(delta: string): Generator<UIMessageChunk, void, undefined> {
    if (!this.#hasStarted) yield { type: "start", messageId: this.#messageId };
    this.#hasStarted = true;
    if (this.#textId === undefined) {
      this.#textId = "text";
      yield { type: "text-start", id: this.#textId };
    }
    yield { type: "text-delta", id: this.#textId, delta };
  }
}

/** The chunk of a line; undefined for the data of another writer. */
function parsed(line: string): UIMessageChunk | undefined {
  try {
    const read = JSON.parse(line) as UIMessageChunk | null;
    return typeof read?.type === "string" ? read : undefined;
  } catch {
    return undefined;
  }
}

/** Add a chunk to others; a delta becomes one with a delta before it of the same part. */
export function keep(chunks: UIMessageChunk[], chunk: UIMessageChunk): void {
  const joint = joined(chunks.at(-1), chunk);
  if (joint === undefined) chunks.push(chunk);
  else chunks[chunks.length - 1] = joint;
}

function joined(one: UIMessageChunk | undefined, next: UIMessageChunk): UIMessageChunk | undefined {
  if (
    (one?.type === "text-delta" && next.type === "text-delta") ||
    (one?.type === "reasoning-delta" && next.type === "reasoning-delta")
  ) {
    const isOne = one.id === next.id && next.providerMetadata === undefined;
    return isOne ? { ...one, delta: one.delta + next.delta } : undefined;
  }
  if (one?.type === "tool-input-delta" && next.type === "tool-input-delta" && one.toolCallId === next.toolCallId) {
    return { ...one, inputTextDelta: one.inputTextDelta + next.inputTextDelta };
  }
  return undefined;
}

/** Return a text in parts that a piece may have, without a cut through a character. */
function cut(text: string): string[] {
  const parts: string[] = [];
  for (let first = 0; first < text.length || first === 0;) {
    let end = first + MOST_CHARACTERS;
    const last = text.charCodeAt(end - 1);
    if (end < text.length && last >= 0xd800 && last < 0xdc00) end -= 1;
    parts.push(text.slice(first, end));
    first = end;
  }
  return parts;
}
