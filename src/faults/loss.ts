import { parsePercentage } from '../text/number.js';
import { happening } from './fault.js';

/** Loses each datagram with the given probability, from 0 to 1. */
export const loss = happening(
  { flags: '--loss <p>', help: 'lose an answer with this probability: 5%', stream: 0, isCommon: true },
  parsePercentage,
  (fate) => {
    fate.lostBy ??= 'loss';
  },
);
