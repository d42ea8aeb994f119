import { describe, expect, test } from '@jest/globals';
import { DelayLine, MAX_HELD_BACK_MS, MAX_WAITING, MAX_WAITING_BYTES } from '../../src/timing/delay-line.js';
import type { Outgoing } from '../../src/net/index.js';
import { fc, holdsAsync } from '../support/property.js';

const answer = (data: string | Uint8Array, port = 5000): Outgoing => ({
  data: Buffer.from(data as string),
  remote: { address: '192.0.2.1', port },
});
const texts = (all: readonly Outgoing[]): string[] => all.map(({ data }) => Buffer.from(data).toString());

/** Makes a delay line, and an array of the payloads that it releases with their moments. */
function line() {
  const released: { readonly outgoing: Outgoing; readonly atMs: number }[] = [];
  let underWay = 0;
  const delayLine = new DelayLine(async (due) => {
    underWay += 1;
    if (underWay > 1) throw new Error('released twice at once');
    const atMs = performance.now();
    for (const outgoing of due) released.push({ outgoing, atMs });
    await Promise.resolve();
    underWay -= 1;
  });
  return { delayLine, released, texts: () => texts(released.map(({ outgoing }) => outgoing)) };
}

describe('a line of datagrams that wait', () => {
  test('releases each at its moment and not before, the earlier ones first', async () => {
    const { delayLine, released, texts } = line();
    const startMs = performance.now();
    const dueMs = [30, 10, 20, 0, 10];
    for (const [index, later] of dueMs.entries()) delayLine.add(answer(`${later} ${index}`), startMs + later);
    await delayLine.empty();
    expect(texts()).toEqual(['0 3', '10 1', '10 4', '20 2', '30 0']);
    for (const { outgoing, atMs } of released) {
      expect(atMs - startMs).toBeGreaterThanOrEqual(Number.parseInt(Buffer.from(outgoing.data).toString(), 10));
    }
    expect(delayLine.size).toBe(0);
  });

  test('releases all in the order in which they are due, those due together in that in which they came', async () => {
    await holdsAsync(
      fc.asyncProperty(fc.array(fc.nat(50), { maxLength: 200 }), async (moments) => {
        const { delayLine, texts } = line();
        const startMs = performance.now() + 60_000;
        for (const [index, later] of moments.entries()) delayLine.add(answer(String(index)), startMs + later);
        delayLine.hurry();
        await delayLine.empty();
        expect(texts()).toEqual(
          moments
            .map((moment, index) => ({ moment, index }))
            .sort((a, b) => a.moment - b.moment || a.index - b.index)
            .map(({ index }) => String(index)),
        );
      }),
    );
  });

  test('takes more while it releases, and one that is due before all others', async () => {
    const { delayLine, texts } = line();
    const nowMs = performance.now();
    delayLine.add(answer('late'), nowMs + 40);
    delayLine.add(answer('early'), nowMs + 5);
    await Promise.resolve();
    delayLine.add(answer('earlier'), nowMs);
    await delayLine.empty();
    expect(texts()).toEqual(['earlier', 'early', 'late']);
  });

  test('has room for so many, and no more', () => {
    const { delayLine } = line();
    const dueMs = performance.now() + 60_000;
    for (let count = 0; count < MAX_WAITING; count += 1) {
      if (!delayLine.add(answer(''), dueMs)) throw new Error(`only ${count}`);
    }
    expect(delayLine.add(answer(''), dueMs)).toBe(false);
    expect(delayLine.holdBack(answer(''), dueMs)).toBe(false);
    expect(delayLine.size).toBe(MAX_WAITING);
    expect(delayLine.stop()).toBe(MAX_WAITING);
    expect(delayLine.size).toBe(0);
  });

  test('has room for so many bytes, and holds no more than the payloads', () => {
    const { delayLine } = line();
    const dueMs = performance.now() + 60_000;
    const slab = new Uint8Array(1_048_576);
    const large = answer('');
    let taken = 0;
    while (delayLine.add({ ...large, data: slab.subarray(0, 65_507) }, dueMs)) taken += 1;
    expect(taken).toBe(Math.floor(MAX_WAITING_BYTES / 65_507));
    slab.fill(1);
    expect(delayLine.add(answer('small'), dueMs)).toBe(true);
    delayLine.stop();
  });

  test('keeps no part of a larger buffer, which would keep all of it in memory', async () => {
    const { delayLine, released } = line();
    delayLine.add({ ...answer(''), data: new Uint8Array(65_536).subarray(0, 10) }, performance.now());
    await delayLine.empty();
    expect(released[0]?.outgoing.data.buffer.byteLength).toBe(10);
  });

  test('gives up what is due too late, and is empty when the rest has left', async () => {
    const { delayLine, texts } = line();
    const nowMs = performance.now();
    for (const [index, later] of [3_600_000, 30, 10, 3_600_000, 20].entries()) {
      delayLine.add(answer(`${later} ${index}`), nowMs + later);
    }
    delayLine.holdBack(answer('held back'), nowMs + 3_600_000);
    expect(delayLine.cut(nowMs + 1000)).toBe(3);
    expect(delayLine.overtake(answer(''))).toEqual([]);
    await delayLine.empty();
    expect(texts()).toEqual(['10 2', '20 4', '30 1']);
    delayLine.add(answer('never'), nowMs + 3_600_000);
    const empty = delayLine.empty();
    expect(delayLine.cut(performance.now())).toBe(1);
    await empty;
  });

  test('has nothing to wait for when it is empty or stopped', async () => {
    const { delayLine, texts } = line();
    await delayLine.empty();
    delayLine.add(answer('never'), performance.now() + 5);
    const empty = delayLine.empty();
    expect(delayLine.stop()).toBe(1);
    await empty;
    await delayLine.empty();
    expect(texts()).toEqual([]);
  });
});

describe('a datagram that is held back', () => {
  test('is given to the next to the same peer, and to no other', () => {
    const { delayLine } = line();
    const nowMs = performance.now();
    delayLine.holdBack(answer('first'), nowMs);
    delayLine.holdBack(answer('second'), nowMs + 5);
    delayLine.holdBack(answer('other', 5001), nowMs);
    expect(delayLine.overtake(answer('', 5002))).toEqual([]);
    const overtaken = delayLine.overtake({ ...answer('') });
    expect(texts(overtaken.map(({ outgoing }) => outgoing))).toEqual(['first', 'second']);
    expect(overtaken[0]?.dueMs).toBeCloseTo(nowMs, 6);
    expect(overtaken[1]?.dueMs).toBeCloseTo(nowMs + 5, 6);
    expect(delayLine.overtake(answer(''))).toEqual([]);
    expect(delayLine.stop()).toBe(1);
  });

  test('leaves without one after a while, once', async () => {
    const { delayLine, released, texts } = line();
    const nowMs = performance.now();
    delayLine.holdBack(answer('one'), nowMs);
    delayLine.holdBack(answer('two'), nowMs);
    await delayLine.empty();
    expect(texts()).toEqual(['one', 'two']);
    expect((released[0]?.atMs ?? 0) - nowMs).toBeGreaterThanOrEqual(MAX_HELD_BACK_MS);
    expect(delayLine.overtake(answer(''))).toEqual([]);
  });

  test('takes up room until its moment though it was overtaken, so that memory stays bounded', () => {
    const { delayLine } = line();
    const dueMs = performance.now() + 60_000;
    let taken = 0;
    while (delayLine.holdBack(answer(''), dueMs)) {
      taken += 1;
      delayLine.overtake(answer(''));
    }
    expect(taken).toBe(MAX_WAITING);
    expect(delayLine.size).toBe(0);
    delayLine.stop();
  });
});
