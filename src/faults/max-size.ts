import { parseSize } from '../text/size.js';
import type { FixedFault } from './fault.js';

/** Loses datagrams whose payload has more than the given number of bytes, as a path with a smaller MTU that sends no ICMP. */
export const maxSize: FixedFault<number> = {
  flags: '--max-size <size>',
  help: 'lose answers with more bytes of payload than this: 1200',
  read: parseSize,
  create:
    (mostBytes) =>
    (fate, { bytes }) => {
      if (bytes > mostBytes) fate.lostBy ??= 'maxSize';
    },
};
