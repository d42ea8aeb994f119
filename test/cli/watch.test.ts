import { describe, expect, test } from '@jest/globals';
import { answeringServer, closedAddress, echoServer, respondingServer, silentServer } from '../support/sockets.js';
import { start, udpcat } from '../support/in-process.js';
import { commandLine, shell, unread } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithShell = testNeeding('shell');

/** Checks that follow each other quickly. A reply on the loopback comes within the wait. */
const FAST = ['--interval', '5s', '--retry-interval', '100ms'];

const lines = (text: Buffer | string): string[] => String(text).trimEnd().split('\n');
const events = (text: Buffer | string): Record<string, unknown>[] =>
  lines(text).map((line) => JSON.parse(line) as Record<string, unknown>);
const TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z`;

describe('watch writes', () => {
  test('a line for each check and each change, for one target', async () => {
    await using peer = await echoServer();
    const { stdout, stderr, status } = await udpcat(['watch', peer.address, ...FAST, '--checks', '2']);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const address = peer.address.replaceAll('.', '\\.');
    expect(lines(stdout)).toEqual([
      expect.stringMatching(`^${TIME} ${address} ok [\\d.]+ ms$`),
      expect.stringMatching(`^${TIME} ${address} ok [\\d.]+ ms$`),
      expect.stringMatching(`^${TIME} ${address} up after \\w+ unknown: ok, 2 of 2$`),
    ]);
  });

  test('a line for each change only, for several', async () => {
    await using peer = await echoServer();
    const closed = await closedAddress();
    const args = ['watch', peer.address, closed, '--interval', '5s', '--retry-interval', '100ms', '--checks', '3'];
    const { stdout, status } = await udpcat(args);
    expect(status).toBe(4);
    expect(lines(stdout).sort((a, b) => Number(a.includes('down')) - Number(b.includes('down')))).toEqual([
      expect.stringMatching(`^${TIME} ${peer.address} up after \\w+ unknown: ok, 2 of 2$`),
      expect.stringMatching(`^${TIME} ${closed} down after \\w+ unknown: refused, 3 of 3$`),
    ]);
  });

  test('events as JSON, the summary last', async () => {
    await using peer = await answeringServer(['pong']);
    const args = [
      'watch',
      peer.address,
      ...FAST,
      '--checks',
      '2',
      '--message',
      'ping',
      '--expect',
      'pong',
      '-o',
      'json',
    ];
    const { stdout, status } = await udpcat(args);
    expect(status).toBe(0);
    const target = peer.address;
    const check = {
      v: 1,
      type: 'check',
      time: expect.stringMatching(`^${TIME}$`),
      target,
      address: target,
      verdict: 'ok',
      says: expect.stringMatching(/^\S+ answered in [\d.]+ ms$/),
      rttMs: expect.any(Number),
      sent: 1,
      received: 1,
    };
    expect(events(stdout)).toEqual([
      check,
      check,
      {
        v: 1,
        type: 'state',
        time: expect.any(String),
        target,
        address: target,
        from: 'unknown',
        to: 'up',
        verdict: 'ok',
        says: check.says,
        sinceMs: expect.any(Number),
      },
      {
        v: 1,
        type: 'summary',
        time: expect.any(String),
        targets: [
          {
            target,
            address: target,
            state: 'up',
            checks: 2,
            skipped: 0,
            verdicts: { ok: 2, slow: 0, late: 0, silent: 0, refused: 0, mismatch: 0, stray: 0, error: 0 },
            rtt: expect.objectContaining({ minMs: expect.any(Number), p50Ms: expect.any(Number) }),
          },
        ],
        durationMs: expect.any(Number),
      },
    ]);
    expect(peer.received.map(({ data }) => data.toString())).toEqual(['ping', 'ping']);
  });

  test('nothing with -o none, and a summary on stderr with --stats', async () => {
    await using peer = await echoServer();
    const args = ['watch', peer.address, ...FAST, '--checks', '2', '-o', 'none', '--stats'];
    const { stdout, stderr } = await udpcat(args);
    expect(stdout.toString()).toBe('');
    expect(lines(stderr)).toEqual([
      'udpcat: 2 checks of 1 target',
      expect.stringMatching(`^udpcat: ${peer.address}: up, 2 checks, ok 100%, min/median/p99/max [\\d./]+ ms$`),
    ]);
  });

  test('bytes of a reply so that they act on no terminal', async () => {
    await using peer = await answeringServer(['\x1b[2J']);
    const args = ['watch', peer.address, '--interval', '30s', '--wait', '5s', '--checks', '1', '--expect', 'x\x1b'];
    const { stdout } = await udpcat(args);
    expect(stdout.toString()).toMatch(/ mismatch: /);
    expect(stdout.toString()).not.toContain('\x1b');
  });
});

describe('watch sees', () => {
  test('a service go down and come back', async () => {
    const first = await echoServer();
    const { port, address } = first;
    await using running = start(['watch', address, '--interval', '200ms', '--retry-interval', '100ms', '-o', 'states']);
    await running.until(/ up after/);
    await first[Symbol.asyncDispose]();
    await running.until(/ down after \w+ up: refused, 3 of 3/);
    await using _second = await echoServer(4, port);
    await running.until(/ up after \w+ down: ok, 2 of 2/);
    running.kill('SIGINT');
    expect((await running.outcome).status).toBe(0);
  });

  test('a slow service, which passes, and one that is too slow, which does not', async () => {
    await using peer = await respondingServer((request) => new Promise((resolve) => setTimeout(resolve, 30, request)));
    const limits = (warn: string, critical: string): Promise<{ stdout: Buffer; status: number | null }> =>
      udpcat(['watch', peer.address, ...FAST, '--checks', '2', '--warn', warn, '--critical', critical]);
    const slow = await limits('5ms', '60s');
    expect([slow.status, String(slow.stdout)]).toEqual([0, expect.stringMatching(/ slow \d+/)]);
    const late = await limits('1ms', '5ms');
    expect(late.status).toBe(3);
    expect(String(late.stdout)).toMatch(/ late: the reply took [\d.]+ ms, slower than 5ms/);
  });

  test('-x as -e hex', async () => {
    await using peer = await answeringServer([Uint8Array.of(0xff, 1)]);
    const args = ['watch', peer.address, ...FAST, '--checks', '1', '-x', '--message', '00 ff', '--expect', 'ff??'];
    const { stdout, status } = await udpcat(args);
    expect([status, String(stdout)]).toEqual([0, expect.stringMatching(/ ok /)]);
    expect(peer.received[0]?.data).toEqual(Buffer.of(0, 0xff));
  });
});

describe('a reader of stdout', () => {
  testWithShell('that goes away ends watch with 0', async () => {
    await using peer = await echoServer();
    const args = ['watch', peer.address, '--interval', '100ms', '-o', 'json'];
    await using running = shell(`{ ${commandLine(args)}; echo "status $?" >&2; } | head -n 1`);
    await running.until('status 0', 'stderr');
  });

  testWithShell('that does not read holds up no check', async () => {
    await using peer = await echoServer();
    const args = ['watch', peer.address, '--interval', '100ms', '-o', 'json', '--rise', '1'];
    await using running = shell(unread(commandLine(args)));
    await peer.collect(20);
    running.stdin.end();
    await running.outcome;
  });
});

describe('SIGUSR2', () => {
  test('prints the table once', async () => {
    await using peer = await echoServer();
    const args = ['watch', peer.address, '--interval', '1h', '--retry-interval', '100ms', '-o', 'states'];
    await using running = start(args);
    await running.until(/ up after/);
    running.kill('SIGUSR2');
    await running.until(
      /udpcat: 2 checks of 1 target\nudpcat: \S+ {2}up \w+ {2}last [\d.]+ ms {2}median [\d.]+ ms {2}loss 0% {2}\.\.\n/,
      'stderr',
    );
    running.kill();
    expect((await running.outcome).status).toBe(0);
  });
});

test('targets are spread over the interval, and each keeps its own moments', async () => {
  const arrived: { readonly nth: number; readonly ms: number }[] = [];
  const peers = await Promise.all(
    [0, 1, 2, 3].map((nth) =>
      respondingServer((request) => {
        arrived.push({ nth, ms: performance.now() });
        return request;
      }),
    ),
  );
  const addresses = peers.map(({ address }) => address);
  const { status } = await udpcat(['watch', ...addresses, '--interval', '2s', '--checks', '3', '--rise', '1']);
  expect(status).toBe(0);
  expect(arrived).toHaveLength(12);
  // The busiest machine is late by less than a quarter of the interval, most of the time.
  const inOrder = arrived.filter(({ nth }, index) => nth === index % 4).length;
  expect(inOrder).toBeGreaterThanOrEqual(8);
  await Promise.all(peers.map((peer) => peer[Symbol.asyncDispose]()));
});

test('a silent service is silent', async () => {
  await using peer = await silentServer();
  const { stdout, status } = await udpcat([
    'watch',
    peer.address,
    '--interval',
    '1s',
    '--wait',
    '100ms',
    '--checks',
    '1',
  ]);
  expect([status, String(stdout)]).toEqual([3, expect.stringMatching(/ \S+ silent: did not answer within 100ms\n$/)]);
});
