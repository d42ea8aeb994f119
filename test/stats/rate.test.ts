import { expect, test } from '@jest/globals';
import { FlowMeter } from '../../src/stats/flow-meter.js';
import { rateBetween, rateOf } from '../../src/stats/rate.js';

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

test('the rate of a flow is that from the first datagram to the last', () => {
  const flow = new FlowMeter();
  for (const atMs of [1000, 1100, 1200]) flow.add(1, 125, atMs);
  expect(rateOf(flow, 5000)).toEqual({ perSecond: 10, bitsPerSecond: 10_000 });
});

test('the rate of a flow that came all at once is that of the whole run, and a single datagram has none', () => {
  const flow = new FlowMeter();
  flow.add(1, 100, 1000);
  expect(rateOf(flow, 500)).toBeUndefined();
  flow.add(4, 400, 1000);
  expect(rateOf(flow, 500)).toEqual({ perSecond: 10, bitsPerSecond: 8000 });
});
