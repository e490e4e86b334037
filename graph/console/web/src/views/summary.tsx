import { useInfiniteQuery } from '@tanstack/react-query';
import { type ComponentProps, useMemo, useState } from 'react';
import { Virtuoso } from 'react-virtuoso';
import { execute } from '../api';
import { countOf } from '../format';
import { graphql } from '../gql';
import type { SummariesQuery } from '../gql/graphql';
import { nextOf, previousOf, type Window } from '../paging';
import { replaceParameters } from '../route';
import { useIndexes, usePagesAtEnds } from '../rows';
import { Failure } from '../status';

const SUMMARIES = graphql(`
  query Summaries($sessionId: ID!, $first: Int, $after: String, $last: Int, $before: String) {
    session(sessionId: $sessionId) {
      summaries(first: $first, after: $after, last: $last, before: $before) {
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

const PAGE = 40;
const MOST_PAGES = 4; // kept at a time: a change of the session reads them again
const NEWEST: Window = { last: PAGE };

type Summary = NonNullable<SummariesQuery['session']>['summaries']['edges'][number]['node'];

// Virtuoso's elements have no meaning of their own.
const COMPONENTS = {
  List: (props: ComponentProps<'div'>) => <div {...props} role="list" />,
  Item: ({ item: _, ...props }: ComponentProps<'div'> & { item: unknown }) => <div {...props} role="listitem" />,
};

interface SummaryRailProps {
  sessionId: string;
  /** The `seq` of the first and of the last message that is shown. */
  shown: { first: number; last: number } | null;
}

/**
 * The summaries of a session, each with the messages that it covers; those of the shown messages are marked.
 *
 * They come oldest first, and the newest ones are shown first: the earlier ones are read as they are scrolled to.
 */
export function SummaryRail({ sessionId, shown }: SummaryRailProps) {
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const query = useInfiniteQuery({
    queryKey: ['session', sessionId, 'summaries'], // what changes the session changes them
    initialPageParam: NEWEST,
    queryFn: ({ pageParam, signal }) => execute(SUMMARIES, { sessionId, ...pageParam }, signal),
    getNextPageParam: ({ session }) => nextOf(session?.summaries.pageInfo, PAGE),
    getPreviousPageParam: ({ session }) => previousOf(session?.summaries.pageInfo, PAGE),
    maxPages: MOST_PAGES,
    gcTime: 0, // the rail begins at the newest summary when the session is opened again
  });
  const { data, error, hasPreviousPage } = query;
  const rows = useMemo(
    () => (data?.pages ?? []).flatMap(({ session }) => (session?.summaries.edges ?? []).map(({ node }) => node)),
    [data],
  );
  const keys = useMemo(() => rows.map((row) => row.uuid), [rows]);
  const { first, lowest } = useIndexes(keys, { isPinned: false, isWhole: !hasPreviousPage, list: sessionId });
  const onRange = usePagesAtEnds(first, rows.length, query);

  function toggle(uuid: string, isOpen: boolean) {
    setOpened((known) => {
      if (known.has(uuid) === isOpen) return known;
      const changed = new Set(known);
      if (isOpen) changed.add(uuid);
      else changed.delete(uuid);
      return changed;
    });
  }

  return (
    <aside className="rail" aria-label="Summaries">
      <h2>Summaries</h2>
      {error && <Failure error={error} />}
      {rows.length > 0 && (
        <Virtuoso
          className="summaries"
          components={COMPONENTS}
          firstItemIndex={lowest}
          totalCount={first - lowest + rows.length}
          initialTopMostItemIndex={first - lowest + rows.length - 1}
          followOutput="auto"
          rangeChanged={onRange}
          computeItemKey={(index) => keys[index - first] ?? index}
          itemContent={(index) => {
            const row = rows[index - first];
            if (!row) return <div className="covers">…</div>;
            return <Covers summary={row} shown={shown} isOpen={opened.has(row.uuid)} onToggle={toggle} />;
          }}
        />
      )}
    </aside>
  );
}

interface CoversProps {
  summary: Summary;
  shown: SummaryRailProps['shown'];
  isOpen: boolean;
  onToggle: (uuid: string, isOpen: boolean) => void;
}

function Covers({ summary, shown, isOpen, onToggle }: CoversProps) {
  const { uuid, firstSeq, lastSeq } = summary;
  return (
    <div className="covers" aria-current={shown !== null && firstSeq <= shown.last && lastSeq >= shown.first}>
      {/* The list removes what is not shown, and with it whether it was open. */}
      <details open={isOpen} onToggle={(event) => onToggle(uuid, event.currentTarget.open)}>
        <summary>
          #{firstSeq} to #{lastSeq}
          {summary.stale && <span className="badge">stale</span>}
        </summary>
        <p>{summary.content}</p>
        <p className="facts">
          <span>{countOf(summary.tokenCount, 'token')}</span>
          <span>{summary.source === 'LLM' ? 'by a language model' : 'picked sentences'}</span>
          <button type="button" onClick={() => replaceParameters({ seq: String(firstSeq) })}>
            Show its messages
          </button>
        </p>
      </details>
    </div>
  );
}
