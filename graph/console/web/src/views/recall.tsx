import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { type FormEvent, useMemo } from 'react';
import { execute } from '../api';
import { countOf, formatTime } from '../format';
import { graphql } from '../gql';
import type { ContextQuery, SearchMode, SearchQuery } from '../gql/graphql';
import { hrefOf, replaceParameters } from '../route';
import { Failure, Loading } from '../status';
import { Content } from './message';
import { Legend, type Share, Shares } from './shares';

const SEARCH = graphql(`
  query Search($query: String!, $userId: ID, $sessionId: ID, $mode: SearchMode!, $after: String) {
    search(query: $query, userId: $userId, sessionId: $sessionId, mode: $mode, first: 20, after: $after) {
      edges {
        score
        scoreParts {
          words
          session
          meaning
          neighbors
          speaker
          date
          answer
          length
          question
        }
        matches {
          start(unit: UTF16)
          end(unit: UTF16)
        }
        node {
          uuid
          seq
          role
          name
          createdAt
          content
          session {
            sessionId
            title
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

const CONTEXT = graphql(`
  query Context($query: String, $userId: ID, $sessionId: ID, $maxTokens: Int!) {
    context(query: $query, userId: $userId, sessionId: $sessionId, maxTokens: $maxTokens) {
      text
      tokenCount
      omittedMessages
      summary {
        tokenCount
      }
      messages {
        tokenCount
      }
      recalled {
        message {
          tokenCount
        }
      }
    }
  }
`);

const MODES: Record<SearchMode, string> = { HYBRID: 'Words and meaning', LEXICAL: 'Words', VECTOR: 'Meaning' };
const DEFAULT_BUDGET = 2_000;

/** Empty fields of a form are no conditions. */
function given(parameters: URLSearchParams, name: string): string | null {
  return parameters.get(name) || null;
}

export function Recall({ parameters }: { parameters: URLSearchParams }) {
  const query = parameters.get('query') ?? '';
  const sessionId = given(parameters, 'session');
  const userId = given(parameters, 'user');
  const mode = (parameters.get('mode') ?? 'HYBRID') as SearchMode;
  const maxTokens = Number(parameters.get('tokens')) || DEFAULT_BUDGET;
  const shows = parameters.get('show') === 'context' ? 'context' : 'search';

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget, (event.nativeEvent as SubmitEvent).submitter);
    replaceParameters(Object.fromEntries([...form].map(([name, value]) => [name, String(value).trim()])));
  }

  return (
    <main>
      <h1>Recall</h1>
      <form key={parameters.toString()} className="recall" onSubmit={submit}>
        <label className="wide">
          Query <input name="query" type="search" defaultValue={query} placeholder="What was said about …?" />
        </label>
        <label>
          User <input name="user" defaultValue={userId ?? ''} placeholder="all users" />
        </label>
        <label>
          Session <input name="session" defaultValue={sessionId ?? ''} placeholder="all sessions" />
        </label>
        <label>
          Signals{' '}
          <select name="mode" defaultValue={mode}>
            {Object.entries(MODES).map(([value, title]) => (
              <option key={value} value={value}>
                {title}
              </option>
            ))}
          </select>
        </label>
        <label>
          Tokens <input name="tokens" type="number" min={1} max={1_000_000} defaultValue={maxTokens} />
        </label>
        <div className="row">
          <button type="submit" name="show" value="search" className={shows === 'search' ? 'primary' : undefined}>
            Search
          </button>
          <button type="submit" name="show" value="context" className={shows === 'context' ? 'primary' : undefined}>
            Build a context
          </button>
        </div>
      </form>
      {shows === 'search' ? (
        query && <Results query={query} userId={userId} sessionId={sessionId} mode={mode} />
      ) : (
        <Prompt query={query || null} userId={userId} sessionId={sessionId} maxTokens={maxTokens} />
      )}
    </main>
  );
}

interface Searched {
  query: string;
  userId: string | null;
  sessionId: string | null;
  mode: SearchMode;
}

function Results(searched: Searched) {
  const { data, error, fetchNextPage, hasNextPage, isFetchingNextPage, isPending } = useInfiniteQuery({
    queryKey: ['search', searched],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) => execute(SEARCH, { ...searched, after: pageParam }, signal),
    getNextPageParam: ({ search: { pageInfo } }) => (pageInfo.hasNextPage ? pageInfo.endCursor : undefined),
  });
  const edges = useMemo(() => (data?.pages ?? []).flatMap((page) => page.search.edges), [data]);
  if (error) return <Failure error={error} />;
  if (isPending) return <Loading />;
  if (edges.length === 0) return <p className="quiet">Nothing was found.</p>;
  return (
    <>
      <ol className="results" aria-label="Results">
        {edges.map(({ node, score, scoreParts, matches }) => (
          <li key={node.uuid}>
            <div className="facts">
              <strong>{score.toFixed(2)}</strong>
              <a href={hrefOf('sessions', node.session.sessionId, { seq: String(node.seq) })}>
                {node.session.title || node.session.sessionId} #{node.seq}
              </a>
              <span>{node.name ?? node.role}</span>
              <time dateTime={node.createdAt}>{formatTime(node.createdAt)}</time>
            </div>
            <Why parts={scoreParts} label={`Score of message ${node.seq}: ${score.toFixed(2)}`} />
            <Content
              text={node.content}
              ranges={matches.map(({ start, end }) => ({ start, end, title: 'word of the query', kind: 'match' }))}
            />
          </li>
        ))}
      </ol>
      {hasNextPage && (
        <button type="button" disabled={isFetchingNextPage} onClick={() => fetchNextPage()}>
          Show more
        </button>
      )}
    </>
  );
}

interface Asked {
  query: string | null;
  userId: string | null;
  sessionId: string | null;
  maxTokens: number;
}

function Prompt(asked: Asked) {
  const { data, error, isPending } = useQuery({
    queryKey: ['context', asked],
    queryFn: ({ signal }) => execute(CONTEXT, asked, signal),
  });
  if (error) return <Failure error={error} />;
  if (isPending) return <Loading />;
  return (
    <section aria-label="Context">
      <Budget context={data.context} maxTokens={asked.maxTokens} />
      <pre className="prompt" tabIndex={0}>
        {data.context.text}
      </pre>
    </section>
  );
}

type ScoreParts = SearchQuery['search']['edges'][number]['scoreParts'];

const PARTS: [keyof ScoreParts, string][] = [
  ['words', 'words'],
  ['meaning', 'meaning'],
  ['neighbors', 'neighbors'],
  ['session', 'session'],
  ['speaker', 'speaker'],
  ['date', 'date'],
  ['answer', 'answer'],
  ['length', 'length'],
];

/** Why a message was found: the parts of its score, without those that are nothing. */
function Why({ parts, label }: { parts: ScoreParts; label: string }) {
  const shares = PARTS.map(([name, title]): Share => ({ name, title, value: parts[name] })).filter(({ value }) => value > 0);
  const format = (value: number) => value.toFixed(2);
  return (
    <>
      <Shares shares={shares} most={1} label={label} />
      <p className="facts why">
        <Legend shares={shares} format={format} />
        {parts.question < 0 && <span>a question {format(parts.question)}</span>}
      </p>
    </>
  );
}

function Budget({ context, maxTokens }: { context: ContextQuery['context']; maxTokens: number }) {
  const { summary, messages, recalled, tokenCount, omittedMessages } = context;
  const sum = (items: { tokenCount: number }[]) => items.reduce((total, item) => total + item.tokenCount, 0);
  const shares: Share[] = [
    { name: 'summary', title: 'summary', value: summary?.tokenCount ?? 0 },
    { name: 'recent', title: 'recent', value: sum(messages) },
    { name: 'recalled', title: 'recalled', value: sum(recalled.map(({ message }) => message)) },
  ];
  return (
    <>
      <Shares shares={shares} most={maxTokens} label={`${tokenCount} of ${maxTokens} tokens`} />
      <p className="facts">
        <strong>
          {tokenCount} of {countOf(maxTokens, 'token')}
        </strong>
        <Legend shares={shares} format={String} />
        <span>{countOf(omittedMessages, 'message')} left out</span>
      </p>
    </>
  );
}
