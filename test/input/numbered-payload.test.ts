import { crc32 } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { NumberedPayloads } from '../../src/input/numbered-payload.js';
import { generatePayload, HEADER_BYTES } from '../../src/input/payload.js';
import { fc, holds } from '../support/property.js';

const runs = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const sequences = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const sizes = fc.integer({ min: HEADER_BYTES, max: 300 });

const one = (payloads: NumberedPayloads, sequence: number): Buffer => Buffer.from(payloads.take(sequence, 1)[0]!);

describe('a numbered payload', () => {
  test('has the layout that is documented', () => {
    const payload = one(new NumberedPayloads(40, 0x0102_0304_0506), 7);
    const numbers = Buffer.from('010203040506000000000007', 'hex');
    const pattern = generatePayload(24);
    expect(payload.subarray(4, 16)).toEqual(numbers);
    expect(payload.subarray(16)).toEqual(Buffer.from(pattern));
    expect(payload.readUInt32BE(0)).toBe(crc32(Buffer.concat([pattern, numbers])));
  });

  test('reads back as what was written, whatever its size', () => {
    holds(
      fc.property(sizes, runs, sequences, (size, run, sequence) => {
        const payloads = new NumberedPayloads(size, run);
        const payload = one(payloads, sequence);
        expect(payload).toHaveLength(size);
        expect(payloads.read(payload)).toMatchObject({ run, sequence, intact: true });
      }),
    );
  });

  test('shows that any one byte was changed, and whose it was all the same', () => {
    holds(
      fc.property(
        sizes,
        runs,
        sequences,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (size, run, sequence, at, flip) => {
          const payloads = new NumberedPayloads(size, run);
          const payload = one(payloads, sequence);
          payload[at % size]! ^= flip;
          expect(payloads.read(payload)?.intact).toBe(false);
          expect(payloads.resembles(payload)).toBe(true);
        },
      ),
    );
  });

  test('shows that its end was cut off', () => {
    const payloads = new NumberedPayloads(100);
    const payload = one(payloads, 3);
    for (let length = HEADER_BYTES; length < 100; length += 1)
      expect(payloads.read(payload.subarray(0, length))?.intact).toBe(false);
    expect(payloads.read(payload.subarray(0, HEADER_BYTES - 1))).toBeUndefined();
    expect(payloads.resembles(payload.subarray(0, 12))).toBe(true);
  });

  test('of another run is told by its number, and what a service says of its own is no echo', () => {
    const payloads = new NumberedPayloads(64, 1);
    const other = one(new NumberedPayloads(20, 2 ** 47), 5);
    expect(payloads.read(other)).toMatchObject({ run: 2 ** 47, intact: true });
    for (const reply of ['', 'OK', 'x'.repeat(64)]) expect(payloads.resembles(Buffer.from(reply))).toBe(false);
  });

  test('is different for each transmission and each run', () => {
    const payloads = new NumberedPayloads(64);
    const other = new NumberedPayloads(64);
    const all = payloads.take(0, 50).map((payload) => Buffer.from(payload).toString('hex'));
    expect(new Set([...all, one(other, 0).toString('hex')]).size).toBe(51);
    expect(one(payloads, 7).toString('hex')).toBe(all[7]);
  });

  test('gives fewer at once where they are large, and the next ones next', () => {
    const payloads = new NumberedPayloads(65_507, 7);
    const first = payloads.take(0, 2048);
    expect(first.length).toBeGreaterThanOrEqual(1);
    expect(first.length).toBeLessThan(20);
    expect(payloads.read(first.at(-1)!)?.sequence).toBe(first.length - 1);
    expect(payloads.read(payloads.take(first.length, 2048)[0]!)?.sequence).toBe(first.length);
  });

  test.each([0, 1, HEADER_BYTES - 1])('of %i bytes has no room for a header, and is the pattern', (size) => {
    const payloads = new NumberedPayloads(size);
    expect(payloads.run).toBeUndefined();
    expect(payloads.take(5, 2)).toEqual([generatePayload(size), generatePayload(size)]);
    expect(payloads.resembles(generatePayload(size))).toBe(false);
  });
});
