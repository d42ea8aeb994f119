import { ValueError } from '../net/errors.js';
import { readDuration } from '../text/duration.js';
import type { RandomFault } from './fault.js';
import type { Random } from './random.js';

/** How delays vary around the delay of `--delay`. */
export interface Jitter {
  /** Above 0. */
  readonly ms: number;
  /**
   * `uniform`: each delay from `ms` shorter to `ms` longer is equally likely. `normal`: `ms` is the standard deviation. The
   * normal distribution is approximated by the sum of twelve uniform numbers. So no delay differs by more than 6 `ms`, and
   * the numbers are the same on every platform.
   */
  readonly distribution: 'uniform' | 'normal';
}

/** The sum of twelve uniform numbers has a variance of 1. */
const SUMMANDS_OF_NORMAL = 12;

/** Draws how much longer (or, below 0, shorter) a delay is, as a multiple of `ms` of the jitter. */
function deviation(distribution: Jitter['distribution'], random: Random): number {
  if (distribution === 'uniform') return 2 * random.fraction() - 1;
  let sum = -SUMMANDS_OF_NORMAL / 2;
  for (let count = 0; count < SUMMANDS_OF_NORMAL; count += 1) sum += random.fraction();
  return sum;
}

/** Reads `5ms`, `5ms:uniform` or `5ms:normal`. Default: uniform. @throws {ValueError} for any other text, and for 0 */
export function parseJitter(text: string): Jitter {
  const [written = '', distribution = 'uniform', ...more] = text.split(':');
  const ms = readDuration(written) ?? 0;
  if (ms === 0 || (distribution !== 'uniform' && distribution !== 'normal') || more.length > 0) {
    throw new ValueError('A jitter is a duration above 0, such as 5ms, 5ms:uniform or 5ms:normal.');
  }
  return { ms, distribution };
}

/** Varies the delay of each datagram. A copy has a delay of its own. No delay is below 0. */
export const jitter: RandomFault<Jitter> = {
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
