import { countOf, formatTime } from '../format';

const COLUMNS = 40;

interface TimelineProps {
  title: string;
  times: string[];
  /** The first and the last time of the chart; those of the times without it. */
  within?: [string, string];
}

/** A chart of how many of some times fall into each part of a span. */
export function Timeline({ title, times, within }: TimelineProps) {
  const instants = times.map((time) => Date.parse(time));
  const bounds = within?.map((time) => Date.parse(time)) ?? instants;
  const first = Math.min(...bounds);
  const span = Math.max(...bounds) - first;
  if (bounds.length < 2 || span === 0) return null;
  const counts = new Array<number>(COLUMNS).fill(0);
  for (const instant of instants) {
    const column = Math.min(COLUMNS - 1, Math.floor((COLUMNS * (instant - first)) / span));
    counts[column] = (counts[column] ?? 0) + 1;
  }
  const most = Math.max(1, ...counts); // no time may be within
  const ends = [first, first + span].map((instant) => formatTime(new Date(instant).toISOString()));
  return (
    <figure className="timeline">
      <svg viewBox={`0 0 ${COLUMNS} 10`} preserveAspectRatio="none" role="img" aria-label={`${title} from ${ends.join(' to ')}`}>
        {counts.map((count, column) => (
          // A column is its place.
          <rect key={column} x={column + 0.1} width={0.8} y={10 - (10 * count) / most} height={(10 * count) / most}>
            <title>{countOf(count, 'message')}</title>
          </rect>
        ))}
      </svg>
      <figcaption className="facts">
        {ends.map((end) => (
          <span key={end}>{end}</span>
        ))}
      </figcaption>
    </figure>
  );
}
