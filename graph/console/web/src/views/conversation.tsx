import { type InfiniteData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState } from 'react';
import { Virtuoso, type VirtuosoHandle } from 'react-virtuoso';
import { execute, follow } from '../api';
import { countOf } from '../format';
import { graphql } from '../gql';
import type { MessagesQuery } from '../gql/graphql';
import { hrefOf } from '../route';
import { Failure, Loading } from '../status';
import { type MessageActions, type MessageFields, MessageView } from './message';
import { SummaryRail } from './summary';

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

const SESSION = graphql(`
  query Session($sessionId: ID!) {
    session(sessionId: $sessionId) {
      sessionId
      title
      messageCount
      tokenCount
      metadata
      user {
        userId
      }
      forkedFrom {
        sessionId
        seq
      }
      summaries(last: 100) {
        edges {
          node {
            uuid
            content
            firstSeq
            lastSeq
            tokenCount
            stale
            source
          }
        }
      }
      entities(first: 12) {
        edges {
          node {
            id
            name
            label
            mentionCount
          }
        }
      }
    }
  }
`);

const MESSAGES = graphql(`
  query Messages($sessionId: ID!, $last: Int!, $before: String) {
    session(sessionId: $sessionId) {
      messages(last: $last, before: $before) {
        edges {
          node {
            ...MessageFields
          }
        }
        pageInfo {
          hasPreviousPage
          startCursor
        }
      }
    }
  }
`);

const MESSAGE_ADDED = graphql(`
  subscription MessageAdded($sessionId: ID!, $afterSeq: Int!) {
    messageAdded(sessionId: $sessionId, afterSeq: $afterSeq) {
      ...MessageFields
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

const UPDATE = graphql(`
  mutation UpdateMessage($input: UpdateMessageInput!) {
    updateMessage(input: $input) {
      message {
        ...MessageFields
      }
    }
  }
`);

const DELETE = graphql(`
  mutation DeleteMessage($input: DeleteMessageInput!) {
    deleteMessage(input: $input) {
      deletedId
    }
  }
`);

const FORK = graphql(`
  mutation ForkSession($input: ForkSessionInput!) {
    forkSession(input: $input) {
      fork {
        newSessionId
      }
    }
  }
`);

const RETRY = graphql(`
  mutation RetryEnrichment($input: RetryEnrichmentInput!) {
    retryEnrichment(input: $input) {
      retried
    }
  }
`);

const PAGE = 40;
const MOST_SOUGHT = 1_000; // messages that are read to reach the one that the address names
const FIRST_INDEX = 1_000_000; // Virtuoso counts down from it as earlier messages are put before the list

type Pages = InfiniteData<MessagesQuery>;

/** The messages of all pages, oldest first; of two states of one message, the later. */
function messagesOf(data: Pages | undefined): MessageFields[] {
  const byUuid = new Map<string, MessageFields>();
  for (const page of data?.pages ?? []) {
    for (const { node } of page.session?.messages.edges ?? []) {
      const known = byUuid.get(node.uuid);
      if (!known || known.revision < node.revision) byUuid.set(node.uuid, node);
    }
  }
  return [...byUuid.values()].toSorted((a, b) => a.seq - b.seq);
}

type Change = (edges: { node: MessageFields }[]) => { node: MessageFields }[];

function changed(pages: Pages | undefined, change: Change, onlyNewest = false): Pages | undefined {
  if (!pages) return pages;
  const newest = pages.pages.length - 1;
  return {
    ...pages,
    pages: pages.pages.map((page, index) =>
      page.session && (!onlyNewest || index === newest)
        ? { session: { messages: { ...page.session.messages, edges: change(page.session.messages.edges) } } }
        : page,
    ),
  };
}

export function Conversation({ sessionId, seq }: { sessionId: string; seq: number | null }) {
  const client = useQueryClient();
  const key = useMemo(() => ['messages', sessionId], [sessionId]);
  const [failure, setFailure] = useState<Error | null>(null);
  const [shown, setShown] = useState<{ first: number; last: number } | null>(null);
  const list = useRef<VirtuosoHandle>(null);
  const session = useQuery({
    queryKey: ['session', sessionId],
    queryFn: ({ signal }) => execute(SESSION, { sessionId }, signal),
  });
  const messages = useInfiniteQuery({
    queryKey: key,
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) => execute(MESSAGES, { sessionId, last: PAGE, before: pageParam }, signal),
    getPreviousPageParam: ({ session: found }) =>
      found?.messages.pageInfo.hasPreviousPage ? found.messages.pageInfo.startCursor : undefined,
    getNextPageParam: () => undefined,
  });
  const { isSuccess } = messages;

  useEffect(() => {
    if (!isSuccess) return undefined;
    const refresh = () => {
      void client.invalidateQueries({ queryKey: key });
      void client.invalidateQueries({ queryKey: ['session', sessionId] });
    };
    const put = (message: MessageFields) => {
      client.setQueryData<Pages>(key, (pages) =>
        changed(pages, (edges) => edges.map((edge) => (isOlder(edge.node, message) ? { node: message } : edge))),
      );
    };
    const stops = [
      follow(
        MESSAGE_ADDED,
        // What was added since the read comes first, also after a reconnection.
        { sessionId, afterSeq: messagesOf(client.getQueryData<Pages>(key)).at(-1)?.seq ?? 0 },
        ({ messageAdded }) => {
          client.setQueryData<Pages>(key, (pages) => changed(pages, (edges) => [...edges, { node: messageAdded }], true));
          void client.invalidateQueries({ queryKey: ['session', sessionId] });
        },
        refresh,
      ),
      follow(
        MESSAGE_UPDATED,
        { sessionId },
        ({ messageUpdated: { kind, uuid, message } }) => {
          if (message) put(message);
          else if (kind === 'DELETED') {
            client.setQueryData<Pages>(key, (pages) => changed(pages, (edges) => edges.filter((edge) => edge.node.uuid !== uuid)));
          } else refresh();
          void client.invalidateQueries({ queryKey: ['session', sessionId] });
        },
        refresh,
      ),
    ];
    return () => stops.forEach((stop) => stop());
  }, [client, isSuccess, key, sessionId]);

  const onError = (error: Error) => setFailure(error);
  const edit = useMutation({
    mutationFn: ({ uuid, content }: { uuid: string; content: string }) => execute(UPDATE, { input: { uuid, content } }),
    onError,
    onSuccess: () => client.invalidateQueries({ queryKey: key }),
  });
  const remove = useMutation({
    mutationFn: (uuid: string) => execute(DELETE, { input: { uuid } }),
    onError,
    onSuccess: () => client.invalidateQueries({ queryKey: key }),
  });
  const fork = useMutation({
    mutationFn: (throughSeq: number) =>
      execute(FORK, { input: { sessionId, throughSeq, newSessionId: `${sessionId}-fork-${crypto.randomUUID().slice(0, 8)}` } }),
    onError,
    onSuccess: ({ forkSession }) => location.assign(hrefOf('sessions', forkSession.fork.newSessionId)),
  });
  const retry = useMutation({
    mutationFn: (uuid: string) => execute(RETRY, { input: { uuid } }),
    onError,
    onSuccess: () => client.invalidateQueries({ queryKey: key }),
  });
  const actions: MessageActions = {
    onEdit: (message, content) => edit.mutateAsync({ uuid: message.uuid, content }),
    onDelete: (message) => {
      if (confirm(`Delete message ${message.seq}? It can't be restored.`)) remove.mutate(message.uuid);
    },
    onFork: (message) => fork.mutate(message.seq),
    onRetry: (message) => retry.mutate(message.uuid),
  };

  const rows = useMemo(() => messagesOf(messages.data), [messages.data]);
  const target = seq === null ? -1 : rows.findIndex((row) => row.seq === seq);
  useEffect(() => {
    if (target >= 0) list.current?.scrollToIndex(target);
    // Not again when messages are added or read: the reader may have scrolled on.
  }, [seq]);
  const { fetchPreviousPage, hasPreviousPage, isFetchingPreviousPage } = messages;
  const seeks = seq !== null && target < 0 && hasPreviousPage && (rows[0]?.seq ?? 0) > seq && rows.length < MOST_SOUGHT;
  useEffect(() => {
    if (seeks && !isFetchingPreviousPage) void fetchPreviousPage();
  }, [seeks, fetchPreviousPage, isFetchingPreviousPage]);

  const error = session.error ?? messages.error;
  if (error) {
    return (
      <main>
        <Failure error={error} />
      </main>
    );
  }
  if (session.isPending || messages.isPending || seeks) {
    return (
      <main>
        <Loading />
      </main>
    );
  }
  const found = session.data?.session;
  if (!found) {
    return (
      <main>
        <h1>{sessionId}</h1>
        <p>This session does not exist, or your credentials do not show it.</p>
      </main>
    );
  }
  return (
    <main className="fill conversation">
      <div className="heading">
        <div>
          <h1>{found.title || sessionId}</h1>
          <p className="facts">
            <code>{sessionId}</code>
            {found.user && <a href={hrefOf('users', found.user.userId)}>{found.user.userId}</a>}
            <span>{countOf(found.messageCount, 'message')}</span>
            <span>{countOf(found.tokenCount, 'token')}</span>
            {found.forkedFrom && (
              <a href={hrefOf('sessions', found.forkedFrom.sessionId, { seq: String(found.forkedFrom.seq) })}>
                forked from {found.forkedFrom.sessionId} at #{found.forkedFrom.seq}
              </a>
            )}
          </p>
        </div>
        <a className="button" href={hrefOf('recall', null, { session: sessionId })}>
          Search in it
        </a>
      </div>
      {failure && <Failure error={failure} />}
      {found.entities.edges.length > 0 && (
        <ul className="chips" aria-label="Entities of the session">
          {found.entities.edges.map(({ node }) => (
            <li key={node.id}>
              <a href={hrefOf('entities', node.id)} title={node.label}>
                {node.name} <small>{node.mentionCount}</small>
              </a>
            </li>
          ))}
        </ul>
      )}
      {rows.length === 0 ? (
        <p className="quiet">The session has no messages.</p>
      ) : (
        <div className="columns">
          {found.summaries.edges.length > 0 && <SummaryRail edges={found.summaries.edges} shown={shown} />}
          <Virtuoso
            ref={list}
            className="list messages"
            data={rows}
            firstItemIndex={FIRST_INDEX - rows.length}
            rangeChanged={({ startIndex, endIndex }) => {
              const first = rows[startIndex - FIRST_INDEX + rows.length];
              const last = rows[endIndex - FIRST_INDEX + rows.length];
              if (first && last) setShown({ first: first.seq, last: last.seq });
            }}
            initialTopMostItemIndex={target < 0 ? rows.length - 1 : target}
            followOutput="auto"
            computeItemKey={(_, row) => row.uuid}
            startReached={() => hasPreviousPage && !isFetchingPreviousPage && fetchPreviousPage()}
            itemContent={(_, row) => <MessageView message={row} actions={actions} isTarget={row.seq === seq} />}
          />
        </div>
      )}
    </main>
  );
}

function isOlder(known: MessageFields, message: MessageFields): boolean {
  return known.uuid === message.uuid && known.revision <= message.revision;
}
