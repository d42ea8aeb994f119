import { ValueError } from '../net/errors.js';
import { readDuration } from '../text/duration.js';
import type { Fault } from './fault.js';
import type { Random } from './random.js';

/** How delays differ from the one that was asked for. */
export interface Jitter {
  readonly ms: number;
  /**
   * `uniform`: anything from `ms` less to `ms` more. `normal`: `ms` is the standard deviation, of the sum of twelve uniform
   * numbers, so that no delay is off by more than six of it, and no platform rounds it differently.
   */
  readonly distribution: 'uniform' | 'normal';
}

/** A sum of so many uniform numbers has a variance of 1. */
const SUMMANDS_OF_NORMAL = 12;

/** How much longer or shorter than asked for: a part of `ms` of the jitter. */
function deviation(distribution: Jitter['distribution'], random: Random): number {
  if (distribution === 'uniform') return 2 * random.fraction() - 1;
  let sum = -SUMMANDS_OF_NORMAL / 2;
  for (let count = 0; count < SUMMANDS_OF_NORMAL; count += 1) sum += random.fraction();
  return sum;
}

/** Reads a duration above 0, and after a colon `uniform` or `normal`. */
export function parseJitter(text: string): Jitter {
  const [written = '', distribution = 'uniform', ...more] = text.split(':');
  const ms = readDuration(written) ?? 0;
  if (ms === 0 || (distribution !== 'uniform' && distribution !== 'normal') || more.length > 0) {
    throw new ValueError('A jitter is a duration above 0, such as 5ms, 5ms:uniform or 5ms:normal.');
  }
  return { ms, distribution };
}

/** Varies the delay of each datagram, and of its copy by itself. No delay is below 0. */
export const jitter: Fault<Jitter> = {
  flags: '--jitter <d>',
  help: 'vary the delay by up to d; d:normal has d as the standard deviation',
  read: parseJitter,
  stream: 6,
  create:
    ({ ms, distribution }, random) =>
    ({ delaysMs }) => {
      for (const copy of [0, 1] as const) {
        delaysMs[copy] = Math.max(0, delaysMs[copy] + ms * deviation(distribution, random));
      }
    },
};
