import { ValueError } from '../net/errors.js';
import type { FixedFault } from './fault.js';

/** Numbers of datagrams of a conversation: from the first to the last of them, counted from 1. */
export interface Numbers {
  readonly from: number;
  /** At least `from`. */
  readonly to: number;
}

/** Reads `2` or `1..3`. @throws {ValueError} for any other text */
export function parseNumbers(text: string): Numbers {
  const [, first = '', last = first] = /^(\d+)(?:\.\.(\d+))?$/.exec(text) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (!(from >= 1 && from <= to && to <= Number.MAX_SAFE_INTEGER)) {
    throw new ValueError('It is the number of a datagram, from 1, or a range: 2, 1..3.');
  }
  return { from, to };
}

/** Loses the datagrams with the given numbers. The option may be given several times. */
export const lose: FixedFault<readonly Numbers[], Numbers> = {
  flags: '--lose <n|n..m>',
  help: 'lose the answers with these numbers, counted for each peer from 1: 2, 1..3',
  read: parseNumbers,
  isRepeatable: true,
  create:
    (numbers) =>
    (fate, { nth }) => {
      if (numbers.some(({ from, to }) => nth >= from && nth <= to)) fate.lostBy ??= 'lose';
    },
};
