/** The arguments of a connection that choose a page of it. */
export interface Window {
  first?: number;
  after?: string;
  afterSeq?: number;
  last?: number;
  before?: string;
}

interface PageInfo {
  hasNextPage: boolean;
  hasPreviousPage: boolean;
  startCursor?: string | null;
  endCursor?: string | null;
}

/** The page after another one; undefined after the last one. */
export function nextOf(info: PageInfo | undefined, size: number): Window | undefined {
  return info?.hasNextPage && info.endCursor ? { first: size, after: info.endCursor } : undefined;
}

/** The page before another one; undefined before the first one. */
export function previousOf(info: PageInfo | undefined, size: number): Window | undefined {
  return info?.hasPreviousPage && info.startCursor ? { last: size, before: info.startCursor } : undefined;
}
