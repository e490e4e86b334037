// What the subscriptions, whose events come in order, add to the lists of the cache and take away. No other code of the
// page changes these lists, so an answer that comes late brings back nothing that was deleted.

import type { ApolloClient } from "@apollo/client";
import { useEffect, useState } from "react";
import { Subscription } from "rxjs";

import { follow } from "./apollo";
import { HISTORY, MESSAGE_ADDED, MESSAGE_STREAM, MESSAGE_UPDATED, PLACE, SESSIONS, SESSION_UPDATED } from "./operations";
import type { Edge } from "./operations";

/** Reads the list of sessions into the cache, and keeps it fresh. */
export function useLiveSessions(client: ApolloClient): void {
  useEffect(
    () =>
      running(async (following) => {
        const { data } = await client.query({ query: SESSIONS, fetchPolicy: "network-only" });
        let place = new Date(0).toISOString();
        for (const { node } of data?.sessions.edges ?? []) if (node.updatedAt > place) place = node.updatedAt;
        following.add(
          follow(
            client,
            SESSION_UPDATED,
            () => ({ sinceRevision: place }),
            ({ sessionUpdated: { revision, session, sessionId } }) => {
              client.cache.updateQuery({ query: SESSIONS }, (list) => {
                if (!list) return list;
                const others = list.sessions.edges.filter(({ node }) => node.sessionId !== sessionId);
                const edges = session ? [...others, { __typename: "SessionEdge" as const, node: session }] : others;
                return { ...list, sessions: { ...list.sessions, edges } };
              });
              place = revision;
            },
          ),
        );
      }),
    [client],
  );
}

/** Reads the newest messages of a session into the cache, and keeps the messages there fresh. */
export function useLiveMessages(client: ApolloClient, sessionId: string): { isRead: boolean; reached: number; gone: ReadonlySet<number> } {
  const [isRead, setRead] = useState(false);
  const [reached, setReached] = useState(0);
  const [gone] = useState(() => new Set<number>());
  useEffect(
    () =>
      running(async (following) => {
        const place = await client.query({ query: PLACE, variables: { sessionId }, fetchPolicy: "no-cache" });
        const { data } = await client.query({ query: HISTORY, variables: { sessionId }, fetchPolicy: "network-only" });
        let seq = data?.session?.messages.edges.at(-1)?.node.seq ?? 0;
        let revision = place.data?.session?.since ?? 0;
        if (following.closed) return;
        setRead(true);
        setReached(seq);
        following.add(
          follow(
            client,
            MESSAGE_ADDED,
            () => ({ sessionId, afterSeq: seq }),
            ({ messageEdgeAdded: edge }) => {
              change(client, sessionId, (edges) => [...edges.filter(({ node }) => node.id !== edge.node.id), edge]);
              seq = edge.node.seq;
              setReached(seq);
            },
          ),
        );
        following.add(
          follow(
            client,
            MESSAGE_UPDATED,
            () => ({ sessionId, sinceRevision: revision }),
            ({ messageUpdated: update }) => {
              if (update.kind === "DELETED") {
                gone.add(update.seq); // a page of older messages may be on its way with it
                change(client, sessionId, (edges) => edges.filter(({ node }) => node.seq !== update.seq));
              }
              revision = Math.max(revision, update.revision);
            },
          ),
        );
      }),
    [client, sessionId],
  );
  return { isRead, reached, gone };
}

/** The text of a message that is being written; at the end, the cache has the message. */
export function useLiveText(client: ApolloClient, uuid: string): string {
  const [text, setText] = useState("");
  useEffect(() => {
    let afterIndex: number | null = null;
    const following = follow(
      client,
      MESSAGE_STREAM,
      () => ({ uuid, afterIndex }),
      ({ messageStream: piece }) => {
        if (piece.index === null || piece.index === undefined) return;
        afterIndex = piece.index;
        setText((before) => before + piece.text);
      },
    );
    return () => following.unsubscribe();
  }, [client, uuid]);
  return text;
}

/** Runs an effect whose subscriptions end with it. */
function running(start: (following: Subscription) => Promise<void>): () => void {
  const following = new Subscription();
  start(following).catch((error: unknown) => console.error(String(error)));
  return () => following.unsubscribe();
}

function change(client: ApolloClient, sessionId: string, how: (edges: Edge[]) => Edge[]): void {
  client.cache.updateQuery({ query: HISTORY, variables: { sessionId } }, (found) => {
    if (!found?.session) return found;
    const { messages } = found.session;
    const edges = how(messages.edges);
    // relayStylePagination gives the last edge the cursor of the page.
    const pageInfo = { ...messages.pageInfo, endCursor: edges.at(-1)?.cursor ?? null };
    return { ...found, session: { ...found.session, messages: { ...messages, edges, pageInfo } } };
  });
}
