import { countOf } from '../format';

interface Props {
  summary: { content: string; firstSeq: number; lastSeq: number; tokenCount: number; stale: boolean; source: string };
}

export function Summary({ summary }: Props) {
  return (
    <details className="summary">
      <summary>
        Summary of messages {summary.firstSeq} to {summary.lastSeq}{' '}
        <small>
          {countOf(summary.tokenCount, 'token')}, {summary.source === 'LLM' ? 'by a language model' : 'picked sentences'}
        </small>
        {summary.stale && <span className="badge">stale</span>}
      </summary>
      <p>{summary.content}</p>
    </details>
  );
}
