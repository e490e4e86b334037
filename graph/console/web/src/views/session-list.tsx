import { type InfiniteData, useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useEffect, useMemo, useRef, useState } from 'react';
import { Virtuoso } from 'react-virtuoso';
import { execute, follow } from '../api';
import { countOf, formatAge, formatTime } from '../format';
import { graphql } from '../gql';
import type { SessionFilter, SessionRowFragment, SessionsQuery } from '../gql/graphql';
import { nextOf, previousOf, type Window } from '../paging';
import { hrefOf } from '../route';
import { useIndexes, usePagesAtEnds } from '../rows';
import { Failure, Loading } from '../status';

graphql(`
  fragment SessionRow on Session {
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
      excerpt
    }
    enrichment {
      pending
      failed
    }
  }
`);

const SESSIONS = graphql(`
  query Sessions($first: Int, $after: String, $last: Int, $before: String, $filter: SessionFilter) {
    sessions(
      first: $first
      after: $after
      last: $last
      before: $before
      filter: $filter
      orderBy: { field: UPDATED_AT, direction: DESC }
    ) {
      edges {
        node {
          ...SessionRow
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
`);

export const SESSION_UPDATED = graphql(`
  subscription SessionUpdated($userId: ID) {
    sessionUpdated(userId: $userId) {
      kind
      sessionId
    }
  }
`);

const PAGE = 50;
const MOST_PAGES = 6; // kept at a time: the page needs the same memory wherever the list is scrolled to
const NEWEST: Window = { first: PAGE };
const SETTLING = 300; // milliseconds in which events are answered by one read
const AT_TOP = 20; // pixels from the top within which the list shows what is new

export type Row = SessionRowFragment;
type Pages = InfiniteData<SessionsQuery, Window>;

function rowsOf(data: { pages: SessionsQuery[] } | undefined): Row[] {
  const rows = new Map<string, Row>();
  for (const page of data?.pages ?? []) {
    for (const { node } of page.sessions.edges) {
      // A session that changes between two reads moves to the newest page: its row on a later page is old.
      if (!rows.has(node.sessionId)) rows.set(node.sessionId, node);
    }
  }
  return [...rows.values()];
}

function without(known: Pages, sessionId: string): Pages {
  const pages = known.pages.map((page) => ({
    ...page,
    sessions: { ...page.sessions, edges: page.sessions.edges.filter((edge) => edge.node.sessionId !== sessionId) },
  }));
  return { ...known, pages };
}

/** The sessions that meet a filter, newest first, as they change; `empty` is shown where there is none. */
export function SessionList({ filter, empty }: { filter: SessionFilter; empty: ReactNode }) {
  const client = useQueryClient();
  const asked = JSON.stringify(filter);
  const key = useMemo(() => ['sessions', asked], [asked]);
  const [isBehind, setIsBehind] = useState(false);
  const sessions = useInfiniteQuery({
    queryKey: key,
    initialPageParam: NEWEST,
    queryFn: ({ pageParam, signal }) => execute(SESSIONS, { ...pageParam, filter }, signal),
    getNextPageParam: (page) => nextOf(page.sessions.pageInfo, PAGE),
    getPreviousPageParam: (page) => previousOf(page.sessions.pageInfo, PAGE),
    maxPages: MOST_PAGES,
    gcTime: 0, // the list begins at its newest session when it is opened again
  });
  const { data, error, hasPreviousPage, isPending } = sessions;
  const isAtTop = useRef(true);
  const showsNewest = useRef(true);
  showsNewest.current = isAtTop.current && !hasPreviousPage;
  const refresh = useRef<() => void>(() => undefined);

  useEffect(() => {
    const stored = JSON.parse(asked) as SessionFilter;
    let timer: ReturnType<typeof setTimeout> | undefined;
    async function readNewest() {
      const newest = await execute(SESSIONS, { ...NEWEST, filter: stored });
      if (!isAtTop.current) return setIsBehind(true);
      await client.cancelQueries({ queryKey: key });
      client.setQueryData<Pages>(key, { pages: [newest], pageParams: [NEWEST] });
      return setIsBehind(false);
    }
    refresh.current = () => {
      // Rows would move below the eyes of a reader who has scrolled on.
      if (!showsNewest.current) return setIsBehind(true);
      timer ??= setTimeout(() => {
        timer = undefined;
        readNewest().catch(() => client.invalidateQueries({ queryKey: key }));
      }, SETTLING);
    };
    const stop = follow(
      SESSION_UPDATED,
      { userId: stored.userId ?? null },
      ({ sessionUpdated }) => {
        if (sessionUpdated.kind === 'DELETED') {
          client.setQueryData<Pages>(key, (known) => (known ? without(known, sessionUpdated.sessionId) : known));
        }
        refresh.current();
      },
      () => refresh.current(),
    );
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [asked, client, key]);

  const rows = useMemo(() => rowsOf(data), [data]);
  const keys = useMemo(() => rows.map((row) => row.sessionId), [rows]);
  const { first, lowest } = useIndexes(keys, { isPinned: showsNewest.current, isWhole: !hasPreviousPage, list: key });
  const onRange = usePagesAtEnds(first, rows.length, sessions);
  if (error) return <Failure error={error} />;
  if (isPending) return <Loading />;
  if (rows.length === 0) return empty;
  return (
    <>
      {(isBehind || hasPreviousPage) && (
        <p className="row">
          <button
            type="button"
            onClick={() => {
              isAtTop.current = true;
              setIsBehind(false);
              void client.resetQueries({ queryKey: key });
            }}
          >
            Show the newest sessions
          </button>
          {isBehind && <span className="quiet">Sessions have changed since.</span>}
        </p>
      )}
      <Virtuoso
        className="list"
        firstItemIndex={lowest}
        totalCount={first - lowest + rows.length}
        computeItemKey={(index) => keys[index - first] ?? index}
        rangeChanged={onRange}
        atTopThreshold={AT_TOP}
        atTopStateChange={(isNow) => {
          isAtTop.current = isNow;
          showsNewest.current = isNow && !hasPreviousPage;
          if (showsNewest.current && isBehind) refresh.current();
        }}
        itemContent={(index) => {
          const row = rows[index - first];
          return row ? <SessionRow row={row} /> : <div className="session gap">…</div>;
        }}
      />
    </>
  );
}

export function SessionRow({ row }: { row: Row }) {
  const last = row.lastMessage;
  return (
    <a className="session" href={hrefOf('sessions', row.sessionId)}>
      <span className="title">{row.title || row.sessionId}</span>
      <time dateTime={row.updatedAt} title={formatTime(row.updatedAt)}>
        {formatAge(row.updatedAt)}
      </time>
      <span className="excerpt">{last ? `${last.name ?? last.role}: ${last.excerpt}` : 'No messages'}</span>
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
