import { parsePercentage } from '../text/number.js';
import type { Fault } from './fault.js';

/** Cuts a datagram to any smaller size, each as often as the others. */
export const truncate: Fault<number> = {
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
