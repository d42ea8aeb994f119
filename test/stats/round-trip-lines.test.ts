import { expect, test } from '@jest/globals';
import { describeRoundTrips, drawHistogram } from '../../src/stats/round-trip-lines.js';

test('round-trip times stand in one line, with how replies were matched', () => {
  const times = {
    minMs: 0.05,
    p50Ms: 0.08,
    p90Ms: 0.1234,
    p99Ms: 1,
    p999Ms: 4,
    maxMs: 4.1,
    meanMs: 0.09,
    jitterMs: 0.02,
  };
  expect(describeRoundTrips(times, 'order')).toBe(
    'round-trip time: min 0.05, p50 0.08, p90 0.123, p99 1, p99.9 4, max 4.1, mean 0.09, jitter 0.02 ms; matched by order',
  );
});

test('a histogram has a bar for each bucket with a value, and the fullest has the longest', () => {
  const lines = drawHistogram([
    { fromMs: 0.5, toMs: 1, count: 1 },
    { fromMs: 1, toMs: 10, count: 0 },
    { fromMs: 10, toMs: 12.25, count: 1000 },
  ]);
  expect(lines).toEqual([
    '  0.5 to     1 ms    1 #',
    '    1 to    10 ms    0',
    `   10 to 12.25 ms 1000 ${'#'.repeat(40)}`,
  ]);
});
