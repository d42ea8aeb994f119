import { expect, test } from '@jest/globals';
import { RateLimit } from '../../src/guard/rate-limit.js';
import { fc, holds } from '../support/property.js';

const peer = { address: '192.0.2.1', port: 5000 };

test('a peer never gets more than the rate and one burst, over any stretch of time', () => {
  const rates = fc.oneof(fc.integer({ min: 1, max: 50 }), fc.double({ min: 0.1, max: 50, noNaN: true }));
  const gaps = fc.array(fc.oneof(fc.nat(100), fc.nat(3000)), { minLength: 50, maxLength: 200 });
  holds(
    fc.property(rates, gaps, (perSecond, laterMs) => {
      const limit = new RateLimit(perSecond);
      const burst = Math.max(1, perSecond);
      const admittedMs: number[] = [];
      let nowMs = 1_000_000;
      for (const later of laterMs) {
        nowMs += later;
        if (limit.admits(peer, nowMs)) admittedMs.push(nowMs);
      }
      for (const [first, startMs] of admittedMs.entries()) {
        for (let last = first; last < admittedMs.length; last += 1) {
          const most = burst + ((admittedMs[last]! - startMs) / 1000) * perSecond;
          if (last - first + 1 > most + 1e-6) throw new Error(`${last - first + 1} responses, ${most} are the most`);
        }
      }
    }),
  );
});

test('a peer that keeps to the rate always gets a response', () => {
  holds(
    fc.property(fc.integer({ min: 1, max: 1000 }), fc.array(fc.nat(2000), { maxLength: 100 }), (perSecond, extraMs) => {
      const limit = new RateLimit(perSecond);
      let nowMs = 0;
      for (const extra of extraMs) {
        nowMs += 1000 / perSecond + extra;
        expect(limit.admits(peer, nowMs)).toBe(true);
      }
    }),
  );
});

test('a burst of one second gets responses at once, then the rate limits them', () => {
  const limit = new RateLimit(10);
  const admitted = (nowMs: number): number =>
    Array.from({ length: 50 }, () => limit.admits(peer, nowMs)).filter(Boolean).length;
  expect([admitted(0), admitted(50), admitted(100), admitted(600), admitted(60_000)]).toEqual([10, 0, 1, 5, 10]);
});

test('a rate of 0.1 is one response in 10 s', () => {
  const limit = new RateLimit(0.1);
  expect([0, 5000, 9999, 10_000, 10_001, 60_000].map((nowMs) => limit.admits(peer, nowMs))).toEqual([
    true,
    false,
    false,
    true,
    false,
    true,
  ]);
});

test('each peer has a limit of its own', () => {
  const limit = new RateLimit(1);
  const peers = [peer, { ...peer, port: 5001 }, { ...peer, address: '2001:db8::1' }];
  expect(peers.map((one) => limit.admits(one, 0))).toEqual([true, true, true]);
  expect(peers.map((one) => limit.admits(one, 0))).toEqual([false, false, false]);
});
