import { setMaxListeners } from 'node:events';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import type { Outcome } from '../../src/watch/check.js';
import type { Change } from '../../src/watch/health.js';
import { Names } from '../../src/watch/names.js';
import { TargetWatch } from '../../src/watch/target-watch.js';
import { Turns } from '../../src/timing/turns.js';
import { Rounds } from '../support/event-loop.js';
import { closedAddress, respondingServer, silentServer } from '../support/sockets.js';
import { targetPlan } from '../support/watching.js';

/** A check as the test sees it. */
interface Seen {
  readonly outcome: Outcome;
  readonly change: Change | undefined;
}

/** Checks one target until a number of checks is made, or for as long as the test goes on. */
async function watchOne(args: readonly string[], options: { readonly checks?: number } = {}) {
  const over = new AbortController();
  setMaxListeners(0, over.signal);
  const names = new Names(() => Promise.reject(new Error('no name is asked for here')));
  const seen: Seen[] = [];
  const waiting = new Set<() => void>();
  const target = new TargetWatch(
    await targetPlan(args),
    {
      io: { stdin: new PassThrough(), examiner: '' },
      names,
      turns: new Turns(),
      signal: over.signal,
      checks: options.checks,
      checked: (_target, outcome, change) => {
        seen.push({ outcome, change });
        for (const look of waiting) look();
      },
      failed: (error) => {
        throw error;
      },
    },
    performance.now(),
  );
  target.start();
  return {
    target,
    seen,
    /** Resolves to the first n checks as soon as they were made. */
    collect: (n: number): Promise<readonly Seen[]> =>
      new Promise((resolve) => {
        const look = (): void => {
          if (seen.length < n) return;
          waiting.delete(look);
          resolve(seen.slice(0, n));
        };
        waiting.add(look);
        look();
      }),
    [Symbol.asyncDispose]: async () => {
      target.stop();
      over.abort('over');
      names[Symbol.dispose]();
      await target.settled();
    },
  };
}

describe('a target', () => {
  test('is checked again and again, each time from a fresh socket, until it has had its checks', async () => {
    await using peer = await respondingServer((request) => request);
    await using watched = await watchOne([peer.address, '--interval', '100ms'], { checks: 5 });
    await watched.collect(5);
    expect(watched.target.isDone).toBe(true);
    expect(new Set(peer.received.map(({ from }) => from)).size).toBe(5);
    expect(watched.seen.map(({ outcome }) => outcome.verdict)).toEqual(Array(5).fill('ok'));
    expect(watched.seen.flatMap(({ change }) => change ?? [])).toMatchObject([
      { from: 'unknown', to: 'up', streak: 2 },
    ]);
  });

  test('is checked at moments of one timetable, as the service sees it', async () => {
    const arrivedMs: number[] = [];
    await using peer = await respondingServer((request) => {
      arrivedMs.push(performance.now());
      return request;
    });
    const startMs = performance.now();
    await using watched = await watchOne([peer.address, '--interval', '100ms', '--rise', '1'], { checks: 20 });
    await watched.collect(20);
    // Each is late by what this machine is busy with, and none makes those after it late, or is early.
    const moments = arrivedMs.map((ms, index) => (ms - startMs) / 100 - index);
    expect(Math.min(...moments)).toBeGreaterThanOrEqual(0);
    expect(watched.target.skipped).toBeLessThanOrEqual(Math.floor(Math.max(...moments)));
  });

  test('shares its moment with others, and the event loop turns between two checks that begin', async () => {
    using loop = new Rounds();
    const rounds: number[] = [];
    const names = new Names(() => {
      rounds.push(loop.count);
      return Promise.resolve([]);
    });
    const turns = new Turns();
    await new Promise<void>((resolve, reject) => {
      void Promise.all(
        Array.from({ length: 10 }, async (_, nth) => {
          const shared = {
            io: { stdin: new PassThrough(), examiner: '' },
            ...{ names, turns, checks: 1, failed: reject },
            signal: new AbortController().signal,
            checked: () => {
              if (rounds.length === 10) resolve();
            },
          };
          return new TargetWatch(await targetPlan([`name-${nth}.invalid:7`]), shared, performance.now());
        }),
      ).then((targets) => {
        for (const target of targets) target.start();
      });
    });
    names[Symbol.dispose]();
    expect(new Set(rounds).size).toBe(10);
  });

  test('goes down after three failures, the second and third after the retry interval', async () => {
    const address = await closedAddress();
    await using watched = await watchOne([address, '--interval', '1h', '--retry-interval', '100ms']);
    const seen = await watched.collect(3);
    expect(seen.map(({ outcome }) => outcome.verdict)).toEqual(['refused', 'refused', 'refused']);
    expect(seen[2]?.change).toMatchObject({ from: 'unknown', to: 'down', streak: 3 });
    // The next check would be an hour later.
    expect(watched.target.health.isUndecided).toBe(false);
  });

  test('that takes longer than the retry interval is asked again at once, never twice at a time', async () => {
    await using peer = await silentServer();
    const args = [peer.address, '--interval', '1h', '--retry-interval', '100ms', '--wait', '300ms'];
    await using watched = await watchOne(args);
    await watched.collect(2);
    const sockets = peer.received.map(({ from }) => from);
    expect(sockets.length).toBeLessThanOrEqual(3);
    expect(new Set(sockets).size).toBe(sockets.length);
  });

  test('keeps state and history under another plan', async () => {
    await using peer = await respondingServer((request) => request);
    await using watched = await watchOne([peer.address, '--interval', '100ms']);
    await watched.collect(3);
    const other = await targetPlan([peer.address, '--interval', '150ms', '--message', 'other', '--expect', 'nothing']);
    watched.target.replace(other, performance.now());
    const before = watched.seen.length;
    const seen = await watched.collect(before + 4);
    expect(watched.target.history.checks).toBeGreaterThanOrEqual(before + 4);
    // A reply that a busy machine delivers late is none.
    expect(['mismatch', 'silent']).toContain(seen.at(-1)?.outcome.verdict);
    expect(watched.target.health.state).toBe('down');
    expect(peer.received.some(({ data }) => data.toString() === 'other')).toBe(true);
  });
});
