import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { ApiError, execute } from '../api';
import { formatAge, formatDuration, formatNumber } from '../format';
import { graphql } from '../gql';
import type { HealthQuery } from '../gql/graphql';
import { RETRY } from '../retry';
import { hrefOf } from '../route';
import { Failure, Loading } from '../status';
import { Deployment } from './deployment';

const HEALTH = graphql(`
  query Health {
    enrichment {
      pending
      done
      failed
      unembedded
      oldestPendingAt
    }
    failedMessages(first: 50) {
      uuid
      seq
      enrichment {
        reason
      }
      session {
        sessionId
        title
      }
    }
  }
`);

const EACH = 5_000; // milliseconds between two reads
const REMEMBERED = 12; // reads, so that a rate is that of the last minute

export function Health() {
  const { data, dataUpdatedAt, error, isPending } = useQuery({
    queryKey: ['health'],
    queryFn: ({ signal }) => execute(HEALTH, {}, signal),
    refetchInterval: EACH,
  });
  const isForbidden = error instanceof ApiError && error.code === 'FORBIDDEN'; // to end users
  return (
    <main tabIndex={0}>
      {/* It scrolls, and a keyboard needs something in it to hold. */}
      <h1>Health</h1>
      {error ? (
        <Failure error={error} />
      ) : isPending ? (
        <Loading />
      ) : (
        <>
          <Figures enrichment={data.enrichment} at={dataUpdatedAt} />
          <Failed messages={data.failedMessages} />
        </>
      )}
      {!isForbidden && <Deployment />}
    </main>
  );
}

interface Reading {
  at: number;
  unfinished: number;
}

/** Messages a second that became fewer between the first and the last of some readings; null while unknown. */
function rateOf(readings: Reading[]): number | null {
  const [first, last] = [readings[0], readings.at(-1)];
  if (!first || !last || first.at === last.at) return null;
  return ((first.unfinished - last.unfinished) * 1_000) / (last.at - first.at);
}

function useRate(unfinished: number, at: number): number | null {
  const [readings, setReadings] = useState<Reading[]>([]);
  useEffect(() => setReadings((known) => [...known, { at, unfinished }].slice(-REMEMBERED)), [at, unfinished]);
  return rateOf(readings);
}

/** When a worker is through at its rate, in words. */
function estimate(unfinished: number, rate: number | null): string {
  if (unfinished === 0) return 'nothing waits';
  if (rate === null) return 'measuring…';
  if (rate <= 0) return 'not decreasing';
  return `about ${formatDuration(unfinished / rate)} left, ${rate.toFixed(1)} a second`;
}

function Figures({ enrichment, at }: { enrichment: HealthQuery['enrichment']; at: number }) {
  const { pending, done, failed, unembedded, oldestPendingAt } = enrichment;
  const all = pending + done + failed;
  const entities = useRate(pending, at);
  const vectors = useRate(unembedded, at);
  return (
    <section aria-label="Enrichment">
      <h2>Enrichment</h2>
      <progress value={all ? done + failed : 1} max={all || 1} aria-label="Messages with an end of their enrichment" />
      <dl className="figures">
        <div>
          <dt>Done</dt>
          <dd>{formatNumber(done)}</dd>
        </div>
        <div>
          <dt>Pending</dt>
          <dd>
            {formatNumber(pending)}
            <small>
              {estimate(pending, entities)}
              {oldestPendingAt && `, oldest ${formatAge(oldestPendingAt)}`}
            </small>
          </dd>
        </div>
        <div>
          <dt>Without a vector</dt>
          <dd>
            {formatNumber(unembedded)}
            <small>{estimate(unembedded, vectors)}</small>
          </dd>
        </div>
        <div>
          <dt>Failed</dt>
          <dd>{formatNumber(failed)}</dd>
        </div>
      </dl>
    </section>
  );
}

function Failed({ messages }: { messages: HealthQuery['failedMessages'] }) {
  const client = useQueryClient();
  const retry = useMutation({
    mutationFn: (uuid: string) => execute(RETRY, { input: { uuid } }),
    onSettled: () => client.invalidateQueries({ queryKey: ['health'] }),
  });
  if (messages.length === 0) return null;
  return (
    <section aria-label="Failures">
      <h2>Failures</h2>
      {retry.error && <Failure error={retry.error} />}
      <ul className="results">
        {messages.map(({ uuid, seq, session, enrichment }) => (
          <li key={uuid}>
            <p className="facts">
              <a href={hrefOf('sessions', session.sessionId, { seq: String(seq) })}>
                {session.title || session.sessionId} #{seq}
              </a>
              <button type="button" disabled={retry.isPending} onClick={() => retry.mutate(uuid)}>
                Retry
              </button>
            </p>
            <code>{enrichment.reason}</code>
          </li>
        ))}
      </ul>
    </section>
  );
}
