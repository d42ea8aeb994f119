import { ValueError } from '../net/errors.js';
import { readDuration } from '../text/duration.js';
import type { Fault } from './fault.js';

/** A time in which no answer leaves, in milliseconds since the start: from the first moment to before the second. */
export interface Blackhole {
  readonly fromMs: number;
  /** Infinity for one that never ends. */
  readonly toMs: number;
}

/** Reads a time since the start: `2s..5s`, `..5s`, or `2s..` for one without end. */
export function parseBlackhole(text: string): Blackhole {
  const [, from = '', to = ''] = /^([^.]*(?:\.\d[^.]*)?)\.\.(.*)$/.exec(text) ?? [];
  const fromMs = from === '' ? 0 : readDuration(from);
  const toMs = to === '' ? Infinity : readDuration(to);
  if (from + to === '' || fromMs === undefined || toMs === undefined || fromMs >= toMs) {
    throw new ValueError('A blackhole is 2s..5s, 2s.. or ..5s, counted from the start.');
  }
  return { fromMs, toMs };
}

/** Sends nothing in some times since the start. */
export const blackhole: Fault<readonly Blackhole[], Blackhole> = {
  flags: '--blackhole <from..to>',
  help: 'send no answers in this time, counted from the start: 2s..5s',
  read: parseBlackhole,
  isRepeatable: true,
  // It draws no numbers.
  stream: 0,
  create:
    (blackholes) =>
    (fate, { sinceStartMs }) => {
      fate.blackholed = blackholes.some(({ fromMs, toMs }) => sinceStartMs >= fromMs && sinceStartMs < toMs);
    },
};
