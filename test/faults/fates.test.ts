import { describe, expect, test } from '@jest/globals';
import type { Fate } from '../../src/faults/fault.js';
import { activeFaults } from '../../src/faults/active-fault.js';
import { Fates } from '../../src/faults/fates.js';
import { directedSeed } from '../../src/faults/random.js';
import { FAULTS, type FaultSettings } from '../../src/faults/table.js';
import { fc, holds } from '../support/property.js';

const COUNT = 100_000;

const fates = (settings: FaultSettings, seed: number, count: number): Fate[] => {
  const source = new Fates(activeFaults(settings), seed);
  return Array.from({ length: count }, () => source.next(100));
};

/** Takes one property of each of 100,000 fates. The fates themselves are not kept: they would take much memory. */
function ofMany<T>(settings: FaultSettings, seed: number, pick: (fate: Fate) => T, bytes = 100): T[] {
  const source = new Fates(activeFaults(settings), seed);
  return Array.from({ length: COUNT }, () => pick(source.next(bytes)));
}

/** Asserts that a count of events is within the interval that 99.9 % of runs with this probability are in. */
function expectRate(happened: number, probability: number, count = COUNT): void {
  const allowed = 3.29 * Math.sqrt(count * probability * (1 - probability));
  expect(Math.abs(happened - count * probability)).toBeLessThanOrEqual(allowed);
}

describe('over 100,000 responses, within the interval of 99.9 %,', () => {
  const faults: Readonly<Record<string, (fate: Fate) => boolean>> = {
    loss: ({ lostBy }) => lostBy !== undefined,
    duplicate: ({ duplicated }) => duplicated,
    reorder: ({ reordered }) => reordered,
    corrupt: ({ flippedBits }) => flippedBits.length > 0,
    truncate: ({ keptBytes }) => keptBytes !== undefined,
  };
  const cases = Object.keys(faults).flatMap((fault) =>
    [0.001, 0.01, 0.05, 0.5, 0.99].map((probability) => ({ fault, probability })),
  );

  test.each(cases)('$fault happens with a probability of $probability', ({ fault, probability }) => {
    expectRate(ofMany({ [fault]: probability }, 1, faults[fault]!).filter(Boolean).length, probability);
  });

  test.each(Object.keys(faults))('%s never happens with 0 and always with 1', (fault) => {
    const happens = faults[fault]!;
    expect(fates({ [fault]: 0 }, 3, 1000).some(happens)).toBe(false);
    expect(fates({ [fault]: 1 }, 3, 1000).every(happens)).toBe(true);
  });

  test('1 to 4 bits are flipped, each number as often as the others, and every bit as well', () => {
    const flipped = ofMany({ corrupt: 1 }, 4, ({ flippedBits }) => flippedBits, 10);
    for (const count of [1, 2, 3, 4]) expectRate(flipped.filter(({ length }) => length === count).length, 0.25);
    const counts = new Array<number>(80).fill(0);
    for (const bit of flipped.flat()) counts[bit]! += 1;
    // Of 80 counts, one or two can be outside the interval of 99.9 %: this interval is wider.
    const allowed = 4.5 * Math.sqrt(COUNT * (2.5 / 80) * (1 - 2.5 / 80));
    for (const count of counts) expect(Math.abs(count - COUNT * (2.5 / 80))).toBeLessThan(allowed);
  });

  test('a cut gives every smaller size equally often', () => {
    const sizes = ofMany({ truncate: 1 }, 5, ({ keptBytes }) => keptBytes, 10);
    for (let size = 0; size < 10; size += 1) expectRate(sizes.filter((kept) => kept === size).length, 0.1);
  });

  test('jitter is uniform on both sides of the delay by default', () => {
    const jitter = { ms: 5, distribution: 'uniform' } as const;
    const delays = ofMany({ delay: 20, jitter }, 6, ({ delaysMs: [ms] }) => ms);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(15);
    expect(Math.max(...delays)).toBeLessThan(25);
    for (const ms of [16, 18, 20, 23]) expectRate(delays.filter((delay) => delay < ms).length, (ms - 15) / 10);
  });

  test('normal jitter has its standard deviation, mean and tails', () => {
    const jitter = { ms: 5, distribution: 'normal' } as const;
    const delays = ofMany({ delay: 50, jitter }, 7, ({ delaysMs: [ms] }) => ms);
    const mean = delays.reduce((sum, ms) => sum + ms, 0) / COUNT;
    expect(Math.abs(mean - 50)).toBeLessThan((3.29 * 5) / Math.sqrt(COUNT));
    const deviation = Math.sqrt(delays.reduce((sum, ms) => sum + (ms - mean) ** 2, 0) / COUNT);
    expect(Math.abs(deviation - 5)).toBeLessThan((3.29 * 5) / Math.sqrt(2 * COUNT));
    // These shares are those of the exact normal distribution. The sum of twelve uniform numbers is as near as 0.006.
    for (const [ms, share] of [
      [45, 0.1587],
      [50, 0.5],
      [55, 0.8413],
      [60, 0.9772],
    ] as const) {
      expect(Math.abs(delays.filter((delay) => delay < ms).length / COUNT - share)).toBeLessThan(0.006);
    }
  });

  test('bursts have the stationary loss and the mean length of the Gilbert-Elliott model', () => {
    for (const { p, r, k, h } of [
      { p: 0.01, r: 0.25, k: 1, h: 0 },
      { p: 0.05, r: 0.5, k: 1, h: 0 },
      { p: 0.02, r: 0.1, k: 0.999, h: 0.3 },
    ]) {
      const lost = ofMany({ burstLoss: { p, r, k, h } }, 8, (fate) => fate.lostBy !== undefined);
      const share = ((1 - h) * p + (1 - k) * r) / (p + r);
      // The number of losses varies more if they come together. The correlation of the chain is 1 - p - r.
      const widening = (2 - p - r) / (p + r);
      const allowed = 3.29 * Math.sqrt(COUNT * share * (1 - share) * widening);
      expect(Math.abs(lost.filter(Boolean).length - COUNT * share)).toBeLessThan(allowed);
      if (h > 0) continue;
      const bursts = lost.filter((isLost, index) => isLost && lost[index - 1] !== true).length;
      const length = lost.filter(Boolean).length / bursts;
      expect(Math.abs(length - 1 / r)).toBeLessThan((3.29 * Math.sqrt(1 - r)) / r / Math.sqrt(bursts));
    }
  });

  test('with two kinds of loss, a datagram is lost if either loses it', () => {
    const both = { loss: 0.1, burstLoss: { p: 0.02, r: 0.5, k: 1, h: 0 } };
    const lossesOf = (settings: FaultSettings): boolean[] => ofMany(settings, 9, ({ lostBy }) => lostBy !== undefined);
    const [single, bursts] = [lossesOf({ loss: both.loss }), lossesOf({ burstLoss: both.burstLoss })];
    expect(lossesOf(both)).toEqual(single.map((lost, index) => lost || bursts[index]));
  });
});

describe('the same seed', () => {
  const probability = fc.double({ min: 0, max: 1, noNaN: true });
  const settings: fc.Arbitrary<FaultSettings> = fc.record(
    {
      delay: fc.nat(1000),
      jitter: fc.record({ ms: fc.nat(100), distribution: fc.constantFrom('uniform', 'normal') }),
      loss: probability,
      burstLoss: fc.record({ p: probability, r: probability, k: probability, h: probability }),
      duplicate: probability,
      reorder: probability,
      corrupt: probability,
      truncate: probability,
    },
    { requiredKeys: [] },
  );
  const seed = fc.nat(0xffff_ffff);

  test('gives the same fates again', () => {
    holds(
      fc.property(settings, seed, (chosen, number) => {
        expect(JSON.stringify(fates(chosen, number, 20))).toBe(JSON.stringify(fates(chosen, number, 20)));
      }),
    );
  });

  test('gives one fault the same effect, whatever other faults there are, and however large earlier responses were', () => {
    holds(
      fc.property(
        settings,
        settings,
        seed,
        fc.array(fc.nat(2000), { minLength: 20, maxLength: 20 }),
        (one, other, number, sizes) => {
          const alone = new Fates(activeFaults(one), number);
          const among = new Fates(activeFaults({ ...other, ...one }), number);
          const chosen = (fates: readonly Fate[]): string =>
            JSON.stringify(
              fates.map(({ duplicated, reordered, keptBytes, delaysMs }, index) => [
                one.duplicate !== undefined && duplicated,
                one.reorder !== undefined && reordered,
                one.truncate !== undefined && sizes[index] !== 0 && keptBytes !== undefined,
                one.jitter !== undefined && one.delay !== undefined && delaysMs,
              ]),
            );
          expect(chosen(sizes.map((size) => among.next(size)))).toBe(chosen(sizes.map(() => alone.next(100))));
        },
      ),
    );
  });

  test('gives other fates than the next seed', () => {
    expect(fates({ loss: 0.5 }, 10, 100)).not.toEqual(fates({ loss: 0.5 }, 11, 100));
  });

  test('gives these fates on every platform', () => {
    const all = {
      delay: 10,
      jitter: { ms: 4, distribution: 'normal' as const },
      loss: 0.2,
      burstLoss: { p: 0.1, r: 0.5, k: 1, h: 0.25 },
      duplicate: 0.2,
      reorder: 0.2,
      corrupt: 0.3,
      truncate: 0.3,
    };
    expect(fates(all, 20_261_124, 12).map(summarize)).toEqual(PINNED);
  });

  /** They never change: a user who kept a seed wants the same faults in every version. */
  const PINNED: readonly string[] = [
    'lost 55 [] 12.796764550730586 15.574482645839453',
    ' all [] 12.25703475996852 7.058267711661756',
    'lost all [] 4.942465096712112 10.883391845971346',
    ' 53 [145,22,107] 10.888803083449602 9.553629832342267',
    ' all [] 16.879620351828635 3.255315985530615',
    ' all [] 4.7278341837227345 11.326658243313432',
    'lost reordered 42 [] 7.413095759227872 12.306998450309038',
    ' 14 [] 6.824178708717227 14.501318749971688',
    ' 98 [] 11.437588375993073 15.31621043663472',
    'lost all [] 4.797753389924765 7.510927473194897',
    ' 19 [] 15.366710563190281 14.586673041805625',
    ' all [] 10.501032159663737 13.677007119171321',
  ];

  function summarize({ lostBy, keptBytes, flippedBits, duplicated, reordered, delaysMs }: Fate): string {
    const faults = [lostBy && 'lost', duplicated && 'duplicated', reordered && 'reordered'].filter(Boolean);
    return `${faults.join(' ')} ${keptBytes ?? 'all'} [${flippedBits.join()}] ${delaysMs.join(' ')}`;
  }
});

test('no two faults share a stream of random numbers', () => {
  const streams = Object.values(FAULTS).flatMap(({ stream }) => stream ?? []);
  expect(new Set(streams).size).toBe(streams.length);
});

test('a payload is cut to fewer bytes, each flipped bit is within the rest, and an empty payload is left alone', () => {
  holds(
    fc.property(fc.nat(0xffff_ffff), fc.array(fc.nat(20), { minLength: 1, maxLength: 20 }), (seed, sizes) => {
      const source = new Fates(activeFaults({ corrupt: 1, truncate: 0.5 }), seed);
      for (const size of sizes) {
        const { keptBytes, flippedBits } = source.next(size);
        const bits = (keptBytes ?? size) * 8;
        if (keptBytes !== undefined && (keptBytes < 0 || keptBytes >= size)) throw new Error(`${keptBytes} of ${size}`);
        expect(new Set(flippedBits).size).toBe(flippedBits.length);
        expect(flippedBits.length > 0).toBe(bits > 0);
        for (const bit of flippedBits) if (bit < 0 || bit >= bits) throw new Error(`${bit} of ${bits}`);
      }
    }),
  );
});

test('no delay is below 0, however large the jitter', () => {
  for (const distribution of ['uniform', 'normal'] as const) {
    const delays = fates({ delay: 1, jitter: { ms: 10, distribution } }, 12, 10_000).flatMap(
      ({ delaysMs }) => delaysMs,
    );
    expect(Math.min(...delays)).toBe(0);
  }
});

describe('a fate by its place', () => {
  /** The fates of the first datagrams of conversations, in the order of `places`. */
  function at(
    settings: FaultSettings,
    seed: number,
    places: readonly (readonly [number, number])[],
  ): Map<string, string> {
    const source = new Fates(activeFaults(settings), seed);
    return new Map(
      places.map(([conversation, nth]) => {
        const fate = source.at({ bytes: 100, sinceStartMs: 0, nth, flow: { number: conversation } });
        return [`${conversation} ${nth}`, JSON.stringify(fate)] as const;
      }),
    );
  }

  test('is the same, however the datagrams of the conversations mix', () => {
    const settings = {
      loss: 0.3,
      duplicate: 0.3,
      corrupt: 0.5,
      truncate: 0.5,
      jitter: { ms: 5, distribution: 'normal' },
    } as const;
    const places = Array.from({ length: 400 }, (_, index) => [1 + (index % 20), 1 + Math.floor(index / 20)] as const);
    const mixed = [...places].sort(([a, b], [c, d]) => a - c || b - d);
    expect(Object.fromEntries(at(settings, 7, mixed))).toEqual(Object.fromEntries(at(settings, 7, places)));
    expect(at(settings, 8, places)).not.toEqual(at(settings, 7, places));
  });

  test.each([
    ['one conversation', (index: number) => [1, index + 1] as const],
    ['the first datagram of each conversation', (index: number) => [index + 1, 1] as const],
    ['a thousand conversations', (index: number) => [1 + (index % 1000), 1 + Math.floor(index / 1000)] as const],
  ])('has its probability over 40,000 datagrams of %s', (_, place) => {
    const count = 40_000;
    for (const probability of [0.01, 0.5]) {
      const source = new Fates(activeFaults({ loss: probability, duplicate: probability }), 11);
      let [lost, duplicated, both] = [0, 0, 0];
      for (let index = 0; index < count; index += 1) {
        const [conversation, nth] = place(index);
        const fate = source.at({ bytes: 100, sinceStartMs: 0, nth, flow: { number: conversation } });
        if (fate.lostBy !== undefined) lost += 1;
        if (fate.duplicated) duplicated += 1;
        if (fate.lostBy !== undefined && fate.duplicated) both += 1;
      }
      expectRate(lost, probability, count);
      expectRate(duplicated, probability, count);
      expectRate(both, probability ** 2, count);
    }
  });

  test('gives these losses on every platform', () => {
    const source = new Fates(activeFaults({ loss: 0.5 }), 20_261_129);
    const lost = (conversation: number): string =>
      Array.from({ length: 32 }, (_, index) =>
        source.at({ bytes: 1, sinceStartMs: 0, nth: index + 1, flow: { number: conversation } }).lostBy === undefined
          ? '.'
          : 'x',
      ).join('');
    expect([1, 2, 2 ** 31].map(lost)).toEqual([
      'xx.x.xx...x.x..xxxxxxxx.x.x.xxxx',
      'xxxxxxx......x.xx.xxx....x..x...',
      '.xx.x.xx.x.xxxxxx.x..xx.........',
    ]);
  });

  test('differs between the directions', () => {
    const seeds = (['up', 'down'] as const).map((direction) => directedSeed(1, direction));
    expect(new Set([1, ...seeds]).size).toBe(3);
  });
});

test('the first fault that loses a datagram is named, and a blackhole before all others', () => {
  const losing = { loss: 1, maxSize: 10, lose: [{ from: 1, to: 9 }] };
  const namesOf = (settings: FaultSettings): unknown => new Fates(activeFaults(settings), 1).next(100, 5, 1).lostBy;
  expect(namesOf(losing)).toBe('loss');
  expect(namesOf({ ...losing, loss: 0 })).toBe('lose');
  expect(namesOf({ maxSize: 10 })).toBe('maxSize');
  expect(namesOf({ maxSize: 100 })).toBeUndefined();
  expect(namesOf({ ...losing, blackhole: [{ fromMs: 0, toMs: 10 }] })).toBe('blackhole');
});
