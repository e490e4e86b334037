import { type InfiniteData, type QueryClient, useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useRef } from 'react';
import { execute, follow } from '../api';
import { graphql } from '../gql';
import type { MessagesQuery } from '../gql/graphql';
import { nextOf, previousOf, type Window } from '../paging';
import type { MessageFields } from './message';

graphql(`
  fragment MessageFields on Message {
    uuid
    seq
    revision
    createdAt
    role
    name
    content
    parts
    metadata
    toolCallId
    tokenCount
    status
    enrichment {
      state
      reason
    }
    entities(first: 20) {
      id
      name
      label
      mentionCount
      matches(first: 5) {
        start(unit: UTF16)
        end(unit: UTF16)
      }
    }
  }
`);

const MESSAGES = graphql(`
  query Messages($sessionId: ID!, $first: Int, $after: String, $afterSeq: Int, $last: Int, $before: String) {
    session(sessionId: $sessionId) {
      messages(first: $first, after: $after, afterSeq: $afterSeq, last: $last, before: $before) {
        edges {
          cursor
          node {
            ...MessageFields
          }
        }
        pageInfo {
          hasNextPage
          hasPreviousPage
          startCursor
          endCursor
        }
      }
    }
  }
`);

const MESSAGE_ADDED = graphql(`
  subscription MessageEdgeAdded($sessionId: ID!, $afterSeq: Int!) {
    messageEdgeAdded(sessionId: $sessionId, afterSeq: $afterSeq) {
      cursor
      node {
        ...MessageFields
      }
    }
  }
`);

const MESSAGE_UPDATED = graphql(`
  subscription MessageUpdated($sessionId: ID!) {
    messageUpdated(sessionId: $sessionId) {
      kind
      uuid
      message {
        ...MessageFields
      }
    }
  }
`);

const PAGE = 40;
const BEFORE = 20; // messages that are read before the one that a link names
const MOST_PAGES = 6; // kept at a time: the page needs the same memory wherever the messages are scrolled to
const GATHERING = 100; // milliseconds in which new messages are added to the list at once, which follows each time
const SETTLING = 1_000; // milliseconds in which changes are answered by one read of the session

/** What the first page of messages has: the message with a `seq`, or the newest one. */
export interface Anchor {
  seq: number | null;
  /** Counts up when the messages are read anew. */
  turn: number;
}

type Pages = InfiniteData<MessagesQuery, Window>;
type Page = NonNullable<MessagesQuery['session']>['messages'];
type Edge = Page['edges'][number];

function firstWindow({ seq }: Anchor): Window {
  return seq === null ? { last: PAGE } : { first: PAGE, afterSeq: Math.max(0, seq - BEFORE - 1) };
}

/** The messages of all pages, oldest first; of two states of one message, the later. */
function messagesOf(data: { pages: MessagesQuery[] } | undefined): MessageFields[] {
  const byUuid = new Map<string, MessageFields>();
  for (const page of data?.pages ?? []) {
    for (const { node } of page.session?.messages.edges ?? []) {
      const known = byUuid.get(node.uuid);
      if (!known || known.revision < node.revision) byUuid.set(node.uuid, node);
    }
  }
  return [...byUuid.values()].toSorted((a, b) => a.seq - b.seq);
}

function changed(known: Pages | undefined, change: (page: Page, isNewest: boolean) => Page): Pages | undefined {
  return (
    known && {
      ...known,
      pages: known.pages.map(({ session }, index) => ({
        session: session && { messages: change(session.messages, index === known.pages.length - 1) },
      })),
    }
  );
}

/** Puts a changed message in the place of its earlier state. */
function replaced(known: Pages | undefined, message: MessageFields): Pages | undefined {
  const isEarlier = ({ node }: Edge) => node.uuid === message.uuid && node.revision <= message.revision;
  return changed(known, (page) => ({
    ...page,
    edges: page.edges.map((edge) => (isEarlier(edge) ? { ...edge, node: message } : edge)),
  }));
}

function removed(known: Pages | undefined, uuid: string): Pages | undefined {
  return changed(known, (page) => ({ ...page, edges: page.edges.filter(({ node }) => node.uuid !== uuid) }));
}

/**
 * Puts a new message after the newest one.
 *
 * A reader of the newest messages gets each new one, and the earliest page leaves for them. To other readers, only as
 * many are added as a page has; the further ones are a next page.
 */
function appended(known: Pages | undefined, edge: Edge, readsNewest: boolean): Pages | undefined {
  const newest = known?.pages.at(-1)?.session?.messages;
  if (!known || !newest || edge.node.seq <= (messagesOf(known).at(-1)?.seq ?? 0)) return known;
  if (newest.edges.length < PAGE) {
    const { startCursor, ...info } = newest.pageInfo;
    const pageInfo = { ...info, startCursor: startCursor ?? edge.cursor, endCursor: edge.cursor };
    return changed(known, (page, isNewest) => (isNewest ? { edges: [...page.edges, edge], pageInfo } : page));
  }
  if (!readsNewest) {
    return changed(known, (page, isNewest) =>
      isNewest ? { ...page, pageInfo: { ...page.pageInfo, hasNextPage: true } } : page,
    );
  }
  const pageInfo = { hasPreviousPage: true, hasNextPage: false, startCursor: edge.cursor, endCursor: edge.cursor };
  return {
    pages: [...known.pages, { session: { messages: { edges: [edge], pageInfo } } }].slice(-MOST_PAGES),
    pageParams: [...known.pageParams, nextOf({ ...newest.pageInfo, hasNextPage: true }, PAGE) ?? {}].slice(-MOST_PAGES),
  };
}

/** Reads the session again, once for the changes of a second. */
function useSessionRefresh(client: QueryClient, sessionId: string): () => void {
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  return useMemo(
    () => () => {
      timer.current ??= setTimeout(() => {
        timer.current = undefined;
        void client.invalidateQueries({ queryKey: ['session', sessionId] });
      }, SETTLING);
    },
    [client, sessionId],
  );
}

/** The messages of a session around an anchor, as they change; the pages at both ends are read on demand. */
export function useMessages(sessionId: string, anchor: Anchor) {
  const client = useQueryClient();
  const { seq, turn } = anchor;
  const key = useMemo(() => ['messages', sessionId, seq, turn], [sessionId, seq, turn]);
  const refreshSession = useSessionRefresh(client, sessionId);
  const readsNewest = useRef(true);
  const query = useInfiniteQuery({
    queryKey: key,
    initialPageParam: firstWindow(anchor),
    queryFn: ({ pageParam, signal }) => execute(MESSAGES, { sessionId, ...pageParam }, signal),
    getNextPageParam: ({ session }) => nextOf(session?.messages.pageInfo, PAGE),
    getPreviousPageParam: ({ session }) => previousOf(session?.messages.pageInfo, PAGE),
    maxPages: MOST_PAGES,
    gcTime: 0, // they are read anew when the session is opened again
  });
  const { isSuccess, hasNextPage } = query;
  const put = (message: MessageFields) => client.setQueryData<Pages>(key, (known) => replaced(known, message));
  const drop = (uuid: string) => client.setQueryData<Pages>(key, (known) => removed(known, uuid));
  const refresh = () => {
    void client.invalidateQueries({ queryKey: key });
    refreshSession();
  };

  useEffect(() => {
    if (!isSuccess) return undefined;
    return follow(
      MESSAGE_UPDATED,
      { sessionId },
      ({ messageUpdated: { kind, uuid, message } }) => {
        if (message) put(message);
        else if (kind === 'DELETED' && uuid) drop(uuid);
        else refresh();
        refreshSession();
      },
      refresh,
    );
  }, [client, isSuccess, key, refreshSession, sessionId]);

  useEffect(() => {
    if (!isSuccess || hasNextPage) return undefined;
    let added: Edge[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    function append() {
      const edges = added;
      [added, timer] = [[], undefined];
      client.setQueryData<Pages>(key, (known) =>
        edges.reduce((pages: Pages | undefined, edge) => appended(pages, edge, readsNewest.current), known),
      );
      refreshSession();
    }
    const stop = follow(
      MESSAGE_ADDED,
      // What was added since the read comes first, also after a reconnection.
      { sessionId, afterSeq: messagesOf(client.getQueryData<Pages>(key)).at(-1)?.seq ?? 0 },
      ({ messageEdgeAdded }) => {
        added.push(messageEdgeAdded);
        timer ??= setTimeout(append, GATHERING);
      },
      () => undefined,
    );
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [client, hasNextPage, isSuccess, key, refreshSession, sessionId]);

  const rows = useMemo(() => messagesOf(query.data), [query.data]);
  return { query, rows, readsNewest, put, drop, refresh, refreshSession };
}
