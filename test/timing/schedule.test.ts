import { describe, expect, test } from '@jest/globals';
import { Schedule } from '../../src/timing/schedule.js';
import { fc, holds } from '../support/property.js';

const rate = (perSecond: number, startMs = 0): Schedule => new Schedule({ kind: 'rate', perSecond }, startMs);

describe('a schedule', () => {
  test('of rounds has a round at once, and the next one an interval later', () => {
    const schedule = new Schedule({ kind: 'rounds', intervalMs: 10, size: 3 }, 100);
    expect([0, 1, 2, 3, 5, 6].map((index) => schedule.dueMs(index, 0))).toEqual([100, 100, 100, 110, 110, 120]);
    expect([0, 1, 2, 3].map((index) => schedule.countDue(index, 1000))).toEqual([3, 2, 1, 3]);
    expect(schedule.stepMs).toBe(10);
  });

  test('of a rate has each datagram at its own moment, which no lateness puts off', () => {
    const schedule = rate(1000, 50);
    expect([0, 1, 60_000].map((index) => schedule.dueMs(index, 0))).toEqual([50, 51, 60_050]);
    expect(schedule.stepMs).toBe(1);
  });

  test('of a rate sends at once what has become due, and never more than a burst', () => {
    expect(rate(10_000).countDue(0, 0.95)).toBe(10);
    expect(rate(10_000).countDue(4, 0.95)).toBe(6);
    expect(rate(10_000).countDue(9, 0.9)).toBe(1);
    expect(rate(10_000).countDue(0, 5000)).toBe(64);
  });

  test('at full speed has everything due when its turn comes', () => {
    expect(rate(Infinity, 50).dueMs(1_000_000, 77)).toBe(77);
    expect(rate(Infinity).countDue(1_000_000, 77)).toBe(Infinity);
    expect(rate(Infinity).countBefore(10)).toBe(Infinity);
  });

  test('of a rate has none due at its end, whenever it began', () => {
    holds(
      fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), (startMs) => {
        expect(rate(1000, startMs).countBefore(startMs + 500)).toBe(500);
      }),
    );
  });

  test('of a rate knows how many are due before its end', () => {
    expect(rate(1000, 7).countBefore(60_007)).toBe(60_000);
    expect(rate(3, 0).countBefore(1000)).toBe(3);
    expect(rate(3, 0).countBefore(1001)).toBe(4);
  });

  test('that was postponed goes on so much later', () => {
    const schedule = rate(100);
    schedule.postpone(950);
    expect([5, 6].map((index) => schedule.dueMs(index, 0))).toEqual([1000, 1010]);
  });

  test('never sends before its time, and loses nothing however late it is looked at', () => {
    holds(
      fc.property(
        fc.double({ min: 0.5, max: 100_000, noNaN: true }),
        fc.array(fc.double({ min: 0.01, max: 20, noNaN: true }), { minLength: 1, maxLength: 30 }),
        (perSecond, delays) => {
          const schedule = rate(perSecond);
          let index = 0;
          let nowMs = 0;
          for (const delay of delays) {
            nowMs += delay;
            while (schedule.dueMs(index, nowMs) <= nowMs) {
              index += schedule.countDue(index, nowMs);
              expect(schedule.dueMs(index - 1, nowMs)).toBeLessThanOrEqual(nowMs + 1e-6);
            }
          }
          expect(schedule.dueMs(index, nowMs)).toBeGreaterThan(nowMs);
        },
      ),
    );
  });
});
