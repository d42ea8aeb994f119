import { expect, test } from '@jest/globals';
import { Random, randomStreams, type RandomState } from '../../src/faults/random.js';

const take = (random: Random, count: number): number[] => Array.from({ length: count }, () => random.next());

test.each<{ state: RandomState; row: readonly number[] }>([
  { state: [1, 2, 3, 4], row: [11_520, 0, 5_927_040, 70_819_200] },
  {
    state: [0x964d4a0c, 0xd40ab895, 0xad7fdecb, 0x3006f0f0],
    row: [0xf1391922, 0x6fe53806, 0xa5be2840, 0xf510ee70],
  },
])('xoshiro128** from $state gives the numbers of the reference implementation', ({ state, row }) => {
  expect(take(new Random(state), row.length)).toEqual(row);
});

test('a seed gives these numbers on every platform', () => {
  expect(randomStreams(42, 2).map((random) => take(random, 3))).toEqual(PINNED);
  expect(
    randomStreams(42, 7)
      .slice(0, 2)
      .map((random) => take(random, 3)),
  ).toEqual(PINNED);
});

/** They never change: a user who kept a seed wants the same faults in every version. */
const PINNED = [
  [2_837_322_924, 544_945_897, 479_756_282],
  [2_669_080_354, 2_308_200_711, 658_645_022],
];

test('neighbouring seeds, and the streams of one seed, have no number in common', () => {
  const firsts = Array.from({ length: 1000 }, (_, seed) =>
    randomStreams(seed, 7).map((random) => random.next()),
  ).flat();
  expect(new Set(firsts).size).toBe(firsts.length);
});

test('fractions are from 0 to below 1, and half of them are below 0.5', () => {
  const [random] = randomStreams(1, 1);
  const fractions = Array.from({ length: 100_000 }, () => random!.fraction());
  expect(Math.min(...fractions)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...fractions)).toBeLessThan(1);
  const low = fractions.filter((fraction) => fraction < 0.5).length;
  expect(Math.abs(low - 50_000)).toBeLessThan(3.29 * Math.sqrt(25_000));
});
