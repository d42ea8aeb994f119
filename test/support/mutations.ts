/** Changes genuine bytes like a hostile sender. */
import { fc } from './property.js';

/** One change of bytes. Positions and lengths are fractions of the whole, from 0 to 1. */
export interface Mutation {
  readonly kind: 'overwrite' | 'flip' | 'insert' | 'remove' | 'truncate' | 'repeat' | 'replace';
  readonly at: number;
  readonly length: number;
  readonly bytes: Uint8Array;
}

export const mutations: fc.Arbitrary<readonly Mutation[]> = fc.array(
  fc.record<Mutation>({
    kind: fc.constantFrom('overwrite', 'flip', 'insert', 'remove', 'truncate', 'repeat', 'replace'),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.double({ min: 0, max: 1, noNaN: true }),
    bytes: fc.uint8Array({ maxLength: 40 }),
  }),
  { minLength: 1, maxLength: 4 },
);

/** Returns the bytes after all mutations, in order. */
export function mutate(original: Buffer, all: readonly Mutation[]): Buffer {
  return all.reduce((data, { kind, at, length, bytes }) => {
    const from = Math.floor(at * data.length);
    const to = from + Math.ceil(length * (data.length - from));
    const [before, within, after] = [data.subarray(0, from), data.subarray(from, to), data.subarray(to)];
    switch (kind) {
      case 'overwrite':
        return Buffer.concat([before, bytes.subarray(0, data.length - from), data.subarray(from + bytes.length)]);
      case 'flip':
        return Buffer.concat([
          before,
          data.subarray(from, from + 1).map((byte) => byte ^ (bytes[0] ?? 1)),
          data.subarray(from + 1),
        ]);
      case 'insert':
        return Buffer.concat([before, bytes, data.subarray(from)]);
      case 'remove':
        return Buffer.concat([before, after]);
      case 'truncate':
        return before;
      case 'repeat':
        return Buffer.concat([before, within, within, within, after]);
      case 'replace':
        return Buffer.from(bytes);
    }
  }, original);
}
