import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { arrivals, echoServer, silentServer } from '../support/sockets.js';
import { type Outcome, start, udpcat } from '../support/udpcat.js';

function summaryOf({ stdout }: Outcome): { readonly sent: number; readonly durationMs: number } {
  return JSON.parse(stdout.toString().trim().split('\n').at(-1) ?? '') as { sent: number; durationMs: number };
}

const lines = (count: number): string => Array.from({ length: count }, (_, index) => `${index}\n`).join('');

describe.each([4, 6] as const)('--rate over IPv%d', (family) => {
  test('sends as many in the time as it says, and none that is due at the end of it', async () => {
    await using server = await silentServer(family);
    const args = ['x', '--rate', '1000/s', '--duration', '500ms', '-o', 'json'];
    const outcome = await udpcat(['send', server.address, ...args]);
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    expect(summaryOf(outcome).sent).toBe(500);
    expect(await arrivals(server)).toHaveLength(500);
  });

  test('sends in bursts what is more than timers can tell apart', async () => {
    await using server = await silentServer(family);
    const args = ['x', '--rate', '20k/s', '--count', '5000', '-o', 'json'];
    const { sent, durationMs } = summaryOf(await udpcat(['send', server.address, ...args]));
    expect(sent).toBe(5000);
    expect(durationMs).toBeGreaterThanOrEqual(249);
    // A timer for each would take five seconds.
    expect(durationMs).toBeLessThan(4000);
    expect(await arrivals(server)).toHaveLength(5000);
  });
});

describe('--rate', () => {
  test('counts datagrams, not rounds', async () => {
    await using server = await silentServer();
    const args = ['a', 'b', 'c', '--rate', '100/s', '-c', '10', '-o', 'json'];
    const { durationMs } = summaryOf(await udpcat(['send', server.address, ...args]));
    expect(durationMs).toBeGreaterThanOrEqual(289);
    expect((await arrivals(server)).join('')).toBe('abc'.repeat(10));
  });

  test('ends a round in its midst when the time is over', async () => {
    await using server = await silentServer();
    const args = ['a', 'b', 'c', '--rate', '100/s', '--duration', '100ms'];
    expect(await udpcat(['send', server.address, ...args])).toMatchObject({ status: 0 });
    expect((await arrivals(server)).join('')).toBe('abcabcabca');
  });

  test('sends each line of stdin at its moment', async () => {
    await using server = await silentServer();
    const outcome = await udpcat(['send', server.address, '--rate', '100/s', '-o', 'json'], { stdin: lines(30) });
    expect(summaryOf(outcome).durationMs).toBeGreaterThanOrEqual(289);
    expect((await arrivals(server)).map(Number)).toEqual(Array.from({ length: 30 }, (_, index) => index));
  });

  test('does not make up for the time in which stdin had nothing', async () => {
    await using server = await silentServer();
    await using running = start(['send', server.address, '--rate', '50/s']);
    const times: number[] = [];
    server.socket.on('message', () => times.push(performance.now()));
    running.stdin.write('first\n');
    await server.collect(1);
    // By the schedule from the start the rest would be due by now.
    await delay(300);
    running.stdin.end(lines(10));
    expect(await running.outcome).toMatchObject({ status: 0 });
    await server.collect(11);
    expect((times[10] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(300 + 9 * 20 - 20);
  });

  test('leaves what of stdin is not due before --duration is over', async () => {
    await using server = await silentServer();
    const args = ['--rate', '100/s', '--duration', '295ms'];
    const outcome = await udpcat(['send', server.address, ...args], { stdin: lines(1000) });
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    const count = (await arrivals(server)).length;
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThanOrEqual(30);
  });

  test('repeats what stdin held, on the same schedule', async () => {
    await using server = await silentServer();
    const args = ['--rate', '100/s', '--duration', '100ms'];
    expect(await udpcat(['send', server.address, ...args], { stdin: 'a\nb\n' })).toMatchObject({ status: 0 });
    const sent = (await arrivals(server)).join('');
    expect('ab'.repeat(10).startsWith(sent)).toBe(true);
    expect(sent.length).toBeGreaterThan(2);
  });

  test('ends with -n while lines are still to be sent', async () => {
    await using server = await echoServer();
    const args = ['--rate', '20/s', '-n', '2', '-w', '10s', '-o', 'none'];
    const outcome = await udpcat(['send', server.address, ...args], { stdin: lines(10_000) });
    expect(outcome.status).toBe(0);
    expect(outcome.stderr).toBe('udpcat: enough replies came: the rest of the input was not sent\n');
  });

  test('max is as fast as it can be', async () => {
    await using server = await silentServer();
    const args = ['x', '--rate', 'max', '-c', '5000', '-o', 'json'];
    const { sent, durationMs } = summaryOf(await udpcat(['send', server.address, ...args]));
    expect(sent).toBe(5000);
    expect(durationMs).toBeLessThan(4000);
  });

  test('max ends in time', async () => {
    await using server = await silentServer();
    const args = ['x', '--rate', 'max', '--duration', '200ms', '-o', 'json'];
    const { sent, durationMs } = summaryOf(await udpcat(['send', server.address, ...args]));
    expect(sent).toBeGreaterThan(64);
    expect(durationMs).toBeLessThan(2000);
  });

  test('that cannot be kept up with ends in time all the same', async () => {
    await using server = await silentServer();
    const args = ['x', '--rate', '100M/s', '--duration', '200ms', '-o', 'json'];
    expect(summaryOf(await udpcat(['send', server.address, ...args])).durationMs).toBeLessThan(2000);
  });

  test.each([[['hello']], [['--size', '64']]])('alone makes no difference: %j', async (message) => {
    await using server = await silentServer();
    expect(await udpcat(['send', server.address, ...message, '--rate', '1/s'])).toMatchObject({
      status: 0,
      stderr: '',
    });
    expect(await arrivals(server)).toHaveLength(1);
  });

  test('with --interval is a usage error', async () => {
    const outcome = await udpcat(['send', '127.0.0.1:9', 'x', '--rate', '10/s', '--interval', '1s']);
    expect(outcome).toMatchObject({
      status: 2,
      stderr: "udpcat: options '--rate' and '--interval' both say when the next datagram is sent: leave one out\n",
    });
  });

  test.each([['0/s'], ['10'], ['fast'], ['1000/m']])('%s is a usage error', async (rate) => {
    const { status, stderr } = await udpcat(['send', '127.0.0.1:9', 'x', '--rate', rate]);
    expect(stderr).toMatch(
      /^udpcat: option '--rate <r>' argument .* is invalid\. A rate is 1000\/s, 50k\/s or max\.\n$/,
    );
    expect(status).toBe(2);
  });
});
