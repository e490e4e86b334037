import { useApolloClient, useQuery } from "@apollo/client/react";
import { useEffect, useState } from "react";
import type { FormEvent } from "react";

import { hasCode } from "./apollo";
import { Highlights } from "./highlights";
import { useLiveMessages, useLiveText } from "./live";
import { DELETE_MESSAGE, EDIT, FORK, HISTORY, MARK_READ, SEND } from "./operations";
import type { Message, Session } from "./operations";

/** A message on its way: it is shown until the list has the stored one, which has its key in the metadata. */
interface Sending {
  key: string;
  content: string;
  seq?: number;
}

interface Props {
  session: Session;
  askAssistant: (sessionId: string) => Promise<void>;
  onFork: (sessionId: string) => void;
}

export function Conversation({ session, askAssistant, onFork }: Props) {
  const client = useApolloClient();
  const { sessionId, readSeq } = session;
  const { isRead, reached, gone } = useLiveMessages(client, sessionId);
  const { data } = useQuery(HISTORY, { variables: { sessionId }, fetchPolicy: "cache-only", skip: !isRead });
  const [sending, setSending] = useState<Sending[]>([]);
  const [editing, setEditing] = useState<string | null>(null);
  const page = data?.session?.messages;
  const messages = (page?.edges ?? []).map(({ node }) => node).filter(({ seq }) => !gone.has(seq));
  const keys = new Set(messages.map(({ metadata }) => (metadata as { key?: string }).key));
  const waiting = sending.filter(({ key, seq }) => !keys.has(key) && (seq === undefined || seq > reached));

  useEffect(() => {
    if (reached <= readSeq) return;
    client.mutate({ mutation: MARK_READ, variables: { sessionId, seq: reached } }).catch(report);
  }, [client, sessionId, reached, readSeq]);

  async function send(content: string): Promise<void> {
    const key = crypto.randomUUID();
    setSending((others) => [...others, { key, content }]);
    const message = { uuid: key, role: "user", content, metadata: { key } };
    try {
      const { data: sent } = await client.mutate({ mutation: SEND, variables: { sessionId, message } });
      const seq = sent?.addMemory.memory.messages[0]?.seq ?? 0;
      setSending((all) => all.map((one) => (one.key === key ? { ...one, seq } : one)));
      await askAssistant(sessionId);
    } catch (error) {
      setSending((all) => all.filter((one) => one.key !== key));
      report(error);
    }
  }

  /** Reads a page into the cache, which adds it to the list: `fetchMore` needs a query that reads the network itself. */
  async function loadBefore(before: string | null | undefined): Promise<void> {
    await client.query({ query: HISTORY, variables: { sessionId, before: before ?? null }, fetchPolicy: "network-only" });
  }

  async function edit({ uuid }: Message, content: string): Promise<void> {
    setEditing(null);
    await client.mutate({ mutation: EDIT, variables: { uuid, content } });
  }

  async function remove({ uuid }: Message): Promise<void> {
    await client.mutate({ mutation: DELETE_MESSAGE, variables: { uuid } });
  }

  async function fork({ seq }: Message): Promise<void> {
    const newSessionId = crypto.randomUUID();
    await client.mutate({ mutation: FORK, variables: { sessionId, throughSeq: seq, newSessionId } });
    onFork(newSessionId);
  }

  return (
    <section aria-label="Conversation" aria-busy={!isRead}>
      {page?.pageInfo.hasPreviousPage && (
        <button onClick={() => void loadBefore(page.pageInfo.startCursor).catch(report)}>Older messages</button>
      )}
      <ol>
        {messages.map((message) => (
          <li key={message.id} className={message.role} data-seq={message.seq} data-status={message.status} data-enrichment={message.enrichment.state}>
            {editing === message.id ? (
              <Line label="Edited message" initial={message.content} onSubmit={(text) => void edit(message, text).catch(report)} />
            ) : (
              <p>{message.status === "STREAMING" ? <Streamed uuid={message.uuid} /> : <Highlights message={message} />}</p>
            )}
            {message.role === "user" && (
              <>
                <button onClick={() => setEditing(message.id)}>Edit</button>
                <button onClick={() => void remove(message).catch(report)}>Delete</button>
              </>
            )}
            <button onClick={() => void fork(message).catch(report)}>Fork</button>
          </li>
        ))}
        {waiting.map(({ key, content }) => (
          <li key={key} className="user sending"><p>{content}</p></li>
        ))}
      </ol>
      <Line label="Message" initial="" onSubmit={(text) => void send(text)} />
    </section>
  );
}

function Streamed({ uuid }: { uuid: string }) {
  return useLiveText(useApolloClient(), uuid);
}

function Line({ label, initial, onSubmit }: { label: string; initial: string; onSubmit: (text: string) => void }) {
  const [text, setText] = useState(initial);
  function submit(event: FormEvent): void {
    event.preventDefault();
    if (!text.trim()) return;
    onSubmit(text);
    setText("");
  }
  return (
    <form onSubmit={submit}>
      <input aria-label={label} value={text} onChange={({ target }) => setText(target.value)} />
      <button>Send</button>
    </form>
  );
}

/** A message or session that another page of the user deleted first is no error. */
export function report(error: unknown): void {
  if (!hasCode(error, "NOT_FOUND")) console.error(String(error));
}
