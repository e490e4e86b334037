import { useEffect, useRef, useState } from 'react';
import type { ListRange } from 'react-virtuoso';

const MIDDLE = 100_000_000; // far from 0, below which Virtuoso takes no index

/**
 * The indexes of some rows in a list that grows and shrinks at both ends: a row keeps its index.
 *
 * Virtuoso keeps the scroll position by these indexes, except where rows leave the start of its list. So the list keeps a
 * place for each row that left, from the index `lowest` on.
 *
 * @param keys the rows that are there.
 * @param isPinned whether the first row keeps its index, so that a row that comes before the others is shown.
 * @param isWhole whether no row comes before the first one.
 * @param list names the list; the places of another one are forgotten.
 * @returns the index of the first row, and that of the first place.
 */
export function useIndexes(
  keys: readonly string[],
  { isPinned, isWhole, list }: { isPinned: boolean; isWhole: boolean; list: unknown },
): { first: number; lowest: number } {
  const known = useRef({ keys, first: MIDDLE, lowest: MIDDLE, list });
  if (known.current.keys !== keys) {
    const { keys: before, first: was, lowest, list: listed } = known.current;
    const first = isPinned ? was : was + shiftOf(before, keys);
    known.current = { keys, first, lowest: isWhole || listed !== list ? first : Math.min(lowest, first), list };
  }
  return known.current;
}

/** By how many places most rows are nearer to the start than before. */
function shiftOf(before: readonly string[], after: readonly string[]): number {
  const places = new Map(before.map((key, place) => [key, place]));
  const counts = new Map<number, number>();
  after.forEach((key, place) => {
    const old = places.get(key);
    if (old !== undefined) counts.set(old - place, (counts.get(old - place) ?? 0) + 1);
  });
  let [shift, most] = [0, 0];
  for (const [each, count] of counts) if (count > most) [shift, most] = [each, count];
  return shift;
}

const NEAR = 10; // rows from an end at which the page beyond it is read

const SETTLING = 50; // milliseconds until Virtuoso has the range of rows whose indexes changed

interface Pages {
  hasNextPage: boolean;
  hasPreviousPage: boolean;
  isFetching: boolean;
  isError: boolean;
  fetchNextPage: () => Promise<unknown>;
  fetchPreviousPage: () => Promise<unknown>;
}

/**
 * Reads the page beyond an end of the list while the rows at that end are near, one page at a time.
 *
 * At the very end it would be late: browsers leave a turning wheel with what it scrolled first. Virtuoso's own events of
 * its ends do not come again where a page can't be read at once.
 *
 * @param first the index of the first row.
 * @param count the number of rows.
 * @returns what takes the range of the shown rows.
 */
export function usePagesAtEnds(first: number, count: number, pages: Pages): (shown: ListRange) => void {
  const [shown, setShown] = useState<ListRange | null>(null);
  const { hasNextPage, hasPreviousPage, isFetching, isError, fetchNextPage, fetchPreviousPage } = pages;
  const isAtEnd = shown !== null && shown.endIndex >= first + count - 1 - NEAR;
  const isAtStart = shown !== null && shown.startIndex <= first + NEAR;
  useEffect(() => {
    if (count === 0) setShown(null); // another list comes
  }, [count]);
  useEffect(() => {
    if (isFetching || isError || count === 0) return undefined;
    const timer = setTimeout(() => {
      if (isAtEnd && hasNextPage) void fetchNextPage();
      else if (isAtStart && hasPreviousPage) void fetchPreviousPage();
    }, SETTLING);
    return () => clearTimeout(timer);
  }, [isAtEnd, isAtStart, count, hasNextPage, hasPreviousPage, isFetching, isError, fetchNextPage, fetchPreviousPage]);
  return setShown;
}
