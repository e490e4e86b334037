import { type InfiniteData, useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo } from 'react';
import { Virtuoso } from 'react-virtuoso';
import { execute, follow } from '../api';
import { countOf, formatAge, formatTime } from '../format';
import { graphql } from '../gql';
import type { SessionsQuery } from '../gql/graphql';
import { hrefOf, replaceParameters } from '../route';
import { Failure, Loading } from '../status';

const SESSIONS = graphql(`
  query Sessions($first: Int!, $after: String, $filter: SessionFilter) {
    sessions(first: $first, after: $after, filter: $filter, orderBy: { field: UPDATED_AT, direction: DESC }) {
      edges {
        node {
          sessionId
          title
          updatedAt
          messageCount
          unreadCount
          archived
          user {
            userId
          }
          lastMessage {
            role
            name
            content
          }
          enrichment {
            pending
            failed
          }
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

const SESSION_UPDATED = graphql(`
  subscription SessionUpdated($userId: ID) {
    sessionUpdated(userId: $userId) {
      kind
      sessionId
    }
  }
`);

const PAGE = 50;
const SETTLING = 300; // milliseconds in which events are answered by one read
type Row = SessionsQuery['sessions']['edges'][number]['node'];

function rowsOf(data: InfiniteData<SessionsQuery> | undefined): Row[] {
  const rows = (data?.pages ?? []).flatMap((page) => page.sessions.edges.map((edge) => edge.node));
  // A session that changes between two pages moves to the first one, and would be listed twice.
  return [...new Map(rows.map((row) => [row.sessionId, row])).values()];
}

export function Sessions({ userId }: { userId: string }) {
  const client = useQueryClient();
  const key = useMemo(() => ['sessions', userId], [userId]);
  const { data, error, fetchNextPage, hasNextPage, isFetchingNextPage, isPending } = useInfiniteQuery({
    queryKey: key,
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) =>
      execute(SESSIONS, { first: PAGE, after: pageParam, filter: userId ? { userId } : null }, signal),
    getNextPageParam: ({ sessions: { pageInfo } }) => (pageInfo.hasNextPage ? pageInfo.endCursor : undefined),
  });

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    async function readFirstPage() {
      const first = await execute(SESSIONS, { first: PAGE, after: null, filter: userId ? { userId } : null });
      client.setQueryData<InfiniteData<SessionsQuery>>(key, (known) =>
        known ? { ...known, pages: [first, ...known.pages.slice(1)] } : known,
      );
    }
    function refresh() {
      timer ??= setTimeout(() => {
        timer = undefined;
        readFirstPage().catch(() => client.invalidateQueries({ queryKey: key }));
      }, SETTLING);
    }
    const stop = follow(
      SESSION_UPDATED,
      { userId: userId || null },
      ({ sessionUpdated }) => {
        if (sessionUpdated.kind === 'DELETED') {
          client.setQueryData<InfiniteData<SessionsQuery>>(key, (known) =>
            known ? without(known, sessionUpdated.sessionId) : known,
          );
        }
        refresh();
      },
      refresh,
    );
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [client, key, userId]);

  const rows = useMemo(() => rowsOf(data), [data]);
  return (
    <main className="fill">
      <div className="heading">
        <h1>Sessions</h1>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            replaceParameters({ user: String(new FormData(event.currentTarget).get('user')).trim() });
          }}
        >
          <label>
            User <input key={userId} name="user" type="search" defaultValue={userId} placeholder="all users" />
          </label>
        </form>
      </div>
      {error ? (
        <Failure error={error} />
      ) : isPending ? (
        <Loading />
      ) : rows.length === 0 ? (
        <Empty userId={userId} />
      ) : (
        <Virtuoso
          className="list"
          data={rows}
          computeItemKey={(_, row) => row.sessionId}
          endReached={() => hasNextPage && !isFetchingNextPage && fetchNextPage()}
          itemContent={(_, row) => <SessionRow row={row} />}
        />
      )}
    </main>
  );
}

function without(known: InfiniteData<SessionsQuery>, sessionId: string): InfiniteData<SessionsQuery> {
  const pages = known.pages.map((page) => ({
    ...page,
    sessions: { ...page.sessions, edges: page.sessions.edges.filter((edge) => edge.node.sessionId !== sessionId) },
  }));
  return { ...known, pages };
}

function SessionRow({ row }: { row: Row }) {
  const last = row.lastMessage;
  return (
    <a className="session" href={hrefOf('sessions', row.sessionId)}>
      <span className="title">{row.title || row.sessionId}</span>
      <time dateTime={row.updatedAt} title={formatTime(row.updatedAt)}>
        {formatAge(row.updatedAt)}
      </time>
      <span className="excerpt">{last ? `${last.name ?? last.role}: ${last.content}` : 'No messages'}</span>
      <span className="facts">
        {row.user && <span>{row.user.userId}</span>}
        <span>{countOf(row.messageCount, 'message')}</span>
        {row.unreadCount > 0 && <span className="badge">{row.unreadCount} unread</span>}
        {row.enrichment.pending > 0 && <span className="badge">{row.enrichment.pending} pending</span>}
        {row.enrichment.failed > 0 && <span className="badge bad">{row.enrichment.failed} failed</span>}
        {row.archived && <span className="badge">archived</span>}
      </span>
    </a>
  );
}

const EXAMPLE = `mutation {
  addMemory(input: {
    sessionId: "hello"
    messages: [{ role: "user", content: "Octavia Butler was born in Pasadena." }]
  }) { session { messageCount } }
}`;

function Empty({ userId }: { userId: string }) {
  if (userId) return <p className="quiet">The user {userId} has no sessions.</p>;
  return (
    <div className="empty">
      <p>No messages are stored yet. Send this to the API, or run it in the explorer, and the session appears here:</p>
      <pre>{EXAMPLE}</pre>
      <p>
        <a href="graphql">Open the explorer</a>
      </p>
    </div>
  );
}
