import { parsePercentage } from '../text/number.js';
import { MAX_HELD_BACK_MS } from '../timing/delay-line.js';
import { happening } from './fault.js';

/** Sends a datagram after the next one to the same peer, with the given probability from 0 to 1. */
export const reorder = happening(
  {
    flags: '--reorder <p>',
    help: `send an answer after the next one to the same peer, or after ${MAX_HELD_BACK_MS}ms, with this probability`,
    stream: 3,
  },
  parsePercentage,
  (fate) => {
    fate.reordered = true;
  },
);
