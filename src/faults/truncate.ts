import { parsePercentage } from '../text/number.js';
import type { RandomFault } from './fault.js';

/** Cuts a datagram to a smaller size, with the given probability from 0 to 1. Each smaller size is equally likely. */
export const truncate: RandomFault<number> = {
  flags: '--truncate <p>',
  help: 'cut an answer to a random smaller size, with this probability',
  read: parsePercentage,
  stream: 5,
  create:
    (probability, random) =>
    (fate, { bytes }) => {
      const cut = random.fraction() < probability;
      const place = random.fraction();
      if (cut && bytes > 0) fate.keptBytes = Math.floor(place * bytes);
    },
};
