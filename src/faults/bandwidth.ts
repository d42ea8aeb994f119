import { ValueError } from '../net/errors.js';
import type { Effect, FixedFault } from './fault.js';
import { Line } from './line.js';

const BITS_OF_UNIT: Readonly<Record<string, number>> = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 };

/** Reads `56kbit`, `1.5mbit` or `1gbit`: powers of 1000. Returns bits a second. @throws {ValueError} for any other text */
export function parseBandwidth(text: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)(bit|kbit|mbit|gbit)$/.exec(text) ?? [];
  const bits = Number(number) * (BITS_OF_UNIT[unit] ?? NaN);
  if (!(bits > 0 && bits < Infinity)) throw new ValueError('A bandwidth is in bits a second: 56kbit, 10mbit, 1gbit.');
  return bits;
}

/** Sends datagrams one after another by a line that carries the given number of bits a second. */
export const bandwidth: FixedFault<number> = {
  flags: '--bandwidth <rate>',
  help: 'send answers by a line of so many bits a second, headers included: 56kbit, 10mbit, 1gbit',
  read: parseBandwidth,
  create: (bitsPerSecond) => passing(new Line(bitsPerSecond)),
};

/** Returns the effect of a line. Of several lines the slowest one counts. */
export function passing(line: Line): Effect {
  return (fate) => {
    if (fate.line === undefined || line.bitsPerSecond < fate.line.bitsPerSecond) fate.line = line;
  };
}
