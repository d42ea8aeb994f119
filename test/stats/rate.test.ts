import { expect, test } from '@jest/globals';
import { rateBetween } from '../../src/stats/rate.js';

test('a rate is the traffic between two moments, for each second', () => {
  const earlier = { received: 10, bytes: 100, timeMs: 1000 };
  expect(rateBetween(earlier, { received: 13, bytes: 700, timeMs: 1500 })).toEqual({
    perSecond: 6,
    bytesPerSecond: 1200,
  });
  expect(rateBetween(earlier, { ...earlier, timeMs: 2000 })).toEqual({ perSecond: 0, bytesPerSecond: 0 });
});

test('a rate between equal moments is 0', () => {
  const now = { received: 10, bytes: 100, timeMs: 1000 };
  expect(rateBetween({ received: 0, bytes: 0, timeMs: 1000 }, now)).toEqual({ perSecond: 0, bytesPerSecond: 0 });
});
