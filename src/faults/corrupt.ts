import { parsePercentage } from '../text/number.js';
import type { Fault } from './fault.js';

/** The most bits of a datagram that are flipped. */
const MAX_FLIPPED_BITS = 4;

/** Flips bits of a datagram. */
export const corrupt: Fault<number> = {
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

/** Different bits of so many. A bit that is flipped twice would be unchanged, so this is Floyd's way to draw. */
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
