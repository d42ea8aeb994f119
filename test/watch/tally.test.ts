import { describe, expect, test } from '@jest/globals';
import { Tally } from '../../src/watch/tally.js';
import { fc, holds } from '../support/property.js';

describe('a tally of round-trip times', () => {
  test('has no summary without any', () => {
    expect(new Tally().summary()).toBeUndefined();
  });

  test('gives minimum and maximum exactly, median and p99 within 1 %', () => {
    holds(
      fc.property(fc.array(fc.double({ min: 0.01, max: 60_000, noNaN: true }), { minLength: 1 }), (times) => {
        const tally = new Tally();
        for (const ms of times) tally.record(ms);
        const sorted = [...times].sort((a, b) => a - b);
        const rank = (share: number): number => sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1] ?? NaN;
        const { minMs, p50Ms, p99Ms, maxMs } = tally.summary() ?? { minMs: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 };
        // They are rounded to the microsecond.
        expect(Math.abs(minMs - rank(0))).toBeLessThan(0.001);
        expect(Math.abs(maxMs - rank(1))).toBeLessThan(0.001);
        expect(Math.abs(p50Ms - rank(0.5))).toBeLessThan(rank(0.5) * 0.01 + 0.001);
        expect(Math.abs(p99Ms - rank(0.99))).toBeLessThan(rank(0.99) * 0.01 + 0.001);
      }),
    );
  });

  test('takes in the shortest times, and none at all', () => {
    const tally = new Tally();
    for (const ms of [0, 0.0001, 0]) tally.record(ms);
    expect(tally.summary()).toEqual({ minMs: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 });
  });
});
