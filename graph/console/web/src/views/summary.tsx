import { countOf } from '../format';
import type { SessionQuery } from '../gql/graphql';
import { replaceParameters } from '../route';

type Summaries = NonNullable<SessionQuery['session']>['summaries']['edges'];

/** The summaries of a session, oldest first, each with the messages that it covers; the shown part of them is marked. */
export function SummaryRail({ edges, shown }: { edges: Summaries; shown: { first: number; last: number } | null }) {
  return (
    <aside className="rail" aria-label="Summaries">
      <h2>Summaries</h2>
      <ol>
        {edges.map(({ node }) => (
          <li key={node.uuid} aria-current={shown !== null && node.firstSeq <= shown.last && node.lastSeq >= shown.first}>
            <details>
              <summary>
                #{node.firstSeq} to #{node.lastSeq}
                {node.stale && <span className="badge">stale</span>}
              </summary>
              <p>{node.content}</p>
              <p className="facts">
                <span>{countOf(node.tokenCount, 'token')}</span>
                <span>{node.source === 'LLM' ? 'by a language model' : 'picked sentences'}</span>
                <button type="button" onClick={() => replaceParameters({ seq: String(node.firstSeq) })}>
                  Show its messages
                </button>
              </p>
            </details>
          </li>
        ))}
      </ol>
    </aside>
  );
}
