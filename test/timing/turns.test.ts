import { expect, test } from '@jest/globals';
import { Turns } from '../../src/timing/turns.js';

/** Counts the rounds of the event loop until `over` is called. */
function countRounds(): { readonly round: () => number; readonly over: () => void } {
  let [rounds, isOver] = [0, false];
  const count = (): void => {
    rounds += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  return {
    round: () => rounds,
    over: () => {
      isOver = true;
    },
  };
}

test('each caller has a round of the event loop of its own, in the order of the calls', async () => {
  const turns = new Turns();
  const { round, over } = countRounds();
  const given: number[] = [];
  const rounds = new Set<number>();
  await Promise.all(
    Array.from({ length: 20 }, async (_, nth) => {
      await turns.take();
      given.push(nth);
      rounds.add(round());
    }),
  );
  over();
  expect(given).toEqual(Array.from({ length: 20 }, (_, nth) => nth));
  expect(rounds.size).toBe(20);
});

test('between two turns with a rest, the rest passes, whether the callers wait together or come one after the other', async () => {
  const turns = new Turns(5);
  const times: number[] = [];
  const take = async (): Promise<void> => {
    await turns.take();
    times.push(performance.now());
  };
  await Promise.all([take(), take(), take()]);
  await take();
  await take();
  const gaps = times.slice(1).map((ms, index) => ms - (times[index] ?? 0));
  // Timers of Node may be a fraction of a millisecond early.
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(4);
});
