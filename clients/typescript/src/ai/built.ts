// The UI message that chunks make, and the chunks that complete it.

import { readUIMessageStream, type UIMessage, type UIMessageChunk } from "ai";

import { isSame } from "./messages.js";

type Part = UIMessage["parts"][number];
type OfTool = Extract<Part, { toolCallId: string }>;
type Said = Extract<Part, { type: "text" | "reasoning" }>;

/**
 * Return the message after chunks, as the AI SDK makes it.
 *
 * @param base the answer that goes on
 */
export async function built<M extends UIMessage>(chunks: UIMessageChunk[], base?: M): Promise<M> {
  const messageId = chunks.findLast((chunk) => chunk.type === "start")?.messageId ?? base?.id ?? "";
  const stream = new ReadableStream<UIMessageChunk>({
    start(controller) {
      for (const chunk of chunks) if (chunk.type !== "error") controller.enqueue(chunk); // it would throw
      controller.enqueue({ type: "start", messageId }); // the begin of a step makes no state of its own
      controller.close();
    },
  });
  let message: M | undefined;
  const options = base === undefined ? { stream } : { stream, message: structuredClone(base) };
  for await (const state of readUIMessageStream<M>(options)) message = state;
  return message as M;
}

/**
 * Yield the chunks that make a message whole.
 *
 * @param seen the chunks that came
 * @param whole the message at its end
 */
export async function* rest(seen: UIMessageChunk[], whole: UIMessage): AsyncGenerator<UIMessageChunk, void, undefined> {
  const partial = await built(seen);
  const open = openIds(seen);
  yield* startOf(seen, whole.id);
  if (whole.metadata !== undefined && !isSame(partial.metadata, whole.metadata)) {
    yield { type: "message-metadata", messageMetadata: whole.metadata };
  }
  for (const [place, part] of whole.parts.entries()) {
    const before = partial.parts[place];
    if (part.type === "text" || part.type === "reasoning") {
      const isOpen = before?.type === part.type && before.state === "streaming";
      yield* restOfSaid(before, part, isOpen ? open[part.type].shift() : undefined, `rest-${place}`);
    } else if (!isSame(before, part)) {
      yield* chunksOf(part, before);
    }
  }
}

/**
 * Yield the chunks that complete the text of a message without parts, as an interrupted writer leaves it.
 *
 * @param messageId the id of the UI message
 */
export function* restOfText(
  seen: UIMessageChunk[],
  messageId: string,
  content: string,
): Generator<UIMessageChunk, void, undefined> {
  yield* startOf(seen, messageId);
  const had = seen.reduce((length, chunk) => length + (chunk.type === "text-delta" ? chunk.delta.length : 0), 0);
  const delta = content.slice(had);
  const open = openIds(seen).text.at(-1);
  if (delta === "" && open === undefined) return;
  const id = open ?? "rest";
  if (open === undefined) yield { type: "text-start", id };
  if (delta !== "") yield { type: "text-delta", id, delta };
  yield { type: "text-end", id };
}

/** Yield the chunk that names the message, unless it came: without it, a page makes up another id. */
function* startOf(seen: UIMessageChunk[], messageId: string): Generator<UIMessageChunk, void, undefined> {
  if (!seen.some(({ type }) => type === "start")) yield { type: "start", messageId };
}

/** The ids of the parts that have no end yet, in the order of the parts. */
function openIds(seen: UIMessageChunk[]): Record<Said["type"], string[]> {
  const open = { text: [] as string[], reasoning: [] as string[] };
  for (const chunk of seen) {
    if (chunk.type === "text-start") open.text.push(chunk.id);
    else if (chunk.type === "text-end") open.text = open.text.filter((id) => id !== chunk.id);
    else if (chunk.type === "reasoning-start") open.reasoning.push(chunk.id);
    else if (chunk.type === "reasoning-end") open.reasoning = open.reasoning.filter((id) => id !== chunk.id);
    else if (chunk.type === "start-step" || chunk.type === "reset-step")
      Object.assign(open, { text: [], reasoning: [] });
  }
  return open;
}

function* restOfSaid(
  before: Part | undefined,
  part: Said,
  open: string | undefined,
  made: string,
): Generator<UIMessageChunk> {
  const had = before?.type === part.type ? before.text : undefined;
  if (had !== undefined && open === undefined) return;
  const id = open ?? ("id" in part && part.id !== undefined ? part.id : made);
  const { type, providerMetadata } = part;
  const more = providerMetadata === undefined ? {} : { providerMetadata };
  if (open === undefined) yield { type: `${type}-start`, id, ...more };
  const delta = part.text.slice(had?.length ?? 0);
  if (delta !== "") yield { type: `${type}-delta`, id, delta };
  if (part.state === "streaming") return;
  if (type === "text" && part.citations !== undefined)
    yield { type: "text-end", id, citations: part.citations, ...more };
  else yield { type: `${type}-end`, id, ...more };
}

function* chunksOf(part: Exclude<Part, Said>, before: Part | undefined): Generator<UIMessageChunk> {
  if (part.type === "step-start") yield { type: "start-step" };
  else if ("toolCallId" in part) yield* chunksOfTool(part, before);
  else yield { ...part } as UIMessageChunk; // files, sources and data are parts as they are chunks
}

function* chunksOfTool(part: OfTool, before: Part | undefined): Generator<UIMessageChunk> {
  const { toolCallId, state } = part;
  const had = before !== undefined && "toolCallId" in before && before.state !== "input-streaming" ? before : undefined;
  const isDynamic = part.type === "dynamic-tool";
  const about = {
    toolCallId,
    ...(part.providerExecuted === undefined ? {} : { providerExecuted: part.providerExecuted }),
    ...(isDynamic ? { dynamic: true } : {}),
  };
  const call = {
    ...about,
    toolName: isDynamic ? part.toolName : part.type.slice("tool-".length),
    ...(part.title === undefined ? {} : { title: part.title }),
    ...(part.toolMetadata === undefined ? {} : { toolMetadata: part.toolMetadata }),
    ...("callProviderMetadata" in part && part.callProviderMetadata !== undefined
      ? { providerMetadata: part.callProviderMetadata }
      : {}),
  };
  const result = {
    ...about,
    ...("resultProviderMetadata" in part && part.resultProviderMetadata !== undefined
      ? { providerMetadata: part.resultProviderMetadata }
      : {}),
  };
  if (had === undefined) {
    if (state === "output-error") {
      yield { type: "tool-input-start", ...call };
      yield {
        type: "tool-input-error",
        ...result,
        toolName: call.toolName,
        input: part.input,
        errorText: part.errorText,
      };
      return;
    }
    if (state === "output-available" || state === "input-streaming") {
      // A page runs its tools when their input is available, and this call was answered.
      yield { type: "tool-input-start", ...call };
      const inputTextDelta = JSON.stringify(part.input);
      if (inputTextDelta !== undefined) yield { type: "tool-input-delta", toolCallId, inputTextDelta };
    } else {
      yield { type: "tool-input-available", ...call, input: part.input };
    }
  }
  if ("approval" in part && part.approval !== undefined && !isSame(had?.approval, part.approval))
    yield* chunksOfApproval(toolCallId, part.approval);
  if (state === "output-available") {
    const isFirst = part.preliminary === undefined ? {} : { preliminary: part.preliminary };
    yield { type: "tool-output-available", ...result, output: part.output, ...isFirst };
  } else if (state === "output-error") {
    yield { type: "tool-output-error", ...result, errorText: part.errorText };
  } else if (state === "output-denied") {
    yield { type: "tool-output-denied", toolCallId };
  }
}

function* chunksOfApproval(toolCallId: string, approval: NonNullable<OfTool["approval"]>): Generator<UIMessageChunk> {
  const { id, approved, reason, descriptor, requestReason, ...more } = approval;
  const asked = {
    ...(descriptor === undefined ? {} : { approvalDescriptor: descriptor }),
    ...(requestReason === undefined ? {} : { reason: requestReason }),
  };
  yield { type: "tool-approval-request", toolCallId, approvalId: id, ...asked, ...more };
  if (approved === undefined) return;
  yield { type: "tool-approval-response", approvalId: id, approved, ...(reason === undefined ? {} : { reason }) };
}
