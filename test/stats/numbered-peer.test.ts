import { describe, expect, test } from '@jest/globals';
import { NumberedPayloads } from '../../src/input/numbered-payload.js';
import { NumberedPeer } from '../../src/stats/numbered-peer.js';
import { fc, holds } from '../support/property.js';

const RUN = 0x0102_0304_0506;
const NONE = { lost: 0, duplicated: 0, reordered: 0, corrupted: 0 };

const generators = new Map<string, NumberedPayloads>();

function payload(sequence: number, size = 40, run = RUN): Buffer {
  const key = `${size} ${run}`;
  const generator = generators.get(key) ?? new NumberedPayloads(size, run);
  generators.set(key, generator);
  return Buffer.from(generator.take(sequence, 1)[0]!);
}

/** The payload with some bits flipped, counted from the first bit of the payload. */
function flipped(data: Uint8Array, ...bits: readonly number[]): Buffer {
  const changed = Buffer.from(data);
  for (const bit of bits) changed[bit >> 3]! ^= 0x80 >> (bit & 7);
  return changed;
}

/** A peer that sends one datagram a millisecond. */
class Sender {
  readonly numbers: NumberedPeer;
  timeMs = 1000;
  readFromMs = -Infinity;
  #before = 0;
  #lastMs = -Infinity;
  reads = 0;

  constructor(maxGaps = 512) {
    this.numbers = new NumberedPeer(maxGaps);
  }

  send(...all: readonly Uint8Array[]): this {
    for (const data of all) {
      if (this.timeMs >= this.readFromMs) {
        this.readFromMs = this.numbers.read(data, 0, data.length, this.timeMs, this.#before, this.#lastMs);
        this.reads += 1;
      }
      this.#before += 1;
      this.#lastMs = this.timeMs;
      this.timeMs += 1;
    }
    return this;
  }

  get counts() {
    return this.numbers.counts;
  }
}

const countsOf = (...all: readonly Uint8Array[]): unknown => new Sender().send(...all).counts;
const numbered = (...sequences: readonly number[]): Buffer[] => sequences.map((sequence) => payload(sequence));

describe('the numbered payloads of a peer', () => {
  test('that all came in order are neither lost, duplicated, reordered nor corrupted', () => {
    expect(countsOf(...numbered(0, 1, 2, 3))).toEqual({ sent: 4, ...NONE });
  });

  test('are lost if a later one came, also the first ones', () => {
    expect(countsOf(...numbered(2, 3, 6))).toEqual({ sent: 7, ...NONE, lost: 4 });
  });

  test('are reordered once if they come late, and then not lost; a further one is a duplicate', () => {
    expect(countsOf(...numbered(0, 3, 1, 1, 2, 3, 0))).toEqual({ sent: 4, ...NONE, reordered: 2, duplicated: 3 });
  });

  test('with any order, loss and duplicates are counted as RFC 4737 says', () => {
    const arrivals = fc.array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 80 });
    holds(
      fc.property(arrivals, fc.constantFrom(0, 2 ** 31 - 20, 2 ** 32 - 20, 2 ** 47), (offsets, start) => {
        const sender = new Sender();
        // The numbers below the start are lost.
        const sequences = offsets.map((offset) => start + offset);
        const came = new Set<number>();
        let [next, duplicated, reordered] = [0, 0, 0];
        for (const sequence of sequences) {
          if (came.has(sequence)) duplicated += 1;
          else if (sequence < next) reordered += 1;
          came.add(sequence);
          next = Math.max(next, sequence + 1);
        }
        sender.send(...sequences.map((sequence) => payload(sequence, 16)));
        expect(sender.counts).toEqual({ sent: next, lost: next - came.size, duplicated, reordered, corrupted: 0 });
      }),
    );
  });

  test.each([16, 17, 100, 1400])(
    'of %i bytes that were corrupted by one bit, whichever, are corrupted and not lost',
    (size) => {
      const bits = size * 8;
      for (let bit = 0; bit < bits; bit += size > 100 ? 7 : 1) {
        const [zero, one, three, four] = [0, 1, 3, 4].map((sequence) => payload(sequence, size));
        const sender = new Sender().send(zero!, flipped(one!, bit), three!, flipped(four!, (bit * 5) % bits));
        expect(sender.counts).toMatchObject({ ...NONE, lost: 1, corrupted: 2 });
      }
    },
  );

  test('are lost or corrupted, each counted once, with up to four flipped bits behind the header', () => {
    const arrival = fc.record({
      lost: fc.boolean(),
      flips: fc.uniqueArray(fc.nat({ max: 48 * 8 - 1 }), { maxLength: 4 }),
    });
    holds(
      fc.property(fc.array(arrival, { minLength: 1, maxLength: 30 }), (all) => {
        const sender = new Sender().send(payload(0, 64));
        let [lost, corrupted] = [0, 0];
        for (const [index, { lost: isLost, flips }] of all.entries()) {
          const data = flipped(payload(index + 1, 64), ...flips.map((bit) => 128 + bit));
          if (isLost) lost += 1;
          else {
            if (flips.length > 0) corrupted += 1;
            sender.send(data);
          }
        }
        sender.send(payload(all.length + 1, 64));
        expect(sender.counts).toEqual({ sent: all.length + 2, lost, duplicated: 0, reordered: 0, corrupted });
      }),
    );
  });

  test('are corrupted and not lost if the first one is, or the last one', () => {
    const [zero, one, two] = numbered(0, 1, 2).map((data) => flipped(data, 8 * 30));
    expect(countsOf(zero!, ...numbered(1))).toEqual({ sent: 2, ...NONE, corrupted: 1 });
    expect(countsOf(zero!, one!, two!, ...numbered(3))).toEqual({ sent: 4, ...NONE, corrupted: 3 });
    expect(countsOf(...numbered(0), one!)).toEqual({ sent: 2, ...NONE, corrupted: 1 });
    expect(countsOf(...numbered(0), flipped(payload(3), 8 * 30))).toEqual({ sent: 4, ...NONE, lost: 2, corrupted: 1 });
  });

  test('are corrupted and not lost if their end was cut off, or bytes were added', () => {
    const cut = [12, 15, 16, 39].map((size, index) => payload(index + 1).subarray(0, size));
    const longer = Buffer.concat([payload(5), Buffer.from('x')]);
    expect(countsOf(payload(0), ...cut, longer, payload(6))).toEqual({ sent: 7, ...NONE, corrupted: 5 });
  });

  test('have a corrupted copy, which stands for none that is lost', () => {
    const copy = flipped(payload(1), 8 * 20);
    expect(countsOf(...numbered(0, 1), copy, ...numbered(3))).toEqual({ sent: 4, ...NONE, lost: 1, corrupted: 1 });
  });

  test('of several runs are counted run by run, also if datagrams of an older run come late', () => {
    const [first, second] = [1, 2].map((run) => [0, 1, 2].map((sequence) => payload(sequence, 40, run)));
    const sender = new Sender().send(first![0]!, first![2]!, second![0]!, first![1]!, second![2]!);
    expect(sender.counts).toEqual({ sent: 6, ...NONE, lost: 1, reordered: 1 });
  });

  test('of more runs than are remembered keep their counts', () => {
    const sender = new Sender();
    for (let run = 1; run <= 50; run += 1) sender.send(payload(0, 20, run * 1e9), payload(2, 20, run * 1e9));
    expect(sender.counts).toEqual({ sent: 150, ...NONE, lost: 50 });
  });

  test('are counted between datagrams without a number', () => {
    const text = Buffer.from('a line of text, which has no number');
    const sender = new Sender().send(text, ...numbered(0), text, Buffer.alloc(0), ...numbered(2));
    expect(sender.counts).toEqual({ sent: 3, ...NONE, lost: 1 });
  });
});

describe('a peer without numbered payloads', () => {
  const lines = (count: number): Buffer[] =>
    Array.from({ length: count }, (_, nth) => Buffer.from(`this is line ${nth}`));

  test('has no counts, and only some of its datagrams are read', () => {
    const sender = new Sender().send(...lines(10_000));
    expect(sender.counts).toBeUndefined();
    expect(sender.reads).toBe(16 + 9);
  });

  test.each([Buffer.alloc(16), Buffer.alloc(1400), Buffer.alloc(64, 0xff)])(
    'of other bytes has no counts either (case %#)',
    (data) => {
      expect(countsOf(...Array<Buffer>(100).fill(data))).toBeUndefined();
    },
  );

  test('is read again after a pause, so that a run from the same port is counted from its first datagram on', () => {
    const sender = new Sender().send(...lines(1000));
    sender.timeMs += 2000;
    expect(sender.send(...numbered(1, 2, 4)).counts).toEqual({ sent: 5, ...NONE, lost: 2 });
  });

  test('that begins to number is found within a second, and the datagrams before are not lost', () => {
    const sender = new Sender().send(...lines(100));
    const all = Array.from({ length: 3000 }, (_, sequence) => sequence).filter((sequence) => sequence !== 2500);
    expect(sender.send(...numbered(...all)).counts).toEqual({ sent: 3000, ...NONE, lost: 1 });
  });

  test('is not read any more once its numbered run is over', () => {
    const sender = new Sender().send(...numbered(0, 1));
    sender.reads = 0;
    sender.send(...lines(10_000));
    expect(sender.reads).toBeLessThan(30);
    expect(sender.counts).toEqual({ sent: 2, ...NONE });
  });
});

describe('the memory for one peer', () => {
  test('is bounded, and every number of a long shuffled run without duplicates is still counted once', () => {
    const sender = new Sender(16);
    const half = 5000;
    const even = Array.from({ length: half }, (_, nth) => payload(2 * nth, 16));
    const odd = Array.from({ length: half }, (_, nth) => payload(2 * nth + 1, 16));
    sender.send(...even, ...odd);
    expect(sender.counts).toEqual({ sent: 2 * half, ...NONE, reordered: half - 1 });
  });
});
