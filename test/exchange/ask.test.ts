import { getEventListeners } from 'node:events';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { expectContains } from '../../src/check/expectation.js';
import { ask, type AskOptions, DeadlineError } from '../../src/exchange/ask.js';
import type { ExchangeObserver } from '../../src/exchange/events.js';
import type { ExchangePlan } from '../../src/exchange/plan.js';
import { type CheckResult, describeResult } from '../../src/exchange/result.js';
import { type EngineName, formatEndpoint, parseAddress } from '../../src/net/index.js';
import { ProbeSession } from '../../src/probes/session.js';
import { ENGINE_NAMES } from '../support/engines.js';
import { HANG_MS } from '../support/limits.js';
import {
  answeringServer,
  arrivals,
  closedAddress,
  closedPort,
  echoServer,
  silentServer,
  strayServer,
} from '../support/sockets.js';

const bytes = (text: string): Uint8Array => Buffer.from(text);

/** No test here reads stdin, and no reply takes long enough to be examined in a thread. */
const NO_IO: AskOptions['io'] = { stdin: new PassThrough(), examiner: '' };

/** The wait of tests in which no reply comes, in milliseconds. */
const SHORT_MS = 100;

/** A plan that sends "ping" once, and waits for one reply. */
function plan(destination: string, changes: Partial<ExchangePlan> = {}): ExchangePlan {
  return {
    destination: parseAddress(destination),
    socket: {},
    messages: { kind: 'payloads', payloads: [bytes('ping')] },
    encoding: 'utf8',
    expectations: [],
    written: { expect: undefined, expectExact: undefined, expectRegex: undefined, expectSize: undefined },
    repliesFrom: 'peer',
    judged: true,
    waitMs: HANG_MS,
    ...changes,
  };
}

/** Asks, and aborts the signal at the first event of this type. */
function askUntil(
  type: 'replies' | 'strays',
  asked: ExchangePlan,
  why: unknown = 'seen',
): { readonly asking: Promise<CheckResult>; readonly signal: AbortSignal } {
  const stop = new AbortController();
  const observer = {
    [type]: () => {
      stop.abort(why);
    },
  };
  return { asking: ask(asked, { io: NO_IO, signal: stop.signal, observers: [observer] }), signal: stop.signal };
}

const CONTAINS_PONG = [expectContains(bytes('pong'), 'utf8')];

describe.each(ENGINE_NAMES.flatMap((engine) => ([4, 6] as const).map((family) => ({ engine, family }))))(
  'with the $engine engine, over IPv$family, a peer that is asked',
  ({ engine, family }) => {
    const planFor = (address: string, changes: Partial<ExchangePlan> = {}): ExchangePlan =>
      plan(address, { socket: { engine }, ...changes });
    const check = (address: string, changes: Partial<ExchangePlan> = {}): Promise<CheckResult> =>
      ask(planFor(address, changes), { io: NO_IO });

    test('and replies is ok', async () => {
      await using server = await echoServer(family);
      const result = await check(server.address);
      expect(result).toMatchObject({ verdict: 'ok', sent: 1, matching: 1, wanted: 1, unjudged: 0 });
      expect(result.rttMs).toBeGreaterThanOrEqual(0);
      expect(formatEndpoint(result.remote)).toBe(server.address);
    });

    test('and replies wrongly is a mismatch, with the reason', async () => {
      await using server = await answeringServer(['nope'], family);
      const result = await askUntil('replies', planFor(server.address, { expectations: CONTAINS_PONG })).asking;
      expect(result).toMatchObject({ verdict: 'mismatch', matching: 0, mismatch: 'does not contain "pong"' });
      expect(describeResult(plan(server.address), result, 3000)).toBe(
        `the reply from ${server.address} does not contain "pong"`,
      );
    });

    test('and says nothing is silent', async () => {
      await using server = await silentServer(family);
      const result = await check(server.address, { waitMs: SHORT_MS });
      expect(result).toMatchObject({ verdict: 'silent', sent: 1, rttMs: undefined });
      expect(describeResult(plan(server.address), result, SHORT_MS)).toBe(
        `${server.address} did not answer within 100ms`,
      );
    });

    test('and is not there refuses, and the wait ends', async () => {
      const result = await check(await closedAddress(family));
      expect(result.verdict).toBe('refused');
      expect(result.peerError).toMatchObject({ code: 'REFUSED' });
    });

    test('and replies from another address is a stray', async () => {
      await using server = await strayServer(family);
      const result = await askUntil('strays', planFor(server.address)).asking;
      expect(result).toMatchObject({ verdict: 'stray', matching: 0 });
    });

    test('and need not reply gets the messages', async () => {
      await using server = await silentServer(family);
      const result = await check(server.address, { judged: false, waitMs: 0 });
      expect(result).toMatchObject({ verdict: 'ok', sent: 1 });
      expect(await arrivals(server)).toEqual(['ping']);
    });

    test('can be asked again, and by several at once', async () => {
      await using server = await echoServer(family);
      for (let round = 0; round < 3; round += 1) {
        const results = await Promise.all([check(server.address), check(server.address)]);
        expect(results.map(({ verdict }) => verdict)).toEqual(['ok', 'ok']);
      }
      expect(server.received).toHaveLength(6);
    });
  },
);

/** Asks the name `peer.example`, which has these addresses. */
function askByName(
  port: number,
  addresses: readonly string[],
  engine: EngineName,
  observers: readonly ExchangeObserver[] = [],
): Promise<CheckResult> {
  return ask(plan(`peer.example:${port}`, { socket: { engine } }), {
    io: NO_IO,
    observers,
    lookup: () => () => Promise.resolve(addresses.map((address) => ({ address }))),
  });
}

describe.each(ENGINE_NAMES)('a name with several addresses, with the %s engine,', (engine) => {
  test.each([
    [6, 4, '::1', '127.0.0.1'],
    [4, 6, '127.0.0.1', '::1'],
  ] as const)(
    'is asked at the next one where IPv%d refuses and IPv%d replies',
    async (refusing, family, first, second) => {
      const port = await closedPort(refusing);
      await using server = await echoServer(family, port);
      const told: string[] = [];
      const result = await askByName(port, [first, second], engine, [
        {
          resolved: ({ name, found }) => {
            told.push(`${name} has ${found.length}`);
          },
          'next address': ({ refused, next }) => {
            told.push(`${refused.address} to ${next.address}`);
          },
        },
      ]);
      expect(result).toMatchObject({ verdict: 'ok', sent: 1, remote: { address: second, port } });
      expect(told).toEqual(['peer.example has 2', `${first} to ${second}`]);
      expect(await arrivals(server)).toEqual(['ping']);
    },
  );
});

describe('the deadline', () => {
  test('ends the look-up of a name, and aborts the signal of the look-up', async () => {
    let lookupSignal: AbortSignal | undefined;
    const asking = ask(plan('peer.example:9'), {
      io: NO_IO,
      deadlineMs: SHORT_MS,
      lookup: (signal) => {
        lookupSignal = signal;
        return () => new Promise(() => undefined);
      },
    });
    const error = await asking.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DeadlineError);
    expect(error).toMatchObject({ milestone: 'peer.example was resolved' });
    expect(lookupSignal?.aborted).toBe(true);
  });

  test('ends a wait without --wait, and the result counts the replies until then', async () => {
    await using server = await silentServer();
    // Long enough to send the message on a busy machine.
    const result = await ask(plan(server.address, { waitMs: undefined }), { io: NO_IO, deadlineMs: 3000 });
    expect(result).toMatchObject({ verdict: 'silent', sent: 1 });
  });

  test('that is over at the call lets nothing be sent', async () => {
    await using server = await silentServer();
    await expect(ask(plan(server.address), { io: NO_IO, deadlineMs: 0 })).rejects.toBeInstanceOf(DeadlineError);
    expect(await arrivals(server)).toEqual([]);
  });
});

describe('a signal', () => {
  const why = new Error('no more');

  test('that is aborted before the call rejects with its reason, and nothing is sent', async () => {
    await using server = await silentServer();
    await expect(ask(plan(server.address), { io: NO_IO, signal: AbortSignal.abort(why) })).rejects.toBe(why);
    expect(await arrivals(server)).toEqual([]);
  });

  test('ends the look-up of a name', async () => {
    const stop = new AbortController();
    const asking = ask(plan('peer.example:9'), {
      io: NO_IO,
      signal: stop.signal,
      lookup: () => () => {
        stop.abort(why);
        return new Promise(() => undefined);
      },
    });
    await expect(asking).rejects.toBe(why);
  });

  test('ends the wait, and the result counts the replies until then', async () => {
    await using server = await answeringServer(['nope']);
    const { asking, signal } = askUntil('replies', plan(server.address, { expectations: CONTAINS_PONG }), why);
    const result = await asking;
    expect(result).toMatchObject({ verdict: 'mismatch', mismatch: 'does not contain "pong"' });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('the messages', () => {
  test('of a stream are sent as they come', async () => {
    await using server = await echoServer();
    const stdin = new PassThrough();
    const asking = ask(
      plan(server.address, { messages: { kind: 'stream', format: { frame: { kind: 'lines' }, encoding: 'utf8' } } }),
      { io: { ...NO_IO, stdin } },
    );
    stdin.write('one\n');
    await server.collect(1);
    stdin.end('two\n');
    expect(await asking).toMatchObject({ verdict: 'ok', sent: 2, matching: 2 });
    expect(await arrivals(server)).toEqual(['one', 'two']);
  });

  test('of a probe are its request, and the result tells the content of the reply', async () => {
    await using server = await echoServer();
    const probe = await ProbeSession.read('stun', {});
    const result = await askUntil('replies', plan(server.address, { messages: { kind: 'probe', probe } })).asking;
    // The echo of the request does not count as a reply.
    expect(result).toMatchObject({ verdict: 'mismatch', failedProbe: true });
    expect(result.mismatch).toMatch(/^stun: /);
  });

  test('that are too large for a datagram are not sent', async () => {
    await using server = await silentServer();
    const messages = { kind: 'payloads', payloads: [new Uint8Array(65_508)] } as const;
    await expect(ask(plan(server.address, { messages }), { io: NO_IO })).rejects.toMatchObject({ name: 'UsageError' });
    expect(await arrivals(server)).toEqual([]);
  });

  test('are missing: that is a failure', async () => {
    await using server = await silentServer();
    const stdin = new PassThrough();
    stdin.end();
    const messages = { kind: 'stream', format: { frame: { kind: 'lines' }, encoding: 'utf8' } } as const;
    await expect(ask(plan(server.address, { messages }), { io: { ...NO_IO, stdin } })).rejects.toThrow(
      'there was nothing to send',
    );
  });
});

test('an observer that rejects makes the exchange fail, and the socket is closed', async () => {
  await using server = await echoServer();
  const told: string[] = [];
  // Only the failure can end this wait.
  const asking = ask(plan(server.address, { replies: 'all' }), {
    io: NO_IO,
    observers: [
      {
        opened: () => {
          told.push('opened');
        },
        replies: () => Promise.reject(new Error('no room')),
        closing: () => {
          told.push('closing');
        },
        closed: () => {
          told.push('closed');
        },
      },
    ],
  });
  await expect(asking).rejects.toThrow('no room');
  expect(told).toEqual(['opened', 'closing', 'closed']);
});
