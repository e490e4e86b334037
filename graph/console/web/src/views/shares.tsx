export interface Share {
  name: string;
  title: string;
  value: number;
}

/** A bar of shares side by side, which together are at most `most`. */
export function Shares({ shares, most, label }: { shares: Share[]; most: number; label: string }) {
  const starts = shares.map((_, index) => shares.slice(0, index).reduce((total, { value }) => total + value, 0));
  return (
    <svg className="shares" viewBox="0 0 100 4" preserveAspectRatio="none" role="img" aria-label={label}>
      {shares.map(({ name, title, value }, index) => (
        <rect key={name} className={`of-${name}`} x={(100 * (starts[index] ?? 0)) / most} width={(100 * value) / most} height="4">
          <title>{title}</title>
        </rect>
      ))}
    </svg>
  );
}

/** The names and colours of shares, each with its figure. */
export function Legend({ shares, format }: { shares: Share[]; format: (value: number) => string }) {
  return shares.map(({ name, title, value }) => (
    <span key={name} className={`key of-${name}`}>
      {title} {format(value)}
    </span>
  ));
}
