import { parsePercentage } from '../text/number.js';
import { happening } from './fault.js';

/** Sends a datagram twice, with the given probability from 0 to 1. */
export const duplicate = happening(
  { flags: '--duplicate <p>', help: 'send an answer twice, with this probability', stream: 2 },
  parsePercentage,
  (fate) => {
    fate.duplicated = true;
  },
);
