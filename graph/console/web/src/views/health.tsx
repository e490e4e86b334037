import { useQuery } from '@tanstack/react-query';
import { execute } from '../api';
import { formatAge, formatNumber } from '../format';
import { graphql } from '../gql';
import { Failure, Loading } from '../status';

const HEALTH = graphql(`
  query Health {
    enrichment {
      pending
      done
      failed
      unembedded
      oldestPendingAt
    }
  }
`);

const EACH = 5_000; // milliseconds between two reads

export function Health() {
  const { data, error, isPending } = useQuery({
    queryKey: ['health'],
    queryFn: ({ signal }) => execute(HEALTH, {}, signal),
    refetchInterval: EACH,
  });
  return (
    <main>
      <h1>Health</h1>
      {error ? <Failure error={error} /> : isPending ? <Loading /> : <Figures enrichment={data.enrichment} />}
    </main>
  );
}

interface Props {
  enrichment: { pending: number; done: number; failed: number; unembedded: number; oldestPendingAt?: string | null };
}

function Figures({ enrichment: { pending, done, failed, unembedded, oldestPendingAt } }: Props) {
  const all = pending + done + failed;
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
            {oldestPendingAt && <small> oldest {formatAge(oldestPendingAt)}</small>}
          </dd>
        </div>
        <div>
          <dt>Failed</dt>
          <dd>{formatNumber(failed)}</dd>
        </div>
        <div>
          <dt>Without a vector</dt>
          <dd>{formatNumber(unembedded)}</dd>
        </div>
      </dl>
    </section>
  );
}
