import { useMutation, useQuery } from '@tanstack/react-query';
import { execute } from '../api';
import { graphql } from '../gql';
import type { MessageFilter, SessionFilter } from '../gql/graphql';
import { hrefOf, replaceParameters } from '../route';
import { Failure, Loading } from '../status';
import { type Row, SessionList, SessionRow } from './session-list';

const SESSIONS_FOUND = graphql(`
  query SessionsFound($query: String!, $userId: ID, $filter: MessageFilter) {
    search(query: $query, userId: $userId, filter: $filter, first: 100) {
      edges {
        node {
          role
          name
          excerpt
          session {
            ...SessionRow
          }
        }
      }
    }
  }
`);

/** The start of a day in UTC, some days later. */
function dayAt(text: string, later = 0): string | null {
  const time = Date.parse(`${text}T00:00:00Z`);
  return Number.isNaN(time) ? null : new Date(time + later * 86_400_000).toISOString();
}

/** A condition on metadata, written as `path=value`; a value that is not JSON is a text. */
function conditionOf(text: string): { path: string; equals: unknown } | null {
  const at = text.indexOf('=');
  if (at < 1) return null;
  const value = text.slice(at + 1).trim();
  try {
    return { path: text.slice(0, at).trim(), equals: JSON.parse(value) };
  } catch {
    return { path: text.slice(0, at).trim(), equals: value };
  }
}

interface Chosen {
  userId: string | null;
  text: string;
  range: { since: string | null; until: string | null };
  metadata: { path: string; equals: unknown } | null;
}

function chosenBy(parameters: URLSearchParams): Chosen {
  return {
    userId: parameters.get('user') || null,
    text: parameters.get('text') ?? '',
    range: { since: dayAt(parameters.get('since') ?? ''), until: dayAt(parameters.get('until') ?? '', 1) },
    metadata: conditionOf(parameters.get('metadata') ?? ''),
  };
}

export function Sessions({ parameters }: { parameters: URLSearchParams }) {
  const { userId, text, range, metadata } = chosenBy(parameters);
  const hasRange = range.since !== null || range.until !== null;
  const listed: SessionFilter = { userId, updatedAt: hasRange ? range : null, metadata: metadata && [metadata] };
  return (
    <main className="fill">
      <div className="heading">
        <h1>Sessions</h1>
        <form
          key={parameters.toString()}
          className="filters"
          onSubmit={(event) => {
            event.preventDefault();
            const form = [...new FormData(event.currentTarget)];
            replaceParameters(Object.fromEntries(form.map(([name, value]) => [name, String(value).trim()])));
          }}
        >
          <label>
            Text <input name="text" type="search" defaultValue={text} placeholder="any" />
          </label>
          <label>
            User <input name="user" type="search" defaultValue={userId ?? ''} placeholder="all users" />
          </label>
          <label>
            From <input name="since" type="date" defaultValue={parameters.get('since') ?? ''} />
          </label>
          <label>
            To <input name="until" type="date" defaultValue={parameters.get('until') ?? ''} />
          </label>
          <label>
            Metadata{' '}
            <input name="metadata" type="search" defaultValue={parameters.get('metadata') ?? ''} placeholder="path=value" pattern=".+=.*" />
          </label>
          <button type="submit">Filter</button>
        </form>
      </div>
      {text ? (
        <div className="list scrolled">
          <Named filter={{ ...listed, named: text }} />
          <Found query={text} userId={userId} filter={{ ...range, metadata: metadata && [metadata] }} />
        </div>
      ) : (
        <SessionList
          key={JSON.stringify(listed)}
          filter={listed}
          empty={isAny(listed) ? <Empty /> : <p className="quiet">No session meets the filter.</p>}
        />
      )}
    </main>
  );
}

const SESSIONS_NAMED = graphql(`
  query SessionsNamed($filter: SessionFilter, $first: Int!) {
    sessions(filter: $filter, first: $first, orderBy: { field: UPDATED_AT, direction: DESC }) {
      edges {
        node {
          ...SessionRow
        }
      }
      pageInfo {
        hasNextPage
      }
    }
  }
`);

const MOST_NAMED = 20;

/** The sessions with a text at the beginning of their ids, or of words of their titles; the latest first. */
function Named({ filter }: { filter: SessionFilter }) {
  const { data, error, isPending } = useQuery({
    queryKey: ['sessions', 'named', filter],
    queryFn: ({ signal }) => execute(SESSIONS_NAMED, { filter, first: MOST_NAMED }, signal),
  });
  if (error) return <Failure error={error} />;
  if (isPending) return <Loading />;
  const { edges, pageInfo } = data.sessions;
  return (
    <section aria-labelledby="named">
      <h2 id="named">By title and id</h2>
      {edges.length === 0 && <p className="quiet">No id, and no word of a title that was set, begins with this text.</p>}
      {pageInfo.hasNextPage && <p className="quiet">The latest {MOST_NAMED}: more of the title or id finds others.</p>}
      {edges.map(({ node }) => (
        <SessionRow key={node.sessionId} row={node} />
      ))}
    </section>
  );
}

/** The sessions with the messages that a search finds, best first. */
function Found(searched: { query: string; userId: string | null; filter: MessageFilter }) {
  const { data, error, isPending } = useQuery({
    queryKey: ['sessions', 'found', searched],
    queryFn: ({ signal }) => execute(SESSIONS_FOUND, searched, signal),
  });
  if (error) return <Failure error={error} />;
  if (isPending) return <Loading />;
  const rows = new Map<string, Row>();
  for (const { node } of data.search.edges) {
    const { session, ...found } = node;
    if (!rows.has(session.sessionId)) rows.set(session.sessionId, { ...session, lastMessage: found });
  }
  return (
    <section aria-labelledby="found">
      <h2 id="found">By messages</h2>
      <p className="quiet">
        {rows.size === 0
          ? 'No message was found.'
          : 'The sessions of the 100 best messages for this text, best first. From and To are the times of these messages.'}
      </p>
      {[...rows.values()].map((row) => (
        <SessionRow key={row.sessionId} row={row} />
      ))}
    </section>
  );
}

function isAny(filter: SessionFilter): boolean {
  return Object.values(filter).every((condition) => condition === null);
}

const ADD_SAMPLE = graphql(`
  mutation AddSample($input: AddMemoryInput!) {
    addMemory(input: $input) {
      session {
        sessionId
      }
    }
  }
`);

const SAMPLE = {
  sessionId: 'sample',
  messages: [
    { role: 'user', content: 'Who was Octavia Butler?' },
    {
      role: 'assistant',
      content:
        'Octavia Estelle Butler (June 22, 1947 – February 24, 2006) was an American science fiction author from **Pasadena**.',
    },
    { role: 'user', content: 'Which of her books should I read first?' },
    {
      role: 'assistant',
      content: 'Start with *Kindred*, which she published in 1979, or with *Parable of the Sower*, set in California in 2024.',
    },
  ],
};

function Empty() {
  const add = useMutation({
    mutationFn: () => execute(ADD_SAMPLE, { input: SAMPLE }),
    onSuccess: ({ addMemory: { session } }) => location.assign(hrefOf('sessions', session.sessionId)),
  });
  return (
    <div className="empty">
      <p>No messages are stored yet. Add a sample conversation, and watch its entities appear in the messages:</p>
      <p>
        <button type="button" className="primary" disabled={add.isPending} onClick={() => add.mutate()}>
          Add the sample conversation
        </button>
      </p>
      {add.error && <Failure error={add.error} />}
      <p>
        Your own messages come with the mutation <code>addMemory</code>, which the <a href="graphql">explorer</a> runs, or from a
        file with <code>recallql import</code>.
      </p>
      <p>
        To see the console with much in it, store the 7,168 chats of the test set. A checkout of RecallQL&apos;s repository, installed
        with <code>pip install -e &apos;.[test]&apos;</code>, writes them to a file; an installed package alone has no test set:
      </p>
      <pre tabIndex={0} aria-label="Commands for the chats of the test set">
        {'python -m tests.support.chitchat > chitchat.ndjson\nrecallql import chitchat.ndjson'}
      </pre>
    </div>
  );
}
