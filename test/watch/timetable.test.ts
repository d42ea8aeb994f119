import { describe, expect, test } from '@jest/globals';
import { Timetable } from '../../src/watch/timetable.js';
import { fc, holds } from '../support/property.js';

describe('a timetable', () => {
  test('has a moment each interval, however late each check begins', () => {
    const timetable = new Timetable(1000, 100);
    const due = [0, 30, 99, 5].map((lateMs) => {
      const { dueMs } = timetable;
      timetable.begin(dueMs + lateMs);
      return dueMs;
    });
    expect(due).toEqual([1000, 1100, 1200, 1300]);
    expect(timetable.skipped).toBe(0);
  });

  test('counts the moments that were missed, and makes the latest only', () => {
    const timetable = new Timetable(1000, 100);
    timetable.begin(1000);
    timetable.begin(1450);
    expect(timetable.skipped).toBe(3);
    expect(timetable.dueMs).toBe(1500);
  });

  test('goes on at its own moments after others', () => {
    const timetable = new Timetable(1000, 100);
    timetable.begin(1000);
    timetable.resume(1777);
    expect(timetable.dueMs).toBe(1800);
    expect(timetable.skipped).toBe(0);
    timetable.resume(1700);
    expect(timetable.dueMs).toBe(1800);
  });

  test('makes or skips each moment once, whenever its checks begin', () => {
    const lateness = fc.array(fc.double({ min: 0, max: 5000, noNaN: true }), { minLength: 1, maxLength: 50 });
    holds(
      fc.property(
        lateness,
        fc.integer({ min: 100, max: 1000 }),
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        (all, intervalMs, firstMs) => {
          const timetable = new Timetable(firstMs, intervalMs);
          let nowMs = 0;
          for (const [index, lateMs] of all.entries()) {
            nowMs = Math.max(nowMs, timetable.dueMs) + lateMs;
            timetable.begin(nowMs);
            const moments = Math.round((timetable.dueMs - firstMs) / intervalMs);
            expect(moments).toBe(index + 1 + timetable.skipped);
            // A moment is made before the next one has come, but for the rounding of sums.
            expect(timetable.dueMs).toBeGreaterThan(nowMs - 1e-3);
          }
        },
      ),
    );
  });
});
