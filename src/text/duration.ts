import { ValueError } from '../net/errors.js';

const MS_OF_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Reads a duration above 0: `250ms`, `2s`, `1.5s`, `3m`, `1h`, or a number of seconds. Returns milliseconds.
 *
 * @throws {ValueError}
 */
export function parseDuration(text: string): number {
  const ms = readDuration(text);
  if (ms === undefined || ms === 0) {
    throw new ValueError('A duration above 0 is 250ms, 2s, 1.5s, 3m, 1h, or a number of seconds.');
  }
  return ms;
}

/** Reads a duration that may be 0, otherwise like {@link parseDuration}. Returns milliseconds. @throws {ValueError} */
export function parseDurationOrZero(text: string): number {
  const ms = readDuration(text);
  if (ms === undefined) {
    throw new ValueError('A duration is 0, 250ms, 2s, 1.5s, 3m, 1h, or a number of seconds.');
  }
  return ms;
}

/**
 * Reads a duration like {@link parseDurationOrZero}, but returns undefined for other text. The result is rounded to
 * whole microseconds: `0.3s` becomes exactly 300 ms.
 */
export function readDuration(text: string): number | undefined {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const micros = Math.round(Number(number) * (MS_OF_UNIT[unit] ?? NaN) * 1000);
  return Number.isSafeInteger(micros) ? micros / 1000 : undefined;
}
