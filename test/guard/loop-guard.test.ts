import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { LoopGuard } from '../../src/guard/loop-guard.js';
import type { Datagram } from '../../src/net/index.js';
import { fc, holds } from '../support/property.js';

const datagram = (data: string, port = 5000, address = '192.0.2.1'): Datagram => ({
  data: Buffer.from(data),
  remote: { address, port },
  local: undefined,
  timeMs: 0,
});

describe('identical datagrams from one peer:', () => {
  // A payload of 150 bytes is remembered by a sketch at first.
  test.each([4, 150])(
    'of %i bytes: at most 100 get a response in any second, and none is refused below that',
    (size) => {
      const ping = datagram('ping'.padEnd(size, '.'));
      const gaps = fc.oneof(
        fc.constant(0),
        fc.nat(15),
        fc.double({ min: 0, max: 12, noNaN: true }),
        fc.constantFrom(999, 1000),
      );
      holds(
        fc.property(fc.array(gaps, { minLength: 150, maxLength: 400 }), (laterMs) => {
          const guard = new LoopGuard();
          const admittedMs: number[] = [];
          let nowMs = 0;
          for (const later of laterMs) {
            nowMs += later;
            const inThisSecond = admittedMs.filter((atMs) => nowMs - atMs < 1000).length;
            const admitted = guard.admits(ping, nowMs);
            if (admitted !== inThisSecond < 100) throw new Error(`${inThisSecond} in the second before ${nowMs}`);
            if (admitted) admittedMs.push(nowMs);
          }
          for (const [index, startMs] of admittedMs.entries()) {
            const next = admittedMs[index + 100];
            if (next !== undefined && next - startMs < 1000) throw new Error(`101 within a second from ${startMs}`);
          }
        }),
      );
    },
  );

  test('a hundred at once get a response, and a hundred more a second later', () => {
    const guard = new LoopGuard();
    const admitted = (nowMs: number): number =>
      Array.from({ length: 150 }, () => guard.admits(datagram('ping'), nowMs)).filter(Boolean).length;
    expect([admitted(5), admitted(1004.9), admitted(1005), admitted(1006)]).toEqual([100, 0, 100, 0]);
  });

  test('refused ones do not prolong the silence', () => {
    const guard = new LoopGuard();
    for (let nowMs = 0; nowMs < 1000; nowMs += 1) guard.admits(datagram('ping'), nowMs);
    expect(guard.admits(datagram('ping'), 1000)).toBe(true);
  });
});

describe('datagrams that differ', () => {
  test('in a single byte do not count together', () => {
    const guard = new LoopGuard();
    for (let number = 0; number < 20_000; number += 1) {
      if (!guard.admits(datagram(`ping ${number}`), number / 100)) throw new Error(`${number} was refused`);
    }
    expect(guard.admits(datagram('ping'), 200)).toBe(true);
  });

  test.each([16, 600, 1400])(
    'in their bytes, of %i with their own CRC-32 at the end, do not count together',
    (size) => {
      const guard = new LoopGuard();
      for (let number = 0; number < 300; number += 1) {
        const data = Buffer.alloc(size);
        data.writeUInt32BE(number, size >> 1);
        data.writeUInt32LE(crc32(data.subarray(0, -4)), size - 4);
        expect(guard.admits({ ...datagram(''), data }, 1)).toBe(true);
      }
    },
  );

  test.each([700, 65_507])('in one bit of %i bytes, wherever it is, do not count together', (size) => {
    const guard = new LoopGuard();
    const data = randomBytes(size);
    for (let count = 0; count < 100; count += 1) guard.admits({ ...datagram(''), data }, 1);
    for (const at of [0, 3, 127, 128, 500, size - 129, size - 1]) {
      const other = Buffer.from(data);
      other[at]! ^= 1;
      expect([at, guard.admits({ ...datagram(''), data: other }, 1)]).toEqual([at, true]);
    }
    expect(guard.admits({ ...datagram(''), data: Buffer.concat([Buffer.of(1), data]).subarray(1) }, 1)).toBe(false);
  });

  test('in the middle of 600 bytes do not count together, except that the first counts for all', () => {
    const guard = new LoopGuard();
    const withMiddle = (number: number): Datagram => datagram(String(number).padStart(300, '.').padEnd(600, '.'));
    for (let number = 0; number < 1000; number += 1) expect(guard.admits(withMiddle(number), 1)).toBe(true);
    for (const [number, most] of [
      [0, 100],
      [1, 99],
      [999, 99],
    ] as const) {
      let admitted = 1;
      for (let count = 0; count < 150; count += 1) if (guard.admits(withMiddle(number), 2)) admitted += 1;
      expect([number, admitted]).toEqual([number, most]);
    }
  });

  test('in their length, address or port do not count together', () => {
    const guard = new LoopGuard();
    const kinds = [
      datagram(''),
      datagram('\0'),
      datagram('\0\0'),
      datagram('', 5001),
      datagram('', 5000, '192.0.2.2'),
      datagram('', 5000, '2001:db8::1'),
    ];
    for (let count = 0; count < 100; count += 1) {
      expect(kinds.map((kind) => guard.admits(kind, 0))).toEqual(kinds.map(() => true));
    }
    expect(kinds.map((kind) => guard.admits(kind, 0))).toEqual(kinds.map(() => false));
  });

  test('do not make the guard forget one that goes round, even if they are many', () => {
    const guard = new LoopGuard();
    let admitted = 0;
    for (let number = 0; number < 30_000; number += 1) {
      guard.admits(datagram(String(number)), number / 50);
      if (guard.admits(datagram('round'), number / 50)) admitted += 1;
    }
    expect(admitted).toBe(100);
  });
});

test('of a run of datagrams the same get a response as of these datagrams one by one', () => {
  const payload = fc.constantFrom('a', 'b', 'c').map((text) => text.repeat(5));
  const long = fc.constantFrom('1', '2', '3').map((text) => text.padStart(300, '.').padEnd(500, '.'));
  const runs = fc.oneof(
    fc.array(payload, { minLength: 1, maxLength: 60 }),
    fc.array(long, { minLength: 1, maxLength: 60 }),
  );
  const arrivals = fc.array(fc.tuple(runs, fc.constantFrom(0, 1, 400, 1000)), { maxLength: 12 });
  holds(
    fc.property(arrivals, (all) => {
      const [together, singly] = [new LoopGuard(1024), new LoopGuard(1024)];
      let nowMs = 5;
      for (const [payloads, laterMs] of all) {
        nowMs += laterMs;
        const { remote } = datagram('');
        const bytes = Buffer.from(payloads.join(''));
        const segmentBytes = payloads[0]!.length;
        const run = { bytes, segmentBytes, count: payloads.length, remote, local: undefined, timeMs: 0 };
        const declined = payloads.flatMap((text, nth) => (singly.admits(datagram(text), nowMs) ? [] : [nth]));
        const found = together.declinedOf(run, nowMs);
        if (found.join() !== declined.join()) throw new Error(`${found.join()} in place of ${declined.join()}`);
      }
    }),
  );
});
