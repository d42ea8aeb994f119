import { parsePercentage } from '../text/number.js';
import { MAX_HELD_BACK_MS } from '../timing/delay-line.js';
import { happening } from './fault.js';

/** Holds a datagram back for the next one to the same peer. */
export const reorder = happening(
  {
    flags: '--reorder <p>',
    help: `hold them back until the next to the same peer has left, ${MAX_HELD_BACK_MS}ms at most`,
    stream: 3,
  },
  parsePercentage,
  (fate) => {
    fate.reordered = true;
  },
);
