let lastSecond = NaN;
let lastSecondText = '';

/**
 * Writes a time by RFC 3339, in UTC with microseconds: `2026-11-22T08:00:00.123456Z`.
 *
 * @param timeMs Milliseconds since the epoch, up to the year 2255. Rounded to the nearest microsecond.
 */
export function formatTime(timeMs: number): string {
  const micros = Math.round(timeMs * 1000);
  const second = Math.floor(micros / 1_000_000);
  // Many datagrams share a second, and writing a date takes longer than writing the rest of a line.
  if (second !== lastSecond) {
    lastSecondText = new Date(second * 1000).toISOString().slice(0, -'000Z'.length);
    lastSecond = second;
  }
  return `${lastSecondText}${String(micros - second * 1_000_000).padStart(6, '0')}Z`;
}

/** Writes milliseconds as a duration of the options: `250ms`, `2s`, `1.5s`. */
export function formatDuration(ms: number): string {
  return ms < 1000 ? `${ms}ms` : `${ms / 1000}s`;
}

/** Writes milliseconds rounded to the nearest microsecond, without trailing zeros: `0.41`. */
export function formatMs(ms: number): string {
  return String(Math.round(ms * 1000) / 1000);
}

const UNITS = [
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
] as const;

/** Writes milliseconds, rounded up to the second, by the largest unit and the next smaller one: `2h 3m`, `1m 30s`. */
export function formatLongDuration(ms: number): string {
  let left = Math.ceil(ms / 1000);
  const parts = UNITS.map(([unit, seconds]) => {
    const count = Math.floor(left / seconds);
    left -= count * seconds;
    return { count, text: `${count}${unit}` };
  });
  const first = parts.findIndex(({ count }) => count > 0);
  const told = parts.slice(first, first + 2).filter(({ count }) => count > 0);
  return first < 0 ? '0s' : told.map(({ text }) => text).join(' ');
}
