import { PassThrough } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { expectContains } from '../../src/check/expectation.js';
import { ask, type AskOptions } from '../../src/exchange/ask.js';
import type { ExchangePlan } from '../../src/exchange/plan.js';
import { type CheckResult, describeResult } from '../../src/exchange/result.js';
import { parseAddress } from '../../src/net/index.js';
import { ENGINE_NAMES } from '../support/engines.js';
import { HANG_MS } from '../support/limits.js';
import { answeringServer, closedAddress, echoServer } from '../support/sockets.js';

/** No test here reads stdin, and no reply takes long enough to be examined in a thread. */
const NO_IO: AskOptions['io'] = { stdin: new PassThrough(), examiner: '' };

/** A plan with four messages. */
function plan(destination: string, changes: Partial<ExchangePlan>): ExchangePlan {
  return {
    destination: parseAddress(destination),
    socket: {},
    messages: { kind: 'payloads', payloads: ['a', 'b', 'c', 'd'].map((text) => Buffer.from(text)) },
    encoding: 'utf8',
    expectations: [],
    written: { expect: undefined, expectExact: undefined, expectRegex: undefined, expectSize: undefined },
    repliesFrom: 'peer',
    judged: true,
    waitMs: HANG_MS,
    ...changes,
  };
}

/** Asks, and ends the wait after this number of replies. */
function askFor(replies: number, asked: ExchangePlan): Promise<CheckResult> {
  const stop = new AbortController();
  let received = 0;
  const observer = {
    replies: ({ batch }: { readonly batch: readonly unknown[] }) => {
      received += batch.length;
      if (received >= replies) stop.abort('enough');
    },
  };
  return ask(asked, { io: NO_IO, signal: stop.signal, observers: [observer] });
}

/** Sends every message back except the first. */
const losesFirst = (data: Buffer, nth: number): Buffer[] => (nth === 0 ? [] : [data]);

describe.each(ENGINE_NAMES.flatMap((engine) => ([4, 6] as const).map((family) => ({ engine, family }))))(
  'with the $engine engine, over IPv$family, a largest loss',
  ({ engine, family }) => {
    test('that is not exceeded is ok', async () => {
      await using server = await answeringServer(losesFirst, family);
      const asked = plan(server.address, { socket: { engine }, maxLoss: 0.25 });
      const result = await askFor(3, asked);
      expect(result).toMatchObject({ verdict: 'ok', loss: { requests: 4, answered: 3, lost: 1, percent: 25 } });
      expect(describeResult(asked, result, 2000)).toMatch(
        /^\S+ answered 3 of 4 requests, the first in [\d.]+ ms; 25% lost$/,
      );
    });

    test('that is exceeded is silence, and says by how much', async () => {
      await using server = await answeringServer(losesFirst, family);
      const asked = plan(server.address, { socket: { engine }, maxLoss: 0.24 });
      const result = await askFor(3, asked);
      expect(result.verdict).toBe('silent');
      expect(describeResult(asked, result, 2000)).toBe(
        `${server.address} answered 3 of 4 requests within 2s; 25% lost, more than 24%`,
      );
    });

    test('counts refused requests as lost', async () => {
      const address = await closedAddress(family);
      const result = await ask(plan(address, { socket: { engine }, maxLoss: 0.5 }), { io: NO_IO });
      expect(result).toMatchObject({ verdict: 'refused', loss: { requests: 4, lost: 4, percent: 100 } });
      const allowed = await ask(plan(address, { socket: { engine }, maxLoss: 1 }), { io: NO_IO });
      expect(allowed.verdict).toBe('ok');
    });
  },
);

describe('a largest loss', () => {
  test.each([
    [0.25, 'ok'],
    [0.1, 'mismatch'],
  ])('of %d counts a request with a wrong reply as lost: %s', async (maxLoss, verdict) => {
    await using server = await answeringServer((data, nth) => [
      nth === 2 ? Buffer.from('wrong') : Buffer.from(`${String(data)} right`),
    ]);
    const asked = plan(server.address, { maxLoss, expectations: [expectContains(Buffer.from('right'), 'utf8')] });
    expect(await askFor(4, asked)).toMatchObject({ verdict, loss: { lost: 1 } });
  });

  test('does not end the wait: the replies that are left may still come', async () => {
    await using server = await echoServer();
    const result = await ask(plan(server.address, { maxLoss: 0.9 }), { io: NO_IO });
    expect(result).toMatchObject({ verdict: 'ok', loss: { answered: 4, lost: 0, percent: 0 } });
  });

  test('decides for a single request as well', async () => {
    const address = await closedAddress();
    const one = { messages: { kind: 'payloads', payloads: [Buffer.from('a')] }, maxLoss: 1 } as const;
    expect((await ask(plan(address, one), { io: NO_IO })).verdict).toBe('ok');
  });

  test('is refused for a group, because many hosts may reply to one request', async () => {
    await expect(ask(plan('239.1.2.3:8000', { maxLoss: 0.1 }), { io: NO_IO })).rejects.toThrow(
      "option '--max-loss': many hosts may reply to one request to a group or a broadcast address",
    );
  });
});
