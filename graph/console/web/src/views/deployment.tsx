import { useQuery } from '@tanstack/react-query';
import { execute } from '../api';
import { formatBytes, formatNumber } from '../format';
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
            <small>of the process that answered</small>
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
