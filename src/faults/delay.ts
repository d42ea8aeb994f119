import { parseDuration } from '../text/duration.js';
import type { FixedFault } from './fault.js';

/** Delays every datagram by the same time. The setting is in milliseconds. */
export const delay: FixedFault<number> = {
  flags: '--delay <d>',
  help: 'send each answer this much later',
  isCommon: true,
  read: parseDuration,
  create: (delayMs) => (fate) => {
    fate.delaysMs[0] += delayMs;
    fate.delaysMs[1] += delayMs;
  },
};
