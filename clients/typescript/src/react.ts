// React: a conversation as state.

import { useCallback, useEffect, useReducer, useRef } from "react";

import type { AddedMemory, Message, RecallQL } from "./client.js";
import type { MessageInput } from "./generated.js";

/** A session's messages, and the calls on it. */
export interface Conversation {
  /** The messages in order, each once. */
  messages: Message[];
  /** `loading` until the stored messages are there, `ended` when the session is deleted or `error` is set. */
  status: "loading" | "live" | "ended";
  /** The error that ended the conversation. Lost connections are none: they are made again. */
  error: Error | null;
  /** Add messages at the end of the session; they are in `messages` when the promise is fulfilled. */
  add: (messages: MessageInput | MessageInput[]) => Promise<AddedMemory>;
}

type State = Omit<Conversation, "add">;
type Action = { added: Message[] } | { status: State["status"]; error?: Error } | "reset";

const EMPTY: State = { messages: [], status: "loading", error: null };

/**
 * A session's messages, which grow as messages arrive, from this page or any other client.
 *
 * @param client the client; keep one for the whole application
 * @param sessionId the session; it may be created later
 * @param options.last the number of stored messages to begin with; 100 by default
 * @param options.userId the user to whom a new session belongs
 */
export function useConversation(
  client: RecallQL,
  sessionId: string,
  { last = 100, userId }: { last?: number; userId?: string } = {},
): Conversation {
  const [state, dispatch] = useReducer(reduced, EMPTY);
  const shown = useRef<AbortSignal | null>(null); // aborted when the hook shows another session
  useEffect(() => {
    const controller = new AbortController();
    shown.current = controller.signal;
    dispatch("reset");
    void follow(client, sessionId, last, controller.signal, (action) => {
      if (!controller.signal.aborted) dispatch(action);
    });
    return () => controller.abort();
  }, [client, sessionId, last]);
  const add = useCallback(
    async (messages: MessageInput | MessageInput[]) => {
      const signal = shown.current;
      const added = await client.add(sessionId, messages, userId === undefined ? {} : { userId });
      if (!signal?.aborted) dispatch({ added: added.memory.messages });
      return added;
    },
    [client, sessionId, userId],
  );
  return { ...state, add };
}

async function follow(
  client: RecallQL,
  sessionId: string,
  last: number,
  signal: AbortSignal,
  dispatch: (action: Action) => void,
): Promise<void> {
  try {
    const stored = await client.messages(sessionId, { last, signal });
    dispatch({ added: stored });
    dispatch({ status: "live" });
    for await (const message of client.follow(sessionId, { afterSeq: stored.at(-1)?.seq ?? 0, signal })) {
      dispatch({ added: [message] });
    }
    dispatch({ status: "ended" });
  } catch (error) {
    dispatch({ status: "ended", error: error instanceof Error ? error : new Error(String(error)) });
  }
}

function reduced(state: State, action: Action): State {
  if (action === "reset") return EMPTY;
  if ("status" in action) return { ...state, status: action.status, error: action.error ?? null };
  // The answer to `add` and the stream bring the same messages, in either order.
  const bySeq = new Map([...state.messages, ...action.added].map((message) => [message.seq, message]));
  return { ...state, messages: [...bySeq.values()].sort((one, other) => one.seq - other.seq) };
}
