const numbers = new Intl.NumberFormat('en');
const times = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_557_600],
  ['month', 2_629_800],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

export function formatNumber(value: number): string {
  return numbers.format(value);
}

export function formatTime(value: string): string {
  return times.format(new Date(value));
}

/** How long ago a time is, in its largest unit. */
export function formatAge(value: string): string {
  const seconds = (Date.parse(value) - Date.now()) / 1_000;
  const unit = UNITS.find(([, length]) => Math.abs(seconds) >= length);
  return unit ? relative.format(Math.round(seconds / unit[1]), unit[0]) : 'just now';
}

/** A length of time in its largest unit: `3 minutes`. */
export function formatDuration(seconds: number): string {
  const [unit, length] = UNITS.find((each) => seconds >= each[1]) ?? (['second', 1] as const);
  return countOf(Math.round(seconds / length), unit);
}

/** A number with its noun: `1 message`, `2 messages`. */
export function countOf(value: number, noun: string, plural = `${noun}s`): string {
  return `${formatNumber(value)} ${value === 1 ? noun : plural}`;
}

const lengths = new Intl.NumberFormat('en', { maximumSignificantDigits: 2 });

/** A short length of time: `12 ms`, `1.5 s`. */
export function formatSeconds(seconds: number): string {
  return seconds < 1 ? `${lengths.format(seconds * 1_000)} ms` : `${lengths.format(seconds)} s`;
}

const sizes = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** A number of bytes in its largest unit: `1.5 MiB`. */
export function formatBytes(bytes: number): string {
  const power = Math.min(SIZES.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${sizes.format(bytes / 1_024 ** power)} ${SIZES[power]}`;
}
