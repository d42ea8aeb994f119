import { expect, test } from '@jest/globals';
import { type Endpoint, parseAddress } from '../../src/net/index.js';
import { TargetWatch } from '../../src/relay/target.js';
import type { Context } from '../../src/run/context.js';

const target = parseAddress('127.0.0.1:9');
const settings = { target, source: undefined, socket: {}, sessionSocket: {} };
/** The part of a context that a look-up of a literal address needs. */
const context = { evaluate: ['false'], env: {} } as unknown as Context;

test('a target is not looked up again before its time, which may be longer than the 24.8 days of a timer of Node', async () => {
  const found: (readonly Endpoint[])[] = [];
  const late = new TargetWatch(settings, context, [], 2 ** 31, (targets) => found.push(targets));
  // The watch that is set later looks its target up first.
  await new Promise<void>((resolve) => {
    const soon = new TargetWatch(settings, context, [], 10, () => {
      soon.stop();
      resolve();
    });
  });
  late.stop();
  expect(found).toEqual([]);
});
