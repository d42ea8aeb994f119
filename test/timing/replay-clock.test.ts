import { expect, test } from '@jest/globals';
import { EvenClock, RecordedClock } from '../../src/timing/replay-clock.js';

/** Returns moments as milliseconds after the first one, rounded. */
function after(moments: readonly number[]): number[] {
  return moments.map((ms) => Math.round(ms - moments[0]!));
}

test.each([
  [1, [5000, 5100, 5050, 8000], [0, 100, 50, 3000]],
  [2, [5000, 5100, 4900, 8000], [0, 50, -50, 1500]],
])('at speed %d, times %j are due after %j ms', (speed, times, due) => {
  const clock = new RecordedClock(speed);
  clock.begin();
  expect(after(times.map((timeMs) => clock.dueMs(timeMs)))).toEqual(due);
});

test.each([
  ['when the last datagram of one is due', [0, 3000], [0, 3000, 3000, 6000, 6000, 9000]],
  ['at most once a second', [0, 10], [0, 10, 1000, 1010, 2000, 2010]],
])('the recorded time begins anew for each repetition, %s', (_title, times, due) => {
  const clock = new RecordedClock(1);
  const moments = [1, 2, 3].flatMap(() => {
    clock.begin();
    return times.map((timeMs) => clock.dueMs(timeMs));
  });
  expect(after(moments)).toEqual(due);
});

test('a datagram without a time is due at once, and no sooner than its repetition', () => {
  const clock = new RecordedClock(1);
  const moments = [1, 2].flatMap(() => {
    clock.begin();
    return [NaN, 500, NaN, 700].map((timeMs) => clock.dueMs(timeMs));
  });
  expect(after(moments)).toEqual([0, 0, 0, 200, 1000, 1000, 1000, 1200]);
});

test('without pauses everything is due when its turn has come', () => {
  const clock = new RecordedClock(Infinity);
  clock.begin();
  const before = performance.now();
  const moments = [0, 3_600_000, NaN].map((timeMs) => clock.dueMs(timeMs));
  clock.begin();
  moments.push(clock.dueMs(0));
  for (const ms of moments) {
    expect(ms).toBeGreaterThanOrEqual(before);
    expect(ms).toBeLessThanOrEqual(performance.now());
  }
});

test('a pace goes on through repetitions, whatever was recorded', () => {
  // The pace is so slow that the test is never late.
  const clock = new EvenClock({ kind: 'rate', perSecond: 0.001 });
  const asked = performance.now();
  const moments = [0, 1].flatMap(() => {
    clock.begin();
    return [7000, 0].map((timeMs) => clock.dueMs(timeMs, asked));
  });
  expect(after(moments)).toEqual([0, 1_000_000, 2_000_000, 3_000_000]);
});

test('a pace is put off by a recording that was not there in time, and else by nothing', () => {
  const clock = new EvenClock({ kind: 'rate', perSecond: 1000 });
  const first = clock.dueMs(0, performance.now());
  const untilMs = performance.now() + 300;
  while (performance.now() < untilMs);
  // The datagram was asked for after it was due, so it did not stall.
  expect(clock.dueMs(0, performance.now()) - first).toBeCloseTo(1);
  expect(clock.dueMs(0, first)).toBeGreaterThanOrEqual(untilMs);
});
