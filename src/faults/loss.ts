import { parsePercentage } from '../text/number.js';
import { happening } from './fault.js';

/** Loses each datagram with the same probability. */
export const loss = happening(
  { flags: '--loss <p>', help: 'lose them with this probability, such as 5%', stream: 0 },
  parsePercentage,
  (fate) => {
    fate.lost = true;
  },
);
