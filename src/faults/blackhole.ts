import { ValueError } from '../net/errors.js';
import { readDuration } from '../text/duration.js';
import type { FixedFault } from './fault.js';

/** A period in which no response is sent. Both times are in milliseconds since the start of the service. */
export interface Blackhole {
  readonly fromMs: number;
  /** The first moment after the period; Infinity if it never ends. */
  readonly toMs: number;
}

/** Reads `2s..5s`, `..5s` (from the start), or `2s..` (without end). @throws {ValueError} for any other text */
export function parseBlackhole(text: string): Blackhole {
  const [, from = '', to = ''] = /^([^.]*(?:\.\d[^.]*)?)\.\.(.*)$/.exec(text) ?? [];
  const fromMs = from === '' ? 0 : readDuration(from);
  const toMs = to === '' ? Infinity : readDuration(to);
  if (from + to === '' || fromMs === undefined || toMs === undefined || fromMs >= toMs) {
    throw new ValueError('A blackhole is 2s..5s, 2s.. or ..5s, counted from the start.');
  }
  return { fromMs, toMs };
}

/** Sends nothing in the given periods. The option may be given several times. */
export const blackhole: FixedFault<readonly Blackhole[], Blackhole> = {
  flags: '--blackhole <from..to>',
  help: 'send no answers in this time, counted from the start: 2s..5s',
  read: parseBlackhole,
  isRepeatable: true,
  create:
    (blackholes) =>
    (fate, { sinceStartMs }) => {
      if (blackholes.some(({ fromMs, toMs }) => sinceStartMs >= fromMs && sinceStartMs < toMs)) {
        fate.lostBy = 'blackhole';
      }
    },
};
