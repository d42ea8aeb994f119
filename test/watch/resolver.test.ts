import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { Resolver } from '../../src/watch/resolver.js';
import { ended } from '../support/processes.js';
import { testNeeding } from '../support/needs.js';

const testWithProc = testNeeding('proc');

const IO = {
  evaluate: [process.execPath, '-e'] as const,
  env: { PATH: process.env.PATH, NODE_OPTIONS: '--no-such-option' },
};

/** The children of this process. */
function children(): number[] {
  return readdirSync('/proc/self/task').flatMap((task) =>
    readFileSync(`/proc/self/task/${task}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number),
  );
}

describe('the process that looks names up', () => {
  test('finds addresses, many at a time, and tells why there is none', async () => {
    using resolver = new Resolver(IO);
    // A literal is what the resolver finds without asking anybody.
    const literals = Array.from({ length: 50 }, (_, index) => `192.0.2.${index + 1}`);
    const found = await Promise.all(literals.map((literal) => resolver.lookup(literal, 0)));
    expect(found.map(([first]) => first?.address)).toEqual(literals);
    await expect(resolver.lookup('no-such-name.invalid', 0)).rejects.toMatchObject({ code: expect.any(String) });
  });

  testWithProc('is not started for localhost', async () => {
    const before = children();
    using resolver = new Resolver(IO);
    expect(await resolver.lookup('localhost', 4)).toEqual([{ address: '127.0.0.1' }]);
    expect(await resolver.lookup('LocalHost.', 6)).toEqual([{ address: '::1' }]);
    expect(children()).toEqual(before);
  });

  testWithProc('is started again after it was killed, and killed at the end', async () => {
    const before = new Set(children());
    const own = (): number[] => children().filter((pid) => !before.has(pid));
    const resolver = new Resolver(IO);
    await resolver.lookup('192.0.2.1', 4);
    const [first] = own();
    process.kill(first!, 'SIGKILL');
    await ended(first!);
    // The look-up that finds out may be the first or the second.
    await resolver.lookup('192.0.2.1', 4).catch(() => undefined);
    expect(await resolver.lookup('192.0.2.2', 4)).toMatchObject([{ address: '192.0.2.2' }]);
    const [second] = own();
    expect(second).not.toBe(first);
    resolver[Symbol.dispose]();
    await ended(second!);
    await expect(resolver.lookup('192.0.2.1', 4)).rejects.toThrow();
  });
});
