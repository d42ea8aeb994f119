import { parsePercentage } from '../text/number.js';
import type { RandomFault } from './fault.js';

/** A corrupted datagram has 1 to 4 flipped bits, each number as often as the others. */
const MAX_FLIPPED_BITS = 4;

/** Flips bits of a datagram, with the given probability from 0 to 1. */
export const corrupt: RandomFault<number> = {
  flags: '--corrupt <p>',
  help: `flip 1 to ${MAX_FLIPPED_BITS} bits of an answer, with this probability`,
  read: parsePercentage,
  stream: 4,
  create: (probability, random) => (fate) => {
    const corrupted = random.fraction() < probability;
    const amount = random.fraction();
    const places = Array.from({ length: MAX_FLIPPED_BITS }, () => random.fraction());
    if (corrupted) fate.flip = (bits) => drawBits(bits, 1 + Math.floor(amount * MAX_FLIPPED_BITS), places);
  },
};

/**
 * Draws different bits by Floyd's algorithm: to flip one bit twice would change nothing.
 *
 * @param bits how many bits the payload has
 * @param wanted how many of them to draw; all if the payload has fewer
 * @param places random numbers from 0 to below 1, one for each bit to draw
 */
function drawBits(bits: number, wanted: number, places: readonly number[]): readonly number[] {
  const flipped: number[] = [];
  const count = Math.min(wanted, bits);
  for (const [index, place] of places.slice(0, count).entries()) {
    const last = bits - count + index;
    const bit = Math.floor(place * (last + 1));
    flipped.push(flipped.includes(bit) ? last : bit);
  }
  return flipped;
}
