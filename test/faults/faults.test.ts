import { describe, expect, test } from '@jest/globals';
import { MAX_WAITING } from '../../src/timing/delay-line.js';
import type { FaultSettings } from '../../src/faults/table.js';
import { activeFaults } from '../../src/faults/active-fault.js';
import { Faults } from '../../src/faults/faults.js';
import { Line } from '../../src/faults/line.js';
import type { Blackhole } from '../../src/faults/blackhole.js';
import { wallClockMs } from '../../src/net/clock.js';
import type { Outgoing } from '../../src/net/index.js';
import { fc, holds } from '../support/property.js';

const response = (data: string | Uint8Array, port = 5000): Outgoing => ({
  data: Uint8Array.from(Buffer.from(data as string)),
  remote: { address: '192.0.2.1', port },
});
const responses = (count: number, port = 5000): Outgoing[] =>
  Array.from({ length: count }, (_, index) => response(`response ${index}`, port));
const texts = (all: readonly Outgoing[]): string[] => all.map(({ data }) => Buffer.from(data).toString());

/** Starts faults, and collects the datagrams that leave later. */
function begin(settings: FaultSettings, blackholes: readonly Blackhole[] = [], seed = 1) {
  const faults = new Faults(
    activeFaults({ ...settings, ...(blackholes.length > 0 && { blackhole: blackholes }) }),
    seed,
  );
  const later: Outgoing[] = [];
  const told = { corrupted: 0, overflows: 0 };
  faults.begin({
    onDue: (due) => {
      later.push(...due);
      return Promise.resolve();
    },
    onCorrupted: () => {
      told.corrupted += 1;
    },
    onOverflow: () => {
      told.overflows += 1;
    },
  });
  return { faults, later, told };
}

describe('faults', () => {
  test('account for every response and every copy', async () => {
    const { faults, later } = begin({
      delay: 1,
      jitter: { ms: 2, distribution: 'uniform' },
      loss: 0.1,
      burstLoss: { p: 0.05, r: 0.5, k: 1, h: 0 },
      duplicate: 0.1,
      reorder: 0.1,
      corrupt: 0.1,
      truncate: 0.1,
    });
    const now = faults.apply(responses(10_000));
    await faults.empty();
    const { answers: count, duplicated, lost, overflowed, unsent } = faults.fields();
    expect({ count, overflowed, unsent }).toEqual({ count: 10_000, overflowed: 0, unsent: 0 });
    const copiesOfLost = count + duplicated - lost - now.length - later.length;
    expect(copiesOfLost).toBe(0);
  });

  test('keep the local address of each response, changed or not, now or later', async () => {
    const local = { address: '192.0.2.7', port: 7000 };
    const asked = responses(100).map((one) => ({ ...one, local }));
    const { faults, later } = begin({ corrupt: 0.3, truncate: 0.3, duplicate: 0.3 });
    const now = faults.apply(asked);
    const { faults: slow, later: late } = begin({ corrupt: 0.3, delay: 2, reorder: 0.3 });
    now.push(...slow.apply(asked));
    await slow.empty();
    const all = [...now, ...later, ...late];
    expect(all.length).toBeGreaterThan(200);
    expect(all.filter((one) => one.local !== local)).toEqual([]);
  });

  test('count a delay from the arrival of a datagram, at most 100 ms ago, and keep the order of the moments', async () => {
    const { faults, later } = begin({ delay: 150 });
    const arrived = (data: string, agoMs: number) => ({ ...response(data), arrivedMs: wallClockMs() - agoMs });
    // The clock of the system was set meanwhile where it is an hour.
    const all = [
      arrived('an hour ago', 3.6e6),
      response('now'),
      arrived('60 ms ago', 60),
      arrived('in an hour', -3.6e6),
    ];
    const nowMs = performance.now();
    for (const one of all) expect(faults.apply([one], nowMs)).toEqual([]);
    await faults.empty();
    expect(texts(later)).toEqual(['an hour ago', '60 ms ago', 'now', 'in an hour']);
    const { faults: short, later: due } = begin({ delay: 10 });
    // Its moment has passed, but others may be due before it.
    expect(short.apply([arrived('late', 60)])).toEqual([]);
    await short.empty();
    expect(texts(due)).toEqual(['late']);
  });

  test('do not change payloads by delay, reordering and copies', async () => {
    const { faults, later } = begin({
      delay: 3,
      jitter: { ms: 3, distribution: 'normal' },
      reorder: 0.3,
      duplicate: 1,
    });
    const sent = responses(2000);
    const now = faults.apply(sent);
    await faults.empty();
    expect(texts([...now, ...later]).sort()).toEqual([...texts(sent), ...texts(sent)].sort());
  });

  test('change a copy of the payload, and leave the given one alone', () => {
    holds(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(0xffff_ffff), (payload, seed) => {
        const given = response(payload);
        const before = given.data.slice();
        const { faults } = begin({ corrupt: 1 }, [], seed);
        const [changed] = faults.apply([given]);
        expect(given.data).toEqual(before);
        expect(changed?.data.length).toBe(before.length);
        expect(Buffer.compare(changed!.data, before) === 0).toBe(before.length === 0);
        expect(faults.fields().corrupted).toBe(before.length === 0 ? 0 : 1);
      }),
    );
  });

  test('cut to the beginning of the payload, and leave an empty one', () => {
    const { faults } = begin({ truncate: 1 });
    const cut = faults.apply([...responses(100), response('')]);
    for (const { data } of cut) expect('response '.startsWith(Buffer.from(data).toString().slice(0, 9))).toBe(true);
    for (const [index, { data }] of cut.slice(0, 100).entries()) {
      expect(data.length).toBeLessThan(`response ${index}`.length);
    }
    expect(faults.fields().truncated).toBe(100);
  });

  test('hold a datagram back until the next one to its peer has left', () => {
    const { faults } = begin({ reorder: 0.2 });
    const order = texts(faults.apply(responses(1000))).map((text) => Number(text.split(' ')[1]));
    faults.stop();
    let largest = -1;
    let reordered = 0;
    for (const number of order) {
      if (number < largest) reordered += 1;
      largest = Math.max(largest, number);
    }
    // A datagram is reordered if one with a larger number came before (RFC 4737). The last ones may have had none after them.
    expect(reordered).toBe(faults.fields().reordered - faults.fields().unsent);
    expect(faults.fields().unsent).toBeLessThan(10);
    expect(reordered).toBeGreaterThan(150);
  });

  test('send nothing in a blackhole, and afterwards the same as without it', () => {
    const startMs = performance.now();
    const { faults } = begin({ loss: 0.5 }, [
      { fromMs: 1_000_000, toMs: 2_000_000 },
      { fromMs: 5_000_000, toMs: Infinity },
    ]);
    const { faults: without } = begin({ loss: 0.5 });
    const at = (later: number, which = faults): string[] =>
      texts(which.apply(responses(100), startMs + later + 500_000));
    const all = [0, 1e6, 2e6, 4e6, 5e6, 1e12].map((later) => [at(later), at(later, without)] as const);
    for (const index of [0, 2, 3]) expect(all[index]![0]).toEqual(all[index]![1]);
    for (const index of [1, 4, 5]) expect(all[index]![0]).toEqual([]);
    expect(faults.fields().blackholed).toBe(300);
  });

  test('tell the first overflow, and count all', () => {
    const { faults, told } = begin({ delay: 60_000 });
    const [one] = responses(1);
    for (let count = 0; count < MAX_WAITING + 10; count += 1) faults.apply([one!]);
    expect(told.overflows).toBe(1);
    expect(faults.fields().overflowed).toBe(10);
    faults.stop();
    faults.stop();
    expect(faults.fields().unsent).toBe(MAX_WAITING);
  });

  test('tell each corrupted response', () => {
    const { faults, told } = begin({ corrupt: 0.5 });
    faults.apply([...responses(100), response('')]);
    expect(told.corrupted).toBe(faults.fields().corrupted);
    expect(told.corrupted).toBeGreaterThan(30);
  });

  test('send all waiting datagrams in a hurry', async () => {
    const { faults, later } = begin({ delay: 60_000 });
    expect(faults.apply(responses(3000))).toEqual([]);
    faults.hurry();
    await faults.empty();
    expect(texts(later)).toEqual(texts(responses(3000)));
  });

  test('describe the seed, and the counts above 0', () => {
    const { faults } = begin({ loss: 1 }, [], 77);
    expect(faults.describe()).toBe('faults (--seed 77): 0 answers');
    faults.apply(responses(1));
    expect(faults.describe()).toBe('faults (--seed 77): 1 answer, 1 lost');
    faults.apply(responses(1));
    expect(faults.describe()).toBe('faults (--seed 77): 2 answers, 2 lost');
  });
});

describe('a line of --bandwidth', () => {
  const line = (settings: FaultSettings, sizes: readonly number[], remote = { address: '192.0.2.1', port: 5000 }) => {
    const { faults } = begin(settings);
    const nowMs = performance.now();
    const now = faults.apply(
      sizes.map((size) => ({ data: new Uint8Array(size), remote })),
      nowMs,
    );
    return { faults, now, nowMs };
  };

  test.each([
    ['192.0.2.1', 28],
    ['2001:db8::1', 48],
  ])('carries payloads and headers one after another to %s', (address, headerBytes) => {
    const one = new Line(8000);
    const remote = { address, port: 1 };
    // 8000 bits a second are 1 byte a millisecond.
    expect(one.pass(72, remote, 1000, 100)).toBe(1000 + 72 + headerBytes);
    expect(one.pass(0, remote, 1000, 100 + headerBytes)).toBe(1000 + 72 + 2 * headerBytes);
    expect(one.pass(10, remote, 5000, 100)).toBe(5000 + 10 + headerBytes);
  });

  test('loses datagrams that would wait longer than the queue', () => {
    const { faults, now } = line({ bandwidth: 8000, lineQueue: 250 }, [72, 72, 72, 72, 72]);
    // They would wait 0, 100, 200, 300 and 300 ms.
    expect(now).toEqual([]);
    expect(faults.fields()).toMatchObject({ answers: 5, lineFull: 2, lost: 0 });
    expect(faults.waiting).toBe(3);
    faults.stop();
  });

  test('has a queue of 100 ms by default, and carries copies, too', () => {
    const { faults } = line({ bandwidth: 8000, duplicate: 1 }, [60, 60]);
    // Copies count: they would wait 0, 88, 176 and 176 ms.
    expect(faults.fields()).toMatchObject({ answers: 2, duplicated: 2, lineFull: 2 });
    faults.stop();
  });

  test('is passed at its rate', async () => {
    const { faults, later } = begin({ bandwidth: 1e6 });
    const sent = Array.from({ length: 30 }, () => response(new Uint8Array(97)));
    const startMs = performance.now();
    // 125 bytes take a millisecond.
    expect(faults.apply(sent, startMs)).toEqual([]);
    await faults.empty();
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(30);
    expect(later).toHaveLength(30);
  });
});

test('--lose loses the datagrams with these numbers of each peer', () => {
  const { faults } = begin({
    lose: [
      { from: 1, to: 1 },
      { from: 3, to: 4 },
    ],
  });
  const [one, other] = [responses(5, 5001), responses(5, 5002)];
  const mixed = one.flatMap((first, index) => [first, other[index]!]);
  const left = faults.apply(mixed);
  for (const port of [5001, 5002]) {
    expect(texts(left.filter(({ remote }) => remote.port === port))).toEqual(['response 1', 'response 4']);
  }
  expect(faults.fields()).toMatchObject({ answers: 10, lost: 6 });
});

test('datagrams of one conversation overtake each other, and no others', () => {
  const [first, second] = [{ number: 1 }, { number: 2 }];
  const { faults } = begin({ reorder: 1 });
  faults.apply([{ ...response('held back'), place: { flow: first, nth: 1 } }]);
  faults.change(activeFaults({ reorder: 0 }));
  expect(texts(faults.apply([{ ...response('other'), place: { flow: second, nth: 1 } }]))).toEqual(['other']);
  expect(texts(faults.apply([{ ...response('next'), place: { flow: first, nth: 2 } }]))).toEqual(['next', 'held back']);
});
