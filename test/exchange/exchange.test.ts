import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { Exchange, type ExchangeOptions } from '../../src/exchange/exchange.js';
import { expectContains } from '../../src/check/expectation.js';
import type { Finding } from '../../src/check/finding.js';
import { Judge } from '../../src/check/judge.js';
import { NumberedPayloads } from '../../src/input/numbered-payload.js';
import { type Endpoint, formatEndpoint } from '../../src/net/index.js';
import { Measurement } from '../../src/check/measurement.js';
import { ENGINE_NAMES } from '../support/engines.js';
import { HANG_MS } from '../support/limits.js';
import {
  answeringServer,
  arrivals,
  closedPort,
  echoServer,
  hostAndPort,
  type Peer,
  silentServer,
  strayServer,
} from '../support/sockets.js';

/** A limit in milliseconds that no test reaches. */
const LONG_MS = HANG_MS;
/** This number of retransmissions within that limit is one every 100 ms. */
const MANY_RETRIES = LONG_MS / 100 - 1;

const bytes = (text: string): Uint8Array => Buffer.from(text);

function endpointOf({ address }: Pick<Peer, 'address'>): Endpoint {
  const { host, port } = hostAndPort(address);
  return { address: host, port };
}

interface Told {
  readonly replies: string[];
  readonly strays: string[];
  readonly peerErrors: string[];
  readonly nextAddresses: string[];
}

/** Opens an exchange, and collects its events. */
async function open(
  candidates: readonly Endpoint[],
  options: Partial<ExchangeOptions> & {
    readonly expects?: string;
    readonly probe?: (data: Uint8Array) => Finding;
  } = {},
): Promise<{ exchange: Exchange; judge: Judge; told: Told }> {
  const { expects, probe, ...others } = options;
  const judge = new Judge(expects === undefined ? [] : [expectContains(bytes(expects), 'utf8')], probe);
  const told: Told = { replies: [], strays: [], peerErrors: [], nextAddresses: [] };
  const exchange = await Exchange.open({
    candidates: candidates as [Endpoint, ...Endpoint[]],
    client: {},
    listens: true,
    repliesFrom: 'peer',
    judge,
    replies: 'as-sent',
    observers: [
      {
        replies: ({ batch }) => {
          told.replies.push(...batch.map(({ data }) => Buffer.from(data).toString()));
        },
        strays: ({ batch }) => {
          told.strays.push(...batch.map(({ remote }) => formatEndpoint(remote)));
        },
        'peer error': ({ error }) => {
          told.peerErrors.push(error.code);
        },
        'next address': ({ refused, next }) => {
          told.nextAddresses.push(`${formatEndpoint(refused)} to ${formatEndpoint(next)}`);
        },
      },
    ],
    ...others,
  });
  return { exchange, judge, told };
}

describe('drops of the kernel', () => {
  test.each([true, false])(
    'on a refused address count as well, as a lower bound if they were not read before: read before %p',
    async (asked) => {
      await using server = await echoServer();
      const refusing = { address: '127.0.0.1', port: await closedPort() };
      const { exchange } = await open([refusing, endpointOf(server)]);
      await using _closing = exchange;
      if (asked) expect(exchange.kernelDropped).toBe(0);
      await exchange.send([bytes('hello')]);
      await exchange.wait(LONG_MS);
      expect(exchange.remote).toEqual(endpointOf(server));
      expect(exchange.kernelDropped).toBe(0);
      expect(exchange.kernelDropsAreLowerBound).toBe(!asked);
    },
  );
});

describe('an exchange', () => {
  test('ends after as many replies as messages', async () => {
    await using server = await echoServer();
    const { exchange, judge, told } = await open([endpointOf(server)]);
    await using _ = exchange;
    await exchange.send([bytes('a'), bytes('b')]);
    await exchange.wait(LONG_MS);
    expect(exchange.wanted).toBe(2);
    expect(judge.verdict(exchange.wanted)).toBe('ok');
    await exchange[Symbol.asyncDispose]();
    expect(told.replies).toEqual(['a', 'b']);
    expect(exchange).toMatchObject({ sent: 2, transmitted: 2, received: 2, dropped: 0, failure: undefined });
    expect(exchange.rttMs).toBeGreaterThanOrEqual(0);
  });

  test('can end the sending early only if a number of replies was asked for', async () => {
    await using server = await echoServer();
    const numbered = await open([endpointOf(server)], { replies: 1 });
    await using _numbered = numbered.exchange;
    const unnumbered = await open([endpointOf(server)]);
    await using _unnumbered = unnumbered.exchange;
    const enough = new Promise((resolve) => {
      numbered.exchange.enough.addEventListener('abort', resolve);
    });
    await unnumbered.exchange.send([bytes('a')]);
    await numbered.exchange.send([bytes('a')]);
    await enough;
    expect(unnumbered.exchange.enough.aborted).toBe(false);
    await unnumbered.exchange.wait(LONG_MS);
  });

  test('takes no more replies than asked for', async () => {
    await using server = await answeringServer(['a', 'b', 'c']);
    const { exchange, told } = await open([endpointOf(server)], { replies: 2 });
    await using _ = exchange;
    await exchange.send([bytes('?')]);
    await exchange.wait(LONG_MS);
    await exchange[Symbol.asyncDispose]();
    expect(told.replies.slice(0, 2)).toEqual(['a', 'b']);
    expect(exchange.received).toBe(told.replies.length);
  });

  test('ends at once after a refusal of the last message', async () => {
    const { exchange, judge, told } = await open([{ address: '127.0.0.1', port: await closedPort() }]);
    await using _ = exchange;
    await exchange.send([bytes('a'), bytes('b')]);
    await exchange.wait(LONG_MS);
    expect(judge.verdict(exchange.wanted)).toBe('refused');
    expect(exchange.sent).toBe(2);
    expect(told.peerErrors).toContain('REFUSED');
  });

  test('sends from a socket for each sender, and from new ones to the next address', async () => {
    await using server = await echoServer();
    const refusing = { address: '127.0.0.1', port: await closedPort() };
    const { exchange, told } = await open([refusing, endpointOf(server)], { manySenders: true });
    await using _ = exchange;
    await exchange.send([bytes('a'), bytes('b')], 'one');
    await exchange.send([bytes('c')], 'two');
    await exchange.send([bytes('d')], 'one');
    await exchange.wait(LONG_MS);
    expect(exchange.failure).toBeUndefined();
    expect(exchange).toMatchObject({ sent: 4, received: 4, remote: endpointOf(server) });
    await exchange[Symbol.asyncDispose]();
    expect(told.replies.sort()).toEqual(['a', 'b', 'c', 'd']);
    const sendersOf = (texts: readonly string[]) =>
      new Set(server.received.filter(({ data }) => texts.includes(String(data))).map(({ from }) => from));
    const [ones, twos] = [[...sendersOf(['a', 'b', 'd'])], [...sendersOf(['c'])]];
    expect(ones).toHaveLength(1);
    expect(twos).toHaveLength(1);
    expect(ones).not.toEqual(twos);
  });

  test('opens no more sockets once it is closed', async () => {
    await using server = await silentServer();
    const { exchange } = await open([endpointOf(server)], { manySenders: true });
    await exchange.send([bytes('a')], 'one');
    const closed = (error: unknown): string => (error as { code: string }).code;
    // The socket of this sender opens before the others are closed, or the message is not sent.
    const meanwhile = exchange.send([bytes('b')], 'two').catch(closed);
    await exchange[Symbol.asyncDispose]();
    expect(await exchange.send([bytes('c')], 'three').catch(closed)).toBe('CLOSED');
    expect(await arrivals(server)).toEqual((await meanwhile) === 'CLOSED' ? ['a'] : ['a', 'b']);
  });

  test('counts retransmissions as transmitted, and not as sent', async () => {
    await using server = await answeringServer((_data, nth) => (nth < 2 ? ['NOPE'] : ['OK']));
    const { exchange, judge } = await open([endpointOf(server)], { expects: 'OK' });
    await using _ = exchange;
    await exchange.send([bytes('a')]);
    await exchange.wait(LONG_MS, bytes('a'), MANY_RETRIES);
    expect(judge.verdict(exchange.wanted)).toBe('ok');
    expect(exchange).toMatchObject({ sent: 1, wanted: 1 });
    // There are more retransmissions if the third reply was late.
    expect(exchange.transmitted).toBeGreaterThanOrEqual(3);
    expect(await arrivals(server)).toHaveLength(exchange.transmitted);
  });

  test('judges the replies that reached the socket in time', async () => {
    await using server = await echoServer();
    const { exchange, judge } = await open([endpointOf(server)], { replies: 'all' });
    await using _ = exchange;
    await exchange.send([bytes('a')]);
    await server.collect(1);
    await exchange.endOnTime();
    await exchange[Symbol.asyncDispose]();
    expect(judge.verdict(exchange.wanted)).toBe('ok');
  });

  test('gives replies to a slow reader even after the time is over', async () => {
    const answers = Array.from({ length: 20 }, (_, index) => String(index));
    await using server = await silentServer();
    const read: string[] = [];
    let letGo = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const { exchange } = await open([endpointOf(server)], {
      replies: 'all',
      observers: [
        {
          replies: async ({ batch }) => {
            await held;
            read.push(...batch.map(({ data }) => Buffer.from(data).toString()));
          },
        },
      ],
    });
    await using _ = exchange;
    await exchange.send([bytes('?')]);
    await server.collect(1);
    for (const answer of answers) await server.send(answer, formatEndpoint(exchange.local));
    await exchange.wait(0);
    letGo();
    await exchange[Symbol.asyncDispose]();
    expect(read).toEqual(answers);
    expect(exchange.received).toBe(answers.length);
  });

  test('tells strays apart from replies', async () => {
    await using server = await strayServer();
    const { exchange, judge, told } = await open([endpointOf(server)]);
    await using _ = exchange;
    await exchange.send([bytes('a')]);
    while (told.strays.length === 0) await nextTurn();
    await exchange.wait(0);
    expect(told).toMatchObject({ replies: [], strays: [server.strayAddress] });
    expect(judge.verdict(exchange.wanted)).toBe('stray');
  });

  test('that does not listen gives no replies, and counts none as dropped', async () => {
    await using server = await answeringServer(Array.from({ length: 10 }, () => 'x'));
    const options = { listens: false, client: { maxReadQueue: 1 } };
    const { exchange, told } = await open([endpointOf(server)], options);
    await using _ = exchange;
    await exchange.send([bytes('a')]);
    await server.collect(1);
    await exchange.checkRefusal();
    expect(told.replies).toEqual([]);
    expect(exchange).toMatchObject({ received: 0, dropped: 0 });
  });

  test('leaves no listener behind on its socket', async () => {
    await using server = await echoServer();
    const { exchange } = await open([endpointOf(server)], { idleMs: LONG_MS });
    await exchange.send([bytes('a')]);
    await exchange.wait(LONG_MS);
    await exchange[Symbol.asyncDispose]();
    expect(exchange.client.eventNames()).toEqual([]);
    await exchange[Symbol.asyncDispose]();
  });
});

describe('of several addresses an exchange', () => {
  async function refusing(): Promise<Endpoint> {
    return { address: '127.0.0.1', port: await closedPort() };
  }

  test('sends each message once to the next address that does not refuse', async () => {
    await using server = await echoServer(6);
    const [first, second, third] = [await refusing(), await refusing(), endpointOf(server)];
    const { exchange, told } = await open([first, second, third]);
    await using _ = exchange;
    await exchange.send([bytes('a'), bytes('b')]);
    await exchange.wait(LONG_MS);
    expect(await arrivals(server)).toEqual(['a', 'b']);
    expect(exchange.remote).toEqual(third);
    expect(exchange.sent).toBe(2);
    expect(told.peerErrors).toEqual([]);
    expect(told.nextAddresses).toEqual([
      `${formatEndpoint(first)} to ${formatEndpoint(second)}`,
      `${formatEndpoint(second)} to ${formatEndpoint(third)}`,
    ]);
  });

  test('sends the original bytes to it, although the caller has overwritten them, and measures the new round trips', async () => {
    await using server = await echoServer();
    const numbered = new NumberedPayloads(64);
    const measurement = new Measurement({ numbered, lateMs: LONG_MS });
    await measurement.roundTrips.load();
    const { exchange, told } = await open([await refusing(), endpointOf(server)], { measurement });
    await using _ = exchange;
    for (let sequence = 0; sequence < 3; sequence += 1) await exchange.send(numbered.take(sequence, 1));
    await exchange.wait(LONG_MS);
    const sequences = server.received.map(({ data }) => numbered.read(data)?.sequence);
    expect(sequences).toEqual([0, 1, 2]);
    expect(told.nextAddresses).toHaveLength(1);
    expect(measurement).toMatchObject({ requests: 3, replied: 3, lost: 0, duplicated: 0, matchedBy: 'content' });
  });

  test('goes on one-way too', async () => {
    await using server = await silentServer();
    const { exchange, judge } = await open([await refusing(), endpointOf(server)], { listens: false });
    await using _ = exchange;
    await exchange.send([bytes('a')]);
    await exchange.checkRefusal();
    expect(await arrivals(server)).toEqual(['a']);
    expect(judge.refused).toBe(false);
  });

  test('stays with an address that has replied', async () => {
    const server = await echoServer();
    await using other = await silentServer();
    const { exchange, judge, told } = await open([endpointOf(server), endpointOf(other)]);
    await using _ = exchange;
    await exchange.send([bytes('a')]);
    while (judge.matching === 0) await nextTurn();
    await server[Symbol.asyncDispose]();
    await exchange.send([bytes('b')]);
    await exchange.wait(LONG_MS);
    expect(judge.verdict(exchange.wanted)).toBe('refused');
    expect(told.nextAddresses).toEqual([]);
    expect(await arrivals(other)).toEqual([]);
  });

  test('stays with an address that did not refuse for two seconds, so that no old message is sent to another', async () => {
    const server = await silentServer();
    await using other = await silentServer();
    const { exchange, told } = await open([endpointOf(server), endpointOf(other)]);
    await using _ = exchange;
    await exchange.send([bytes('old')]);
    await server.collect(1);
    await delay(2100);
    await exchange.send([bytes('new')]);
    await server[Symbol.asyncDispose]();
    await exchange.send([bytes('refused')]);
    await exchange.wait(LONG_MS);
    expect(told.peerErrors).toContain('REFUSED');
    expect(told.nextAddresses).toEqual([]);
    expect(await arrivals(other)).toEqual([]);
  });

  test('skips addresses that cannot be used, and fails with the last one', async () => {
    await using server = await echoServer();
    const { told, exchange } = await open([{ address: '::1', port: 9 }, endpointOf(server)], {
      client: { localAddress: '127.0.0.1:0' },
    });
    await exchange[Symbol.asyncDispose]();
    expect(told.nextAddresses).toEqual([`[::1]:9 to ${server.address}`]);
    const unusable = open(
      [
        { address: '::1', port: 9 },
        { address: '::1', port: 10 },
      ],
      {
        client: { localAddress: '127.0.0.1:0' },
      },
    );
    await expect(unusable).rejects.toMatchObject({ name: 'DatagramError', code: 'INVALID_ADDRESS' });
  });
});

/** A protocol in which "done" is the decisive reply. Every other reply gets a follow-up. */
const dialogue = (data: Uint8Array): Finding =>
  Buffer.from(data).toString() === 'done'
    ? { outcome: 'match' }
    : { outcome: 'pending', says: 'more', followUp: bytes('go on') };

describe('a protocol with follow-ups', () => {
  test('sends them until the decisive reply comes', async () => {
    await using server = await answeringServer((data) => [data.toString() === 'go on' ? 'done' : 'wait']);
    const { exchange, judge, told } = await open([endpointOf(server)], { probe: dialogue });
    await using _ = exchange;
    await exchange.send([bytes('begin')]);
    await exchange.wait(LONG_MS);
    await exchange[Symbol.asyncDispose]();
    expect(await arrivals(server)).toEqual(['begin', 'go on']);
    expect(told.replies).toEqual(['wait', 'done']);
    expect(judge).toMatchObject({ matching: 1, pending: 'more' });
    expect(exchange).toMatchObject({ sent: 1, transmitted: 2, received: 2 });
  });

  test('stops sending them to a peer that always wants more, and the verdict is silent', async () => {
    await using server = await answeringServer(['wait']);
    const { exchange, judge } = await open([endpointOf(server)], { probe: dialogue });
    await using _ = exchange;
    await exchange.send([bytes('begin')]);
    // The third reply is the one to the last follow-up. It gets no follow-up.
    while (exchange.received < 3) await nextTurn();
    await exchange.wait(0);
    await exchange[Symbol.asyncDispose]();
    expect(await arrivals(server)).toEqual(['begin', 'go on', 'go on']);
    expect(judge.verdict(exchange.wanted)).toBe('silent');
  });

  test('counts a reply only if it meets the expectations, too', async () => {
    await using server = await answeringServer(['done']);
    const { exchange, judge } = await open([endpointOf(server)], { probe: dialogue, expects: 'else' });
    await using _ = exchange;
    await exchange.send([bytes('begin')]);
    while (exchange.received === 0) await nextTurn();
    await exchange.wait(0);
    expect(judge).toMatchObject({ matching: 0, mismatch: 'does not contain "else"', failedProbe: false });
  });
});

describe('retransmissions', () => {
  const WAIT_MS = 2000;

  test('end with the wait, even if more were asked for', async () => {
    await using server = await silentServer();
    const { exchange } = await open([endpointOf(server)]);
    await using _ = exchange;
    await exchange.send([bytes('?')]);
    await exchange.wait(WAIT_MS, bytes('?'), 1_000_000);
    // There is at most one for each timer, and a timer takes a millisecond.
    expect(exchange.transmitted).toBeLessThanOrEqual(WAIT_MS + 2);
    expect(exchange.transmitted).toBeGreaterThan(1);
    expect(await arrivals(server)).toHaveLength(exchange.transmitted);
  });

  test('to another address of a name are written again for it', async () => {
    const port = await closedPort(6);
    await using server = await answeringServer((_data, nth) => (nth === 0 ? [] : ['heard again']), 4, port);
    const candidates = [{ address: '::1', port }, endpointOf(server)];
    const { exchange } = await open(candidates, {
      rewrite: (local, remote) => Promise.resolve([bytes(`to ${remote.address} from ${local.address}`)]),
    });
    await using _ = exchange;
    await exchange.send([bytes('to ::1')]);
    await exchange.wait(LONG_MS, bytes('to ::1'), MANY_RETRIES);
    const again = 'to 127.0.0.1 from 127.0.0.1';
    expect((await arrivals(server)).filter((data) => data !== again)).toEqual([]);
    expect(server.received.length).toBeGreaterThan(1);
  });
});

describe('replies that take long to judge', () => {
  let judged = 0;
  /** Two hundred of them take four seconds. */
  const slow = (): Finding => {
    judged += 1;
    const untilMs = performance.now() + 20;
    while (performance.now() < untilMs);
    return { outcome: 'mismatch', says: 'no' };
  };

  test('delay neither timers nor the end for long', async () => {
    await using server = await answeringServer(Array.from({ length: 200 }, () => 'x'));
    const { exchange, judge } = await open([endpointOf(server)], { probe: slow });
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 1);
    await exchange.send([bytes('?')]);
    while (judged < 2) await nextTurn();
    await exchange.wait(0);
    await exchange[Symbol.asyncDispose]();
    clearInterval(timer);
    expect(exchange.received).toBeLessThan(200);
    expect(exchange.received).toBeGreaterThan(1);
    expect(turns).toBeGreaterThan(1);
    expect(judge.verdict(1)).toBe('mismatch');
  });
});

describe('replies that cannot be judged in time at the end', () => {
  test.each(ENGINE_NAMES)('are counted, and few are judged, with the %s engine', async (engine) => {
    const count = 100;
    const server = createSocket('udp4').bind(0, '127.0.0.1');
    await once(server, 'listening');
    const answered = new Promise((resolve) => {
      server.once('message', (_data, { port, address }) => {
        const all = Array.from(
          { length: count },
          () =>
            new Promise((done) => {
              server.send('x', port, address, done);
            }),
        );
        resolve(Promise.all(all));
      });
    });
    let isOver = false;
    let late = 0;
    let left = 0;
    const slow = (): Finding => {
      if (isOver) late += 1;
      const untilMs = performance.now() + 30;
      while (performance.now() < untilMs);
      return { outcome: 'mismatch', says: 'no' };
    };
    // A few replies wait in the queue. The others wait in the kernel, or were dropped by the full queue.
    const { exchange, judge } = await open([{ address: '127.0.0.1', port: server.address().port }], {
      probe: slow,
      client: { engine, maxReadQueue: 20 },
      observers: [{ left: ({ count }) => (left += count) }],
    });
    await using _ = exchange;
    expect(exchange.kernelDropped).toBe(0);
    await exchange.send([bytes('?')]);
    await answered;
    while (exchange.received === 0) await delay(1);
    isOver = true;
    await exchange.endOnTime();
    await exchange[Symbol.asyncDispose]();
    server.close();
    // Judging may go on for 100 ms, and the last reply starts just before the end.
    expect(late).toBeLessThanOrEqual(4);
    expect(left).toBeGreaterThan(0);
    expect(judge.unjudged).toBe(left);
    const kernelDropped = exchange.kernelDropped ?? 0;
    const told = exchange.received + exchange.dropped + kernelDropped;
    expect(told).toBeLessThanOrEqual(count);
    // Replies in the kernel are counted only for a moment, which may be too short on a busy machine.
    expect(told < count ? exchange.kernelDropsAreLowerBound : true).toBe(true);
    expect(exchange.kernelDropsAreLowerBound).toBe(kernelDropped > 0);
    expect(judge.verdict(1)).toBe('mismatch');
  });
});

describe('replies from the host that was asked', () => {
  test('may come from any of its ports', async () => {
    await using server = await strayServer(4, 'from elsewhere');
    const { exchange, judge, told } = await open([endpointOf(server)], { repliesFrom: 'host' });
    await using _ = exchange;
    await exchange.send([bytes('?')]);
    await exchange.wait(LONG_MS);
    await exchange[Symbol.asyncDispose]();
    expect(told).toMatchObject({ replies: ['from elsewhere'], strays: [] });
    expect(judge.verdict(1)).toBe('ok');
  });

  test('do not include datagrams from another host', async () => {
    await using server = await silentServer();
    const { exchange, judge, told } = await open([endpointOf(server)], { repliesFrom: 'host' });
    await using _ = exchange;
    const stranger = createSocket('udp4').bind(0, '127.0.0.2');
    await once(stranger, 'listening');
    stranger.send('not asked', exchange.local.port, '127.0.0.1');
    const { port } = stranger.address();
    await exchange.send([bytes('?')]);
    while (told.strays.length === 0) await nextTurn();
    await exchange.wait(0);
    await exchange[Symbol.asyncDispose]();
    stranger.close();
    expect(told).toMatchObject({ replies: [], strays: [`127.0.0.2:${port}`] });
    expect(judge.verdict(1)).toBe('stray');
  });
});
