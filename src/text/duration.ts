import { ValueError } from '../net/errors.js';

const MS_OF_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Reads `250ms`, `2s`, `1.5s`, `3m`, `1h` or a bare number of seconds, above 0, as milliseconds. */
export function parseDuration(text: string): number {
  const ms = readDuration(text);
  if (ms === undefined || ms === 0) {
    throw new ValueError('A duration above 0 is 250ms, 2s, 1.5s, 3m, 1h, or a number of seconds.');
  }
  return ms;
}

/** Reads a duration as {@link parseDuration} does, or 0. */
export function parseDurationOrZero(text: string): number {
  const ms = readDuration(text);
  if (ms === undefined) {
    throw new ValueError('A duration is 0, 250ms, 2s, 1.5s, 3m, 1h, or a number of seconds.');
  }
  return ms;
}

/** Milliseconds to the nearest microsecond, so that what was written in decimals is what is shown. */
export function readDuration(text: string): number | undefined {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const micros = Math.round(Number(number) * (MS_OF_UNIT[unit] ?? NaN) * 1000);
  return Number.isSafeInteger(micros) ? micros / 1000 : undefined;
}
