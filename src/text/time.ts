import { writePadded } from './digits.js';

const Z = 0x5a;
/** The second whose date was written last, since the epoch, and its text. */
let lastSecond = NaN;
let lastSecondText = '';
let lastSecondBytes = new Uint8Array();

/**
 * Writes a time by RFC 3339, in UTC with microseconds: `2026-11-22T08:00:00.123456Z`.
 *
 * @param timeMs Milliseconds since the epoch, up to the year 2255. Rounded to the nearest microsecond.
 */
export function formatTime(timeMs: number): string {
  const micros = beginSecond(timeMs);
  return `${lastSecondText}${String(micros).padStart(6, '0')}Z`;
}

/** The length of the result of {@link formatTime}. */
export const TIME_BYTES = '2026-11-22T08:00:00.123456Z'.length;

/** Writes the text of {@link formatTime} into a buffer. Returns the offset behind it. */
export function writeTime(timeMs: number, buffer: Uint8Array, at: number): number {
  const micros = beginSecond(timeMs);
  buffer.set(lastSecondBytes, at);
  const end = writePadded(micros, 6, buffer, at + lastSecondBytes.length);
  buffer[end] = Z;
  return end + 1;
}

/** Makes `lastSecond` the second of a time. Returns the microseconds since it began. */
function beginSecond(timeMs: number): number {
  const micros = Math.round(timeMs * 1000);
  const second = Math.floor(micros / 1_000_000);
  // Many datagrams share a second, and writing a date takes longer than writing the rest of a line.
  if (second !== lastSecond) {
    lastSecondText = new Date(second * 1000).toISOString().slice(0, -'000Z'.length);
    lastSecondBytes = Buffer.from(lastSecondText);
    lastSecond = second;
  }
  return micros - second * 1_000_000;
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
