import { describe, expect, test } from '@jest/globals';
import { RoundTrips } from '../../src/check/round-trips.js';
import { fc, holdsAsync } from '../support/property.js';

async function of(times: readonly number[]): Promise<RoundTrips> {
  const roundTrips = new RoundTrips();
  await roundTrips.load();
  for (const ms of times) roundTrips.record(ms);
  return roundTrips;
}

describe('round-trip times', () => {
  test('have percentiles, a mean and extremes', async () => {
    const roundTrips = await of(Array.from({ length: 1000 }, (_, index) => (index + 1) / 10));
    expect(roundTrips.summary()).toMatchObject({ minMs: 0.1, maxMs: 100, meanMs: 50.05 });
    const { p50Ms = 0, p90Ms = 0, p99Ms = 0, p999Ms = 0 } = roundTrips.summary() ?? {};
    for (const [found, expected] of [
      [p50Ms, 50],
      [p90Ms, 90],
      [p99Ms, 99],
      [p999Ms, 99.9],
    ] as const) {
      expect(Math.abs(found - expected) / expected).toBeLessThan(0.001);
    }
  });

  test('have the jitter of RFC 3550: a sixteenth of each difference', async () => {
    expect((await of([10, 26])).summary()?.jitterMs).toBe(1);
    expect((await of([10, 26, 26])).summary()?.jitterMs).toBe(0.9375);
    expect((await of([5, 5, 5])).summary()?.jitterMs).toBe(0);
  });

  test('have a median before they are counted, too', async () => {
    const times = new RoundTrips();
    expect(times.medianMs).toBeUndefined();
    for (const ms of [9, 1, 5]) times.record(ms);
    expect(times.medianMs).toBe(5);
    times.record(7);
    expect(times.medianMs).toBe(5);
    await times.load();
    // The histogram has three digits.
    expect(times.medianMs).toBeCloseTo(5, 2);
  });

  test('have no summary if there are none', async () => {
    const roundTrips = await of([]);
    expect(roundTrips.summary()).toBeUndefined();
    expect(roundTrips.buckets()).toEqual([]);
  });

  test('that came before the histogram was loaded count as well', async () => {
    const roundTrips = new RoundTrips();
    roundTrips.record(1);
    expect(roundTrips.loaded).toBe(false);
    expect(roundTrips.summary()).toBeUndefined();
    await roundTrips.load();
    roundTrips.record(3);
    await roundTrips.load();
    expect(roundTrips.summary()).toMatchObject({ minMs: 1, maxMs: 3, meanMs: 2 });
    expect(roundTrips.count).toBe(2);
  });

  test('of 0 and of more than an hour are counted', async () => {
    const roundTrips = await of([0, 4_000_000]);
    expect(roundTrips.summary()).toMatchObject({ minMs: 0, maxMs: 4_000_000 });
    expect(roundTrips.buckets().reduce((sum, { count }) => sum + count, 0)).toBe(2);
  });

  test('that are all equal are in one bucket', async () => {
    expect((await of([2, 2, 2])).buckets()).toEqual([{ fromMs: 2, toMs: 2, count: 3 }]);
  });

  test('have ordered percentiles, and adjoining buckets that hold all of them', async () => {
    const times = fc.array(fc.double({ min: 0, max: 100_000, noNaN: true }), { minLength: 1, maxLength: 60 });
    await holdsAsync(
      fc.asyncProperty(times, async (values) => {
        const roundTrips = await of(values);
        const { minMs, p50Ms, p90Ms, p99Ms, p999Ms, maxMs } = roundTrips.summary()!;
        const ordered = [minMs, p50Ms, p90Ms, p99Ms, p999Ms, maxMs];
        expect(ordered).toEqual(ordered.toSorted((a, b) => a - b));
        const buckets = roundTrips.buckets();
        expect(buckets.length).toBeLessThanOrEqual(12);
        expect(buckets.reduce((sum, { count }) => sum + count, 0)).toBe(values.length);
        expect(buckets.slice(1).map(({ fromMs }) => fromMs)).toEqual(buckets.slice(0, -1).map(({ toMs }) => toMs));
        expect(buckets[0]?.fromMs).toBe(minMs);
        expect(buckets.at(-1)?.toMs).toBe(maxMs);
      }),
    );
  });
});
