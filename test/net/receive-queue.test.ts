import { getEventListeners } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import { type Datagram, DatagramError, type Overflow, type Run } from '../../src/net/index.js';
import { ReceiveQueue } from '../../src/net/receive-queue.js';
import { fc, holdsAsync } from '../support/property.js';

const datagram = (nth: number): Datagram => ({
  data: Buffer.from(String(nth)),
  remote: { address: '127.0.0.1', port: 1 },
  local: undefined,
  timeMs: nth,
});
const datagrams = (from: number, to: number): Datagram[] =>
  Array.from({ length: to - from }, (_, index) => datagram(from + index));
const numbers = (batch: readonly Datagram[] | undefined): number[] => (batch ?? []).map(({ timeMs }) => timeMs);

/** Makes a run of datagrams of one byte each, numbered `from` to `to`. */
const run = (from: number, to: number): Run => {
  const bytes = Uint8Array.from({ length: to - from }, (_, index) => from + index);
  return { bytes, segmentBytes: 1, count: to - from, remote: datagram(0).remote, local: undefined, timeMs: 0 };
};

function queueOf(capacity: number, overflow: Overflow = 'drop-newest') {
  const drops: number[] = [];
  let rooms = 0;
  const queue = new ReceiveQueue({
    capacity,
    overflow,
    onDrop: (count) => drops.push(count),
    onRoom: () => {
      rooms += 1;
    },
  });
  return { queue, drops, rooms: () => rooms };
}

async function drained(queue: ReceiveQueue): Promise<number[]> {
  return queue.length === 0 ? [] : numbers(await queue.takeAll());
}

describe('a receive queue', () => {
  test('gives what it took in, in order, singly or all at once', async () => {
    const { queue } = queueOf(10);
    queue.push(datagrams(0, 2));
    queue.push(datagrams(2, 6));
    expect((await queue.takeOne())?.timeMs).toBe(0);
    expect((await queue.takeOne())?.timeMs).toBe(1);
    expect(queue.length).toBe(4);
    expect(await drained(queue)).toEqual([2, 3, 4, 5]);
    expect(queue.room).toBe(10);
  });

  test('keeps the oldest under drop-newest', async () => {
    const { queue, drops } = queueOf(3);
    queue.push(datagrams(0, 2));
    queue.push(datagrams(2, 6));
    queue.push(datagrams(6, 7));
    expect(await drained(queue)).toEqual([0, 1, 2]);
    expect(drops).toEqual([3, 1]);
    expect(queue.dropped).toBe(4);
  });

  test('keeps the newest under drop-oldest', async () => {
    const { queue, drops } = queueOf(3, 'drop-oldest');
    queue.push(datagrams(0, 2));
    await queue.takeOne();
    queue.push(datagrams(2, 8));
    expect(await drained(queue)).toEqual([5, 6, 7]);
    expect(drops).toEqual([4]);
    queue.push(datagrams(8, 11));
    queue.push(datagrams(11, 12));
    expect(await drained(queue)).toEqual([9, 10, 11]);
    expect(queue.dropped).toBe(5);
  });

  test('fails under fail, after what it holds was read', async () => {
    const { queue, drops } = queueOf(2, 'fail');
    queue.push(datagrams(0, 3));
    queue.push(datagrams(3, 5));
    expect(drops).toEqual([1, 2]);
    expect(queue.dropped).toBe(3);
    expect((await queue.takeOne())?.timeMs).toBe(0);
    expect((await queue.takeOne())?.timeMs).toBe(1);
    await expect(queue.takeOne()).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    await expect(queue.takeAll()).rejects.toMatchObject({ code: 'QUEUE_FULL' });
  });

  test('holds one datagram when its capacity is one', async () => {
    const { queue } = queueOf(1);
    queue.push(datagrams(0, 2));
    expect(await drained(queue)).toEqual([0]);
    expect(queue.dropped).toBe(1);
  });

  test('serves several receivers in the order in which they came', async () => {
    const { queue } = queueOf(1);
    const taken = [queue.takeOne(), queue.takeOne(), queue.takeOne()];
    queue.push(datagrams(0, 2));
    queue.push(datagrams(2, 3));
    expect((await Promise.all(taken)).map((one) => one?.timeMs)).toEqual([0, 1, 2]);
    expect(queue.dropped).toBe(0);
  });

  test('gives a waiting reader of batches all that came together, though it could not hold it', async () => {
    const { queue } = queueOf(1);
    const [one, rest] = [queue.takeOne(), queue.takeAll()];
    queue.push(datagrams(0, 5));
    expect((await one)?.timeMs).toBe(0);
    expect(numbers(await rest)).toEqual([1, 2, 3, 4]);
    expect(queue.dropped).toBe(0);
  });

  test('settles every receiver at the end, and lets what it holds be read first', async () => {
    const { queue } = queueOf(5);
    const waiting = [queue.takeOne(), queue.takeAll(), queue.takeOne()];
    queue.end();
    expect(await Promise.all(waiting)).toEqual([undefined, undefined, undefined]);
    const { queue: filled } = queueOf(5);
    filled.push(datagrams(0, 2));
    filled.end();
    filled.end();
    filled.push(datagrams(2, 3));
    expect((await filled.takeOne())?.timeMs).toBe(0);
    expect((await filled.takeOne())?.timeMs).toBe(1);
    expect(await filled.takeOne()).toBeUndefined();
    expect(filled.room).toBe(0);
  });

  test('swallows no datagram for a receive that was given up, and forgets its signal', async () => {
    const { queue } = queueOf(5);
    const given = new AbortController();
    const kept = new AbortController();
    const [first, second] = [queue.takeOne(given.signal), queue.takeOne(kept.signal)];
    expect(getEventListeners(given.signal, 'abort')).toHaveLength(1);
    given.abort('given up');
    await expect(first).rejects.toBe('given up');
    queue.push(datagrams(0, 2));
    expect((await second)?.timeMs).toBe(0);
    expect(getEventListeners(kept.signal, 'abort')).toHaveLength(0);
    await expect(queue.takeOne(given.signal)).rejects.toBe('given up');
    expect(await drained(queue)).toEqual([1]);
  });

  test('gives a datagram to a receive whose signal is aborted after it was served', async () => {
    const { queue } = queueOf(5);
    const late = new AbortController();
    const taken = queue.takeOne(late.signal);
    queue.push(datagrams(0, 1));
    late.abort();
    expect((await taken)?.timeMs).toBe(0);
  });

  test('says that there is room when a full one has some again, and only then', async () => {
    const { queue, rooms } = queueOf(3);
    queue.push(datagrams(0, 2));
    await queue.takeOne();
    expect(rooms()).toBe(0);
    queue.push(datagrams(2, 4));
    expect(queue.room).toBe(0);
    await queue.takeOne();
    expect([queue.room, rooms()]).toEqual([1, 1]);
    await queue.takeOne();
    expect(rooms()).toBe(1);
    queue.push(datagrams(4, 6));
    await queue.takeAll();
    expect([queue.room, rooms()]).toEqual([3, 2]);
    queue.push(datagrams(6, 9));
    queue.end();
    await queue.takeAll();
    expect(rooms()).toBe(2);
  });

  test('takes half a million datagrams in and gives them one by one in a time that grows with their number only', async () => {
    const { queue } = queueOf(Number.MAX_SAFE_INTEGER);
    const count = 500_000;
    queue.push(datagrams(0, 1));
    queue.push(datagrams(1, count));
    let next = 0;
    while (queue.length > 0) {
      const one = await queue.takeOne();
      if (one?.timeMs !== next) throw new Error(`got ${one?.timeMs ?? 'nothing'} instead of ${next}`);
      next += 1;
    }
    expect(next).toBe(count);
    expect(queue.dropped).toBe(0);
  });

  test('behaves as a plain array would under any sequence of pushes and takes', async () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('push' as const), count: fc.integer({ min: 0, max: 6 }) }),
        fc.constant({ kind: 'one' as const }),
        fc.constant({ kind: 'all' as const }),
      ),
      { maxLength: 40 },
    );
    const policies = fc.constantFrom('drop-newest' as const, 'drop-oldest' as const);
    await holdsAsync(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), policies, steps, async (capacity, overflow, sequence) => {
        const { queue, drops } = queueOf(capacity, overflow);
        let model: number[] = [];
        let pushed = 0;
        let taken = 0;
        for (const step of sequence) {
          if (step.kind === 'push') {
            const batch = datagrams(pushed, pushed + step.count);
            pushed += step.count;
            model.push(...numbers(batch));
            model = overflow === 'drop-newest' ? model.slice(0, capacity) : model.slice(-capacity);
            queue.push(batch);
          } else if (queue.length > 0) {
            const got = step.kind === 'one' ? [(await queue.takeOne())!.timeMs] : numbers(await queue.takeAll());
            expect(got).toEqual(model.splice(0, step.kind === 'one' ? 1 : model.length));
            taken += got.length;
          }
          expect(queue.length).toBe(model.length);
          expect(queue.room).toBe(capacity - model.length);
        }
        expect(taken + queue.length + queue.dropped).toBe(pushed);
        expect(drops.reduce((sum, count) => sum + count, 0)).toBe(queue.dropped);
      }),
    );
  });
});

describe('a consumer of a receive queue', () => {
  const sizes = (runs: readonly Run[]): number[] => runs.map(({ count }) => count);

  test('gets queued items first, and later ones in the call that pushes them', async () => {
    const { queue, rooms } = queueOf(3);
    queue.push(datagrams(0, 3));
    const got: number[][] = [];
    const consumed = queue.consume((runs) => {
      got.push(sizes(runs));
      return true;
    });
    expect(got).toEqual([[1, 1, 1]]);
    expect(rooms()).toBe(1);
    queue.pushRuns([run(3, 5), run(5, 6)]);
    expect(got.at(-1)).toEqual([2, 1]);
    queue.push(datagrams(6, 8));
    expect(got.at(-1)).toEqual([1, 1]);
    queue.end();
    await consumed;
    expect(got).toHaveLength(3);
    expect(queue.dropped).toBe(0);
  });

  test('gets no more until its promise resolves: the rest waits in the queue, and the excess is dropped', async () => {
    const { queue, drops } = queueOf(2);
    const got: Run[][] = [];
    const goOn: ((wantsMore: boolean) => void)[] = [];
    const consumed = queue.consume((runs) => {
      got.push(runs);
      return new Promise((resolve) => goOn.push(resolve));
    });
    queue.push(datagrams(0, 1));
    queue.push(datagrams(1, 4));
    expect([got.length, queue.length]).toEqual([1, 2]);
    expect(drops).toEqual([1]);
    goOn[0]?.(true);
    await new Promise((resolve) => setImmediate(resolve));
    expect(got.map(sizes)).toEqual([[1], [1, 1]]);
    queue.push(datagrams(4, 5));
    goOn[1]?.(false);
    await consumed;
    expect(await drained(queue)).toEqual([4]);
  });

  test('ends with its own error, with the error of its promise, and with the failure of the queue', async () => {
    const failing = queueOf(2).queue;
    const failed = failing.consume(() => {
      throw new Error('wrong');
    });
    failing.push(datagrams(0, 1));
    await expect(failed).rejects.toThrow('wrong');
    const rejecting = queueOf(2).queue;
    const rejected = rejecting.consume(() => Promise.reject(new Error('late')));
    rejecting.push(datagrams(0, 1));
    await expect(rejected).rejects.toThrow('late');
    const { queue } = queueOf(2);
    const consumed = queue.consume(() => true);
    queue.end(new DatagramError('RECEIVE_FAILED', 'broken'));
    await expect(consumed).rejects.toThrow('broken');
  });
});

describe('a receive queue that holds runs', () => {
  test('gives them as they came to a reader of runs, and datagrams as runs of one', async () => {
    const { queue } = queueOf(10);
    const waiting = queue.takeRuns();
    expect(queue.takesRuns).toBe(true);
    queue.pushRuns([run(0, 3)]);
    expect(await waiting).toEqual([run(0, 3)]);
    queue.pushRuns([run(3, 5), run(5, 6)]);
    queue.push([{ ...datagram(6), data: Uint8Array.of(6) }]);
    expect(queue.length).toBe(4);
    expect(await queue.takeRuns()).toEqual([run(3, 5), run(5, 6), { ...run(6, 7), timeMs: 6 }]);
    expect(queue.length).toBe(0);
  });

  /** A random step: runs or datagrams arrive, or a reader takes one datagram, all datagrams, or all as runs. */
  const step = fc.oneof(
    fc.record({ runs: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }) }),
    fc.record({ datagrams: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ read: fc.constantFrom('one', 'all', 'runs') }),
  );

  test.each(['drop-newest', 'drop-oldest'] as const)(
    'gives and drops what a queue of datagrams would, by the policy %s',
    async (overflow) => {
      await holdsAsync(
        fc.asyncProperty(fc.integer({ min: 1, max: 8 }), fc.array(step, { maxLength: 20 }), async (capacity, steps) => {
          const { queue } = queueOf(capacity, overflow);
          const { queue: plain } = queueOf(capacity, overflow);
          let next = 0;
          const alike = (from: number, to: number): Datagram[] =>
            Array.from({ length: to - from }, (_, nth) => ({ ...datagram(0), data: Uint8Array.of(from + nth) }));
          for (const each of steps) {
            if ('read' in each) {
              if (queue.length === 0) continue;
              const [got, expected] =
                each.read === 'one'
                  ? [[(await queue.takeOne())!.data], [(await plain.takeOne())!.data]]
                  : [
                      each.read === 'all'
                        ? (await queue.takeAll())!.map(({ data }) => data)
                        : (await queue.takeRuns())!.map(({ bytes }) => bytes),
                      (await plain.takeAll())!.map(({ data }) => data),
                    ];
              expect(Buffer.concat(got)).toEqual(Buffer.concat(expected));
            } else {
              const sizes = 'runs' in each ? each.runs : [each.datagrams];
              const from = next;
              const runs = sizes.map((size) => run(next, (next += size)));
              if ('runs' in each) queue.pushRuns(runs);
              else queue.push(alike(from, next));
              plain.push(alike(from, next));
            }
            expect([queue.length, queue.room, queue.dropped]).toEqual([plain.length, plain.room, plain.dropped]);
          }
        }),
        { runs: 300 },
      );
    },
  );
});
