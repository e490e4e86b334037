import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState } from 'react';
import { Virtuoso, type VirtuosoHandle } from 'react-virtuoso';
import { execute, follow } from '../api';
import { countOf } from '../format';
import { graphql } from '../gql';
import { RETRY } from '../retry';
import { hrefOf, replaceParameters } from '../route';
import { useIndexes, usePagesAtEnds } from '../rows';
import { Failure, Loading } from '../status';
import { ShownSession } from './entity-card';
import { type MessageActions, type MessageFields, MessageView } from './message';
import { type Anchor, useMessages } from './messages';
import { SESSION_UPDATED } from './session-list';
import { SummaryRail } from './summary';

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
      summaries(last: 1) {
        edges {
          cursor
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

const STARTING = 1_000; // milliseconds until the events of a subscription come, from its start
const AT_BOTTOM = 120; // pixels from the bottom within which the list follows new messages
const LEAVING = 500; // milliseconds until a list that is no longer at its bottom does not follow a new message

/** The place of the message with a `seq` among some, or of the next one; the last place where none follows. */
function placeOf(rows: MessageFields[], seq: number | null): number {
  const place = seq === null ? -1 : rows.findIndex((row) => row.seq >= seq);
  return place < 0 ? rows.length - 1 : place;
}

export function Conversation({ sessionId, seq }: { sessionId: string; seq: number | null }) {
  const client = useQueryClient();
  const [failure, setFailure] = useState<Error | null>(null);
  const [shown, setShown] = useState<{ first: number; last: number } | null>(null);
  const [anchor, setAnchor] = useState<Anchor>({ seq, turn: 0 });
  const list = useRef<VirtuosoHandle>(null);
  const session = useQuery({
    queryKey: ['session', sessionId],
    queryFn: ({ signal }) => execute(SESSION, { sessionId }, signal),
  });
  const messages = useMessages(sessionId, anchor);
  const { query, rows } = messages;
  const { hasNextPage, hasPreviousPage } = query;

  // A summary or a title comes without an event of a message.
  const { refreshSession } = messages;
  const userId = session.data?.session?.user?.userId ?? null;
  useEffect(() => {
    if (!session.isSuccess) return undefined;
    return follow(
      SESSION_UPDATED,
      { userId },
      ({ sessionUpdated }) => {
        if (sessionUpdated.sessionId === sessionId) refreshSession();
      },
      refreshSession,
      // What changed since the read has no event; the pages of the rail are not read yet.
      () => setTimeout(() => void client.invalidateQueries({ queryKey: ['session', sessionId], exact: true }), STARTING),
    );
  }, [client, session.isSuccess, sessionId, userId, refreshSession]);

  const onError = (error: Error) => setFailure(error);
  const edit = useMutation({
    mutationFn: ({ uuid, content }: { uuid: string; content: string }) => execute(UPDATE, { input: { uuid, content } }),
    onError,
    onSuccess: ({ updateMessage }) => messages.put(updateMessage.message),
  });
  const remove = useMutation({
    mutationFn: (uuid: string) => execute(DELETE, { input: { uuid } }),
    onError,
    onSuccess: (_, uuid) => messages.drop(uuid),
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
    onSuccess: messages.refresh,
  });
  const actions: MessageActions = {
    onEdit: (message, content) => edit.mutateAsync({ uuid: message.uuid, content }),
    onDelete: (message) => {
      if (confirm(`Delete message ${message.seq}? It can't be restored.`)) remove.mutate(message.uuid);
    },
    onFork: (message) => fork.mutate(message.seq),
    onRetry: (message) => retry.mutate(message.uuid),
    onEnd: messages.put,
  };

  const [follows, setFollows] = useState(seq === null);
  useEffect(() => {
    if (hasNextPage) {
      setFollows(false);
      return undefined;
    }
    // Not at once: the last page would be skipped, which is read and not new.
    const timer = setTimeout(() => setFollows(true), LEAVING);
    return () => clearTimeout(timer);
  }, [hasNextPage]);
  const leaving = useRef<ReturnType<typeof setTimeout>>(undefined);
  function onBottom(isNow: boolean) {
    clearTimeout(leaving.current);
    if (isNow) messages.readsNewest.current = true;
    else {
      leaving.current = setTimeout(() => {
        messages.readsNewest.current = false;
      }, LEAVING);
    }
  }

  const keys = useMemo(() => rows.map((row) => row.uuid), [rows]);
  const { first, lowest } = useIndexes(keys, { isPinned: false, isWhole: !hasPreviousPage, list: anchor.turn });
  const readPages = usePagesAtEnds(first, rows.length, query);
  useEffect(() => {
    if (seq === null || rows.length === 0) return;
    const target = rows.findIndex((row) => row.seq === seq);
    if (target >= 0) list.current?.scrollToIndex(first - lowest + target);
    else if (anchor.seq !== seq) setAnchor({ seq, turn: anchor.turn + 1 });
    // Not again when messages are added or read: the reader may have scrolled on.
  }, [seq]);

  const error = session.error ?? query.error;
  if (error) {
    return (
      <main>
        <Failure error={error} />
      </main>
    );
  }
  if (session.isPending) {
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
      {!query.isPending && (
        <Notes
          rows={rows}
          seq={seq}
          isStart={!hasPreviousPage}
          isEnd={!hasNextPage}
          onNewest={() => {
            replaceParameters({ seq: '' });
            setAnchor({ seq: null, turn: anchor.turn + 1 });
          }}
        />
      )}
      {rows.length === 0 && !query.isPending ? (
        <p className="quiet">The session has no messages.</p>
      ) : (
        <div className="columns">
          {found.summaries.edges.length > 0 && <SummaryRail sessionId={sessionId} shown={shown} />}
          {query.isPending ? (
            <Loading />
          ) : (
            <Virtuoso
              key={anchor.turn}
              ref={list}
              className="list messages"
              firstItemIndex={lowest}
              totalCount={first - lowest + rows.length}
              rangeChanged={(range) => {
                readPages(range);
                const [top, bottom] = [rows[range.startIndex - first], rows[range.endIndex - first]];
                if (top && bottom) setShown({ first: top.seq, last: bottom.seq });
              }}
              initialTopMostItemIndex={first - lowest + placeOf(rows, anchor.seq)}
              atBottomThreshold={AT_BOTTOM}
              followOutput={follows && 'auto'}
              atBottomStateChange={onBottom}
              computeItemKey={(index) => keys[index - first] ?? index}
              itemContent={(index) => {
                const row = rows[index - first];
                if (!row) return <div className="message gap">…</div>;
                return (
                  <ShownSession value={sessionId}>
                    <MessageView message={row} actions={actions} isTarget={row.seq === seq} />
                  </ShownSession>
                );
              }}
            />
          )}
        </div>
      )}
    </main>
  );
}

interface NotesProps {
  rows: MessageFields[];
  seq: number | null;
  isStart: boolean;
  isEnd: boolean;
  onNewest: () => void;
}

/** Whether the linked message is not among the read ones, which have its place; and the way to the newest messages. */
function Notes({ rows, seq, isStart, isEnd, onNewest }: NotesProps) {
  const [first, last] = [rows[0]?.seq ?? 0, rows.at(-1)?.seq ?? 0];
  const isRead = seq !== null && (isStart || first < seq) && (isEnd || last > seq);
  const isMissing = isRead && !rows.some((row) => row.seq === seq);
  if (isEnd && !isMissing) return null;
  return (
    <p className="row">
      {!isEnd && (
        <button type="button" onClick={onNewest}>
          Show the newest messages
        </button>
      )}
      {isMissing && <span className="quiet">Message #{seq} is not in this conversation; these are its neighbours.</span>}
    </p>
  );
}
