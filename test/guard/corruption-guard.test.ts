import { expect, test } from '@jest/globals';
import { CorruptionGuard } from '../../src/guard/corruption-guard.js';

const peer = { address: '192.0.2.1', port: 5000 };

test('a peer with more than 100 signs of a loop in a second gets no response for the next, and is told of once', () => {
  const told: unknown[] = [];
  const guard = new CorruptionGuard((one) => told.push(one));
  for (let sign = 0; sign < 100; sign += 1) guard.suspect(peer, sign);
  expect(guard.admits(peer, 100)).toBe(true);
  guard.suspect(peer, 100);
  guard.suspect(peer, 101);
  expect([100, 500, 1099, 1100, 5000].map((nowMs) => guard.admits(peer, nowMs))).toEqual([
    false,
    false,
    false,
    true,
    true,
  ]);
  expect(told).toEqual([peer]);
});

test('as many signs with fewer in each second are no loop', () => {
  const guard = new CorruptionGuard(() => undefined);
  for (let nowMs = 0; nowMs < 10_000; nowMs += 11) {
    guard.suspect(peer, nowMs);
    expect(guard.admits(peer, nowMs)).toBe(true);
  }
});

test('a loop with one peer does not affect another', () => {
  const guard = new CorruptionGuard(() => undefined);
  for (let sign = 0; sign < 200; sign += 1) guard.suspect(peer, 0);
  expect(guard.admits({ ...peer, port: 5001 }, 0)).toBe(true);
  expect(guard.admits(peer, 0)).toBe(false);
});
