import { getEventListeners } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { Alarm, waitUntil } from '../../src/timing/alarm.js';

/** Makes an alarm, an array of the moments at which it rings, and a promise of its first ring. */
function noted(): { alarm: Alarm; ringsMs: number[]; rang: Promise<void> } {
  const ringsMs: number[] = [];
  let resolve: () => void;
  const rang = new Promise<void>((settle) => (resolve = settle));
  const alarm = new Alarm(() => {
    ringsMs.push(performance.now());
    resolve();
  });
  return { alarm, ringsMs, rang };
}

/** Resolves when a new timer of 20 ms has fired. All timers that were due before it have fired then. */
async function afterOtherTimers(): Promise<void> {
  const { alarm, rang } = noted();
  alarm.set(20);
  await rang;
  await turn();
}

describe('an alarm', () => {
  test('rings once, and not before its time', async () => {
    for (const delayMs of [0, 0.3, 1, 7.9, 15]) {
      const { alarm, ringsMs, rang } = noted();
      const dueMs = performance.now() + delayMs;
      alarm.set(delayMs);
      await rang;
      expect(ringsMs[0]).toBeGreaterThanOrEqual(dueMs);
      await afterOtherTimers();
      expect(ringsMs).toHaveLength(1);
    }
  });

  test.each([2 ** 31 - 1, 2 ** 31, 2 ** 32 + 5, 1e12, Number.MAX_SAFE_INTEGER, Infinity])(
    'set for %d ms does not ring at once, as a timer of Node would beyond 2^31',
    async (delayMs) => {
      const { alarm, ringsMs } = noted();
      alarm.set(delayMs);
      await afterOtherTimers();
      expect(ringsMs).toEqual([]);
      alarm.stop();
    },
  );

  test('that is stopped rings no more and keeps no timer', async () => {
    const { alarm, ringsMs } = noted();
    const before = timers();
    alarm.set(5);
    expect(timers()).toBe(before + 1);
    alarm.stop();
    alarm.stop();
    expect(timers()).toBe(before);
    await afterOtherTimers();
    expect(ringsMs).toEqual([]);
  });

  test('that is set again rings for the latest time only, and can be set after it rang', async () => {
    const { alarm, ringsMs, rang } = noted();
    const before = timers();
    alarm.set(1);
    alarm.set(1e12);
    alarm.set(15);
    expect(timers()).toBe(before + 1);
    const dueMs = performance.now() + 14;
    await rang;
    expect(ringsMs[0]).toBeGreaterThanOrEqual(dueMs);
    alarm.set(0);
    await afterOtherTimers();
    expect(ringsMs).toHaveLength(2);
  });
});

const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

describe('a wait', () => {
  test('ends at its time, not before it', async () => {
    const dueMs = performance.now() + 10;
    await waitUntil(dueMs, new AbortController().signal);
    expect(performance.now()).toBeGreaterThanOrEqual(dueMs);
  });

  test('for a time that is over ends at once', async () => {
    await waitUntil(performance.now() - 1000, new AbortController().signal);
    await waitUntil(-Infinity, new AbortController().signal);
  });

  test('ends when it is aborted, however long it was to be, and leaves neither listener nor timer', async () => {
    const controller = new AbortController();
    const before = timers();
    const waiting = waitUntil(Infinity, controller.signal);
    expect([getEventListeners(controller.signal, 'abort').length, timers()]).toEqual([1, before + 1]);
    controller.abort();
    await waiting;
    expect([getEventListeners(controller.signal, 'abort').length, timers()]).toEqual([0, before]);
  });

  test('that was aborted before ends at once, and leaves neither listener nor timer', async () => {
    const signal = AbortSignal.abort();
    const before = timers();
    await waitUntil(Infinity, signal);
    expect([getEventListeners(signal, 'abort').length, timers()]).toEqual([0, before]);
  });

  test('that ends in time removes its listener: many on one signal leave none', async () => {
    const { signal } = new AbortController();
    for (let round = 0; round < 30; round += 1) {
      await Promise.all([0, 0.5, 1, 2].map((delayMs) => waitUntil(performance.now() + delayMs, signal)));
    }
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});
