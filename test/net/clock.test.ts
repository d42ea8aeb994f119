/** The wall clock without the linux engine. test/net/engines/linux-engine.test.ts tests it with that engine. */
import { describe, expect, jest, test } from '@jest/globals';
import { wallClockMs } from '../../src/net/clock.js';

describe('the wall clock', () => {
  test('agrees with Date.now() to the millisecond, and never goes back while that does not', () => {
    let before = 0;
    for (let nth = 0; nth < 100_000; nth += 1) {
      const earliest = Date.now();
      const timeMs = wallClockMs();
      const latest = Date.now();
      if (timeMs < earliest || timeMs >= latest + 1) throw new Error(`${timeMs} is not from ${earliest} to ${latest}`);
      if (timeMs < before) throw new Error(`${timeMs} came after ${before}`);
      before = timeMs;
    }
    expect(before).toBeGreaterThan(0);
  });

  test('is not set by being held up while it is read', () => {
    const aheadMs = (): number => Math.max(...Array.from({ length: 100 }, () => wallClockMs() - performance.now()));
    const before = aheadMs();
    const now = Date.now.bind(Date);
    const heldUp = jest.spyOn(Date, 'now').mockImplementation(() => {
      const untilMs = performance.now() + 0.9;
      while (performance.now() < untilMs);
      return now();
    });
    try {
      for (let nth = 0; nth < 20; nth += 1) wallClockMs();
    } finally {
      heldUp.mockRestore();
    }
    expect(Math.abs(aheadMs() - before)).toBeLessThan(0.2);
  });

  test('has fractions of a millisecond', () => {
    const times = Array.from({ length: 100 }, wallClockMs);
    expect(times.some((timeMs) => !Number.isInteger(timeMs))).toBe(true);
  });
});
