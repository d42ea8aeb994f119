import { parseDuration } from '../text/duration.js';
import type { Fault } from './fault.js';

/** Sends all later by the same time. */
export const delay: Fault<number> = {
  flags: '--delay <d>',
  help: 'send each answer this much later',
  isCommon: true,
  read: parseDuration,
  // It draws no numbers. It shares the stream of the jitter, which varies it.
  stream: 6,
  create: (delayMs) => (fate) => {
    fate.delaysMs[0] += delayMs;
    fate.delaysMs[1] += delayMs;
  },
};
