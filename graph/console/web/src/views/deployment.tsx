import { useQuery } from '@tanstack/react-query';
import { execute } from '../api';
import { countOf, formatAge, formatBytes, formatNumber, formatSeconds, formatTime } from '../format';
import { graphql } from '../gql';
import type { DeploymentQuery, FindingsQuery } from '../gql/graphql';
import { Failure, Loading } from '../status';

const DEPLOYMENT = graphql(`
  query Deployment {
    deployment {
      version
      pythonVersion
      mongodbVersion
      subscribers
      webProcesses
      slowestOperations {
        name
        kind
        count
        medianSeconds
        p99Seconds
        longestSeconds
        lastAt
      }
      storage {
        totalBytes
        diskBytes
        freeBytes
        collections {
          name
          documents
          dataBytes
          indexBytes
        }
      }
    }
  }
`);

// By itself: a refusal of the figures must not hide the findings.
const FINDINGS = graphql(`
  query Findings {
    deployment {
      findings {
        name
        grade
        text
        advice
      }
    }
  }
`);

const EACH = 10_000; // milliseconds between two reads

export function Deployment() {
  const { data, error } = useQuery({
    queryKey: ['deployment'],
    queryFn: ({ signal }) => execute(DEPLOYMENT, {}, signal),
    refetchInterval: EACH,
  });
  return (
    <>
      {error ? <Failure error={error} /> : data ? <Versions deployment={data.deployment} /> : <Loading />}
      {data && !error && <Slowest operations={data.deployment.slowestOperations} />}
      <Findings />
      {data && !error && <Storage storage={data.deployment.storage} />}
    </>
  );
}

function Versions({ deployment }: { deployment: DeploymentQuery['deployment'] }) {
  return (
    <section aria-label="Deployment">
      <h2>Deployment</h2>
      <dl className="figures">
        <div>
          <dt>Subscribers</dt>
          <dd>
            {formatNumber(deployment.subscribers)}
            <small>in {countOf(deployment.webProcesses, 'web process', 'web processes')}</small>
          </dd>
        </div>
        <div>
          <dt>RecallQL</dt>
          <dd>
            {deployment.version}
            <small>Python {deployment.pythonVersion}</small>
          </dd>
        </div>
        <div>
          <dt>MongoDB</dt>
          <dd>{deployment.mongodbVersion}</dd>
        </div>
      </dl>
    </section>
  );
}

/** The operations with the longest times, of all processes. */
function Slowest({ operations }: { operations: DeploymentQuery['deployment']['slowestOperations'] }) {
  if (operations.length === 0) return null;
  return (
    <section aria-label="Slowest operations">
      <h2>Slowest operations</h2>
      <p className="quiet">
        Of all web processes, in the last half to whole hour, without subscriptions and waits for entities. 99 of 100 calls
        end within the second time.
      </p>
      <div className="wide-table" role="region" aria-label="Times of operations" tabIndex={0}>
        <table className="storage">
          <thead>
            <tr>
              <th scope="col">Operation</th>
              <th scope="col">Calls</th>
              <th scope="col">Median</th>
              <th scope="col">99 %</th>
              <th scope="col">Longest</th>
              <th scope="col">Last</th>
            </tr>
          </thead>
          <tbody>
            {operations.map((each) => (
              <tr key={`${each.kind} ${each.name}`}>
                <th scope="row">
                  {each.name ?? 'without a name'} <small>{each.kind}</small>
                </th>
                <td>{formatNumber(each.count)}</td>
                <td>{formatSeconds(each.medianSeconds)}</td>
                <td>{formatSeconds(each.p99Seconds)}</td>
                <td>{formatSeconds(each.longestSeconds)}</td>
                <td>
                  <time dateTime={each.lastAt} title={formatTime(each.lastAt)}>
                    {formatAge(each.lastAt)}
                  </time>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Storage({ storage }: { storage: DeploymentQuery['deployment']['storage'] }) {
  const { totalBytes, diskBytes, freeBytes, collections } = storage;
  const largest = Math.max(1, ...collections.map(({ dataBytes, indexBytes }) => dataBytes + indexBytes));
  return (
    <section aria-label="Storage">
      <h2>Storage</h2>
      <p className="facts">
        <span>{formatBytes(totalBytes)} in all</span>
        {diskBytes != null && freeBytes != null && (
          <span>
            {formatBytes(freeBytes)} of {formatBytes(diskBytes)} are free on the disk
          </span>
        )}
        <span className="key of-recent">data</span>
        <span className="key of-summary">indexes</span>
      </p>
      <table className="storage">
        <thead>
          <tr>
            <th scope="col">Collection</th>
            <th scope="col">Documents</th>
            <th scope="col">Data</th>
            <th scope="col">Indexes</th>
          </tr>
        </thead>
        <tbody>
          {collections.map(({ name, documents, dataBytes, indexBytes }) => (
            <tr key={name}>
              <th scope="row">
                {name}
                <Bar data={dataBytes / largest} indexes={indexBytes / largest} />
              </th>
              <td>{formatNumber(documents)}</td>
              <td>{formatBytes(dataBytes)}</td>
              <td>{formatBytes(indexBytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Two shares of the largest collection; the cells next to it have the numbers. */
function Bar({ data, indexes }: { data: number; indexes: number }) {
  return (
    <svg className="shares" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
      <rect className="of-recent" width={data} height={1} />
      <rect className="of-summary" x={data} width={indexes} height={1} />
    </svg>
  );
}

const GRADES = ['BROKEN', 'WARNING', 'OK'] as const; // in the order in which they need a look
const SHOWN = { BROKEN: 'broken', WARNING: 'warning', OK: 'ok' };

function Findings() {
  const { data, error } = useQuery({
    queryKey: ['findings'],
    queryFn: ({ signal }) => execute(FINDINGS, {}, signal),
    refetchInterval: EACH,
  });
  return (
    <section aria-label="Checks">
      <h2>
        Checks, as of <code>recallql doctor</code>
      </h2>
      {error ? <Failure error={error} /> : data ? <List findings={data.deployment.findings} /> : <Loading />}
    </section>
  );
}

function List({ findings }: FindingsQuery['deployment']) {
  const ordered = GRADES.flatMap((grade) => findings.filter((finding) => finding.grade === grade));
  return (
    <ul className="results findings">
      {ordered.map(({ name, grade, text, advice }) => (
        <li key={`${name} ${text}`} data-grade={grade}>
          <span className="badge">{SHOWN[grade]}</span>
          <div>
            <strong>{name}</strong>: {text}
            {advice && <p className="quiet">{advice}</p>}
          </div>
        </li>
      ))}
    </ul>
  );
}
