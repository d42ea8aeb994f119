import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Lookup } from '../../src/net/index.js';
import { Names } from '../../src/watch/names.js';

const KEEP_MS = 1000;

/** A resolver whose response the test gives, and what it was asked. */
function createResolver() {
  const asked: string[] = [];
  const open: { resolve: (addresses: string[]) => void; reject: (error: Error) => void }[] = [];
  const lookup: Lookup = (name, family) => {
    asked.push(`${name}/${family}`);
    return new Promise((resolve, reject) => {
      open.push({
        resolve: (addresses) => {
          resolve(addresses.map((address) => ({ address })));
        },
        reject,
      });
    });
  };
  return { asked, lookup, next: () => open.shift() };
}

describe('the addresses of a name', () => {
  // The clock of the test is the only one: nothing here waits.
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test('are looked up once for all who ask at the same time, and kept', async () => {
    const { asked, lookup, next } = createResolver();
    using names = new Names(lookup);
    const lookUp = names.lookupEvery(KEEP_MS);
    const both = Promise.all([lookUp('a.example', 0), lookUp('A.example', 0)]);
    next()?.resolve(['192.0.2.1']);
    expect(await both).toEqual([[{ address: '192.0.2.1' }], [{ address: '192.0.2.1' }]]);
    expect(await lookUp('a.example', 0)).toEqual([{ address: '192.0.2.1' }]);
    expect(asked).toEqual(['a.example/0']);
  });

  test('are replaced in the background, and used until they are', async () => {
    const { asked, lookup, next } = createResolver();
    using names = new Names(lookup);
    const lookUp = names.lookupEvery(KEEP_MS);
    const first = lookUp('a.example', 4);
    next()?.resolve(['192.0.2.1']);
    await first;
    await jest.advanceTimersByTimeAsync(KEEP_MS + 1);
    expect(asked).toEqual(['a.example/4', 'a.example/4']);
    expect(await lookUp('a.example', 4)).toEqual([{ address: '192.0.2.1' }]);
    next()?.resolve(['192.0.2.2']);
    await jest.advanceTimersByTimeAsync(0);
    expect(await lookUp('a.example', 4)).toEqual([{ address: '192.0.2.2' }]);
  });

  test('are used ten times as long when they cannot be looked up again, and then no longer', async () => {
    const { lookup, next } = createResolver();
    using names = new Names(lookup);
    const lookUp = names.lookupEvery(KEEP_MS);
    const first = lookUp('a.example', 0);
    next()?.resolve(['192.0.2.1']);
    await first;
    for (let nth = 1; nth < 10; nth += 1) {
      await jest.advanceTimersByTimeAsync(KEEP_MS);
      next()?.reject(new Error('no resolver'));
      expect(await lookUp('a.example', 0)).toEqual([{ address: '192.0.2.1' }]);
    }
    await jest.advanceTimersByTimeAsync(2 * KEEP_MS);
    const late = lookUp('a.example', 0);
    next()?.reject(new Error('no resolver'));
    await expect(late).rejects.toThrow('no resolver');
  });

  test('are asked for again at once after a failure', async () => {
    const { asked, lookup, next } = createResolver();
    using names = new Names(lookup);
    const lookUp = names.lookupEvery(KEEP_MS);
    const first = lookUp('a.example', 0);
    next()?.reject(new Error('no such name'));
    await expect(first).rejects.toThrow('no such name');
    const second = lookUp('a.example', 0);
    next()?.resolve(['192.0.2.1']);
    expect(await second).toEqual([{ address: '192.0.2.1' }]);
    expect(asked).toHaveLength(2);
  });

  test('are kept for names that are still asked for, and forgotten for others', async () => {
    const { asked, lookup, next } = createResolver();
    using names = new Names(lookup);
    const lookUp = names.lookupEvery(KEEP_MS);
    for (const name of ['a.example', 'b.example']) {
      const found = lookUp(name, 0);
      next()?.resolve(['192.0.2.1']);
      await found;
    }
    names.keepOnly(['A.example']);
    expect(await lookUp('a.example', 0)).toEqual([{ address: '192.0.2.1' }]);
    expect(asked).toHaveLength(2);
    void lookUp('b.example', 0);
    await jest.advanceTimersByTimeAsync(0);
    expect(asked).toHaveLength(3);
    // Only the name that was kept is looked up again, and the one that is being looked up anew.
    await jest.advanceTimersByTimeAsync(KEEP_MS + 1);
    expect(asked).toHaveLength(4);
  });
});
