/** `udpcat relay` in the process of the test, with real sockets. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { type DatagramServer, openUdpConnection, startUdpServer } from '../../src/net/index.js';
import { echo } from '../relay/relaying.js';
import { ENGINE_NAMES } from '../support/engines.js';
import { type InProcessOutcome, runInProcess } from '../support/in-process.js';
import { jsonLines } from '../support/service.js';

type Line = Readonly<Record<string, unknown>>;

interface Running {
  /** The address that the relay listens on. */
  readonly address: string;
  readonly outcome: Promise<InProcessOutcome>;
  /** Resolves once stderr has this text. */
  until(text: string | RegExp): Promise<void>;
  /** Stops it as a signal does. */
  stop(): Promise<InProcessOutcome>;
}

/** Starts a relay to a server. */
function start(server: Pick<DatagramServer, 'local'>, ...args: readonly string[]): Promise<Running> {
  return startTo(`127.0.0.1:${server.local.port}`, ...args);
}

/** Starts a relay to a target. */
async function startTo(target: string, ...args: readonly string[]): Promise<Running> {
  const stop = new AbortController();
  const waiting = new Set<() => void>();
  let stderr = '';
  const onStderr = (text: string): void => {
    stderr = text;
    for (const check of waiting) check();
  };
  const outcome = runInProcess(['relay', '127.0.0.1:0', target, ...args], { stop: stop.signal, onStderr });
  const until = (text: string | RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        if (typeof text === 'string' ? !stderr.includes(text) : !text.test(stderr)) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
      void outcome.then(({ stderr: all }) => {
        reject(new Error(`it ended: ${all}`));
      });
    });
  await until(/listening on .*\n/);
  const [, address = ''] = /listening on (\S+)/.exec(stderr) ?? [];
  return {
    address,
    outcome,
    until,
    stop: () => {
      stop.abort('SIGINT');
      return outcome;
    },
  };
}

/** Sends payloads one by one, and waits for the reply to each. */
async function ask(address: string, ...payloads: readonly string[]): Promise<void> {
  await using client = await openUdpConnection(address);
  for (const payload of payloads) {
    await client.send(payload);
    expect(Buffer.from(await client.recv()).toString()).toBe(payload);
  }
}

const linesOf = ({ stdout }: InProcessOutcome, type: string): Line[] =>
  jsonLines(stdout).filter((line) => line.type === type);

const NOTHING_LOST = {
  loss: 0,
  burstLoss: 0,
  lose: 0,
  maxSize: 0,
  lineQueue: 0,
  blackhole: 0,
  overflow: 0,
  amplification: 0,
  full: 0,
  noSocket: 0,
};
const counts = (received: number, others: object = {}) => ({
  received,
  duplicates: 0,
  sent: received,
  lost: NOTHING_LOST,
  notSent: 0,
  ...others,
});

describe.each(ENGINE_NAMES)('udpcat relay with the %s engine', (engine) => {
  test('tells sessions, datagrams of both sides, and the summary as JSON', async () => {
    await using server = await startUdpServer('127.0.0.1:0');
    echo(server);
    const running = await start(server, '--engine', engine, '-o', 'json');
    await ask(running.address, 'one', 'two');
    const outcome = await running.stop();
    expect(outcome.ending).toBe(0);
    const [listening] = linesOf(outcome, 'listening');
    expect(listening).toMatchObject({ address: running.address, target: `127.0.0.1:${server.local.port}` });
    expect(linesOf(outcome, 'faults')).toMatchObject([{ up: {}, down: {} }]);
    const [session] = linesOf(outcome, 'session') as [Line];
    expect(session).toMatchObject({ session: 1, target: listening?.target });
    const both = { session: 1, dir: 'in', size: 3 };
    const up = { ...both, side: 'client', from: session.client, to: running.address };
    const down = { ...both, side: 'server', from: session.target, to: session.source };
    expect(linesOf(outcome, 'datagram')).toMatchObject([
      { ...up, data: 'one' },
      { ...down, data: 'one' },
      { ...up, data: 'two' },
      { ...down, data: 'two' },
    ]);
    const types = jsonLines(outcome.stdout).map(({ type }) => type);
    expect(types.indexOf('session')).toBeLessThan(types.indexOf('datagram'));
    expect(linesOf(outcome, 'sessionEnd')).toMatchObject([
      { session: 1, reason: 'end', up: counts(2), down: counts(2) },
    ]);
    const summary = { sent: 4, received: 4, sessions: { opened: 1, peak: 1, full: 0 }, refusals: 0 };
    expect(linesOf(outcome, 'summary')).toMatchObject([{ ...summary, up: counts(2), down: counts(2) }]);
  });

  test('keeps both wires in a recording, a lost datagram once and with its fate', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'udpcat-relay-'));
    try {
      await using server = await startUdpServer('127.0.0.1:0');
      echo(server);
      const file = join(folder, 'both.jsonl');
      const running = await start(server, '--engine', engine, '--record', file, '--up-lose', '1');
      await using client = await openUdpConnection(running.address);
      await client.send('lost');
      await client.send('kept');
      expect(Buffer.from(await client.recv()).toString()).toBe('kept');
      const { ending } = await running.stop();
      expect(ending).toBe(0);
      const recorded = jsonLines(readFileSync(file, 'utf8')) as Line[];
      const { address } = running;
      const me = `127.0.0.1:${client.local.port}`;
      const target = `127.0.0.1:${server.local.port}`;
      const source = recorded.find(({ to }) => to === target)?.from;
      const session = 1;
      expect(recorded).toMatchObject([
        { dir: 'in', side: 'client', session, fate: 'lose', from: me, to: address, data: 'lost' },
        { dir: 'in', side: 'client', session, from: me, to: address, data: 'kept' },
        { dir: 'out', side: 'client', session, from: source, to: target, data: 'kept' },
        { dir: 'in', side: 'server', session, from: target, to: source, data: 'kept' },
        { dir: 'out', side: 'server', session, from: address, to: me, data: 'kept' },
      ]);
      expect(recorded.slice(1).filter((line) => 'fate' in line)).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

test('--side chooses whose datagrams are written, and text formats tell the way', async () => {
  await using server = await startUdpServer('127.0.0.1:0');
  echo(server);
  for (const [side, ways] of [
    ['client', ['up']],
    ['server', ['down']],
    ['both', ['up', 'down']],
  ] as const) {
    const running = await start(server, '--side', side, '-o', 'utf8', '--meta');
    await ask(running.address, 'hello');
    const { stdout } = await running.stop();
    const told = [...stdout.matchAll(/^\S+ (up|down) 1 \S+ > \S+ 5 bytes: hello$/gm)].map(([, way]) => way);
    expect(told).toEqual(ways);
  }
});

test('-c ends it after that many datagrams of clients, all passed on, and with their answers', async () => {
  await using server = await startUdpServer('127.0.0.1:0');
  echo(server);
  const running = await start(server, '-c', '2', '--up-delay', '50ms', '-o', 'json');
  await using client = await openUdpConnection(running.address);
  await client.sendBatch(['1', '2', '3']);
  expect(Buffer.from(await client.recv()).toString()).toBe('1');
  expect(Buffer.from(await client.recv()).toString()).toBe('2');
  const outcome = await running.outcome;
  expect(outcome.ending).toBe(0);
  expect(linesOf(outcome, 'summary')).toMatchObject([{ up: counts(2), down: counts(2) }]);
});

test('-c that is not reached in time is status 3', async () => {
  await using server = await startUdpServer('127.0.0.1:0');
  const { outcome } = await start(server, '-c', '1', '--duration', '50ms');
  const { ending, stderr } = await outcome;
  expect(ending).toBe(3);
  expect(stderr).toContain('0 of 1 datagrams came');
});

test('what is not due within a second of a signal is counted as not sent', async () => {
  await using server = await startUdpServer('127.0.0.1:0');
  const running = await start(server, '--up-delay', '1h', '--stats', '-v');
  await using client = await openUdpConnection(running.address);
  await client.send('late');
  await running.until('session 1 of');
  const { ending, stderr } = await running.stop();
  expect(ending).toBe(0);
  expect(stderr).toContain('up: 1 received, 0 sent, 1 not sent');
});

test('a refusal is an event with its session', async () => {
  const closed = await startUdpServer('127.0.0.1:0');
  closed.close();
  await closed.waitClosed();
  const running = await start(closed, '-o', 'json');
  await using client = await openUdpConnection(running.address);
  await client.send('nobody there');
  await running.until('nobody listens');
  const outcome = await running.stop();
  expect(linesOf(outcome, 'error')).toMatchObject([
    { code: 'REFUSED', peer: `127.0.0.1:${closed.local.port}`, session: 1 },
  ]);
  expect(linesOf(outcome, 'summary')).toMatchObject([{ refusals: 1, up: counts(1), down: counts(0) }]);
});

test('a name is looked up, and localhost is the loopback of the family that does not refuse', async () => {
  await using server = await startUdpServer('127.0.0.1:0');
  echo(server);
  const target = `127.0.0.1:${server.local.port}`;
  const running = await startTo(`localhost:${server.local.port}`, '-o', 'json');
  await using client = await openUdpConnection(running.address);
  await client.send('refused by [::1]');
  await running.until(`new sessions go to ${target}`);
  await ask(running.address, 'hello');
  const outcome = await running.stop();
  expect(linesOf(outcome, 'target')).toMatchObject([{ target }]);
  expect(linesOf(outcome, 'rebind')).toMatchObject([{ session: 1, target }]);
  expect(linesOf(outcome, 'session')).toMatchObject([{ target: `[::1]:${server.local.port}` }, { target }]);
});

describe('a usage error is', () => {
  test.each([
    [['5353'], /two addresses.*5353 192\.0\.2\.1:53/],
    [[], /two addresses/],
    [['5353', '127.0.0.1:53', 'more'], /followed by "more"/],
    [['127.0.0.1:5353', '127.0.0.1:5353'], /the relay itself/],
    [['*:5353', '127.0.0.1:5353'], /the relay itself/],
    [['5353', '*:53'], /every interface/],
    [['5353', '127.0.0.1:0'], /port/],
    [['5353', '192.0.2.1'], /PORT|port/],
    [['5353', '192.0.2.1:53', '-b', '::1'], /family/],
    [['5353', '192.0.2.1:53', '-b', '127.0.0.1'], /loopback/],
    [['5353', '192.0.2.1:53', '-b', '192.0.2.9:7'], /port/],
    [['5353', '192.0.2.1:53', '--side', 'up'], /client, server, both/],
    [['5353', '192.0.2.1:53', '--responses', '0'], /whole number from 1/],
    [['5353', '192.0.2.1:53', '--max-sessions', 'all'], /whole number from 1/],
    [['5353', '192.0.2.1:53', '--session-timeout', '0'], /duration/],
    [['5353', '192.0.2.1:53', '--rebind', 'often'], /duration/],
    [['5353', '192.0.2.1:53', '--up-loss', '5'], /0% to 100%/],
    [['5353', '192.0.2.1:53', '--up-line-queue', '1s'], /up-bandwidth/],
    [['5353', '192.0.2.1:53', '--up-line-queue', '1s', '--down-bandwidth', '1mbit'], /up-bandwidth/],
    [['5353', '192.0.2.1:53', '--line-queue', '1s'], /add --bandwidth/],
    [['5353', '192.0.2.1:53', '--down-lose', '0'], /2, 1\.\.3/],
  ])('%j', async (args, says) => {
    const { ending, stderr, stdout } = await runInProcess(['relay', ...args]);
    expect(stderr).toMatch(says);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect({ ending, stdout }).toEqual({ ending: 2, stdout: '' });
  });
});

test('a port in use is status 1', async () => {
  await using server = await startUdpServer('127.0.0.1:0');
  const { ending, stderr } = await runInProcess(['relay', `127.0.0.1:${server.local.port}`, '127.0.0.1:9']);
  expect(ending).toBe(1);
  expect(stderr).toContain('the port is in use');
});

test('an option of one way wins over the general one', async () => {
  await using server = await startUdpServer('127.0.0.1:0');
  const running = await start(
    server,
    '-o',
    'json',
    '--loss',
    '5%',
    '--up-loss',
    '10%',
    '--down-delay',
    '80ms',
    '--seed',
    '7',
  );
  const outcome = await running.stop();
  expect(linesOf(outcome, 'faults')).toMatchObject([{ seed: 7, up: { loss: 0.1 }, down: { loss: 0.05, delay: 80 } }]);
});

test('a general --line-queue is about the way that has a line', async () => {
  await using server = await startUdpServer('127.0.0.1:0');
  const running = await start(server, '-o', 'json', '--line-queue', '1s', '--up-bandwidth', '10mbit');
  const [faults] = linesOf(await running.stop(), 'faults');
  expect(faults).toMatchObject({ up: { bandwidth: 1e7, lineQueue: 1000 } });
  expect(faults?.down).toEqual({});
});
