import { parseDuration } from '../text/duration.js';
import type { FixedFault } from './fault.js';
import { MOST_QUEUE_MS } from './line.js';

/** Loses datagrams that would wait longer than the given time, in milliseconds, for the line of `--bandwidth`. */
export const lineQueue: FixedFault<number> = {
  flags: '--line-queue <d>',
  help: `lose answers that would wait longer than this for the line of --bandwidth (default: ${MOST_QUEUE_MS}ms)`,
  read: parseDuration,
  create: (mostMs) => (fate) => {
    fate.mostQueueMs = mostMs;
  },
};
