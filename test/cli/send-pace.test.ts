import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { arrivals, echoServer, silentServer } from '../support/sockets.js';
import { start, udpcat } from '../support/in-process.js';
import { sideBySide } from '../support/side-by-side.js';
import { type Outcome } from '../support/udpcat.js';

function summaryOf({ stdout }: Outcome): { readonly sent: number; readonly durationMs: number } {
  return JSON.parse(stdout.toString().trim().split('\n').at(-1) ?? '') as { sent: number; durationMs: number };
}

const lines = (count: number): string => Array.from({ length: count }, (_, index) => `${index}\n`).join('');

describe.each([4, 6] as const)('--rate over IPv%d', (family) => {
  sideBySide('sends the right number within --duration, and none that is due at its end', async () => {
    await using server = await silentServer(family);
    const args = ['x', '--rate', '2/s', '--duration', '2s', '-o', 'json'];
    const outcome = await udpcat(['send', server.address, ...args]);
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    expect(summaryOf(outcome).sent).toBe(4);
    expect(await arrivals(server)).toHaveLength(4);
  });

  test('sends none that is due at the end of a burst either', async () => {
    await using server = await silentServer(family);
    const args = ['x', '--rate', '1000/s', '--duration', '500ms', '-o', 'json'];
    const outcome = await udpcat(['send', server.address, ...args]);
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    const { sent } = summaryOf(outcome);
    // Messages that are too late at the end are not sent.
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThanOrEqual(500);
    expect(await arrivals(server)).toHaveLength(sent);
  });

  test('sends in bursts if the pace is too fast for timers', async () => {
    await using server = await silentServer(family);
    const args = ['x', '--rate', '20k/s', '-o', 'json'];
    const few = summaryOf(await udpcat(['send', server.address, ...args, '--count', '5000']));
    expect(few.sent).toBe(5000);
    expect(few.durationMs).toBeGreaterThanOrEqual(249);
    expect(await arrivals(server)).toHaveLength(5000);
    const many = summaryOf(await udpcat(['send', server.address, ...args, '--count', '20000']));
    expect(many.sent).toBe(20_000);
    // A timer for each would take twenty seconds.
    expect(many.durationMs).toBeLessThan(15_000);
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

  sideBySide('can end in the middle of a round when the time is over', async () => {
    await using server = await silentServer();
    const args = ['a', 'b', 'c', '--rate', '2/s', '--duration', '2s'];
    expect(await udpcat(['send', server.address, ...args])).toMatchObject({ status: 0 });
    expect((await arrivals(server)).join('')).toBe('abca');
  });

  test('sends each line of stdin at its time', async () => {
    await using server = await silentServer();
    const outcome = await udpcat(['send', server.address, '--rate', '100/s', '-o', 'json'], { stdin: lines(30) });
    expect(summaryOf(outcome).durationMs).toBeGreaterThanOrEqual(289);
    expect((await arrivals(server)).map(Number)).toEqual(Array.from({ length: 30 }, (_, index) => index));
  });

  sideBySide.each([
    ['that it asks early', 20, 10],
    ['that it is late when it asks', 5000, 5000],
  ])('sends no burst after a pause of stdin, at a rate so %s', async (_title, rate, count) => {
    await using server = await silentServer();
    await using running = start(['send', server.address, '--rate', `${rate}/s`]);
    const times: number[] = [];
    server.socket.on('message', () => times.push(performance.now()));
    running.stdin.write('first\n');
    await server.collect(1);
    // By the schedule from the start, all remaining lines would be due now.
    await delay(1000);
    running.stdin.end(lines(count));
    expect(await running.outcome).toMatchObject({ status: 0 });
    await server.collect(1 + count);
    // Lines that were late because of udpcat itself are sent in a burst: far less than those of a second.
    const stepsMs = ((count - 1) / rate) * 1000;
    expect((times[count] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(1000 + Math.max(0, stepsMs - 400));
  });

  sideBySide('does not send lines of stdin that are due after --duration', async () => {
    await using server = await silentServer();
    const args = ['--rate', '15/s', '--duration', '2s'];
    const outcome = await udpcat(['send', server.address, ...args], { stdin: lines(1000) });
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    const count = (await arrivals(server)).length;
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThanOrEqual(30);
  });

  sideBySide('repeats what stdin held, on the same schedule', async () => {
    await using server = await silentServer();
    const args = ['--rate', '10/s', '--duration', '2s'];
    expect(await udpcat(['send', server.address, ...args], { stdin: 'a\nb\n' })).toMatchObject({ status: 0 });
    const sent = (await arrivals(server)).join('');
    expect('ab'.repeat(10).startsWith(sent)).toBe(true);
    expect(sent.length).toBeGreaterThan(2);
  });

  test('ends with -n before all lines are sent', async () => {
    await using server = await echoServer();
    const args = ['--rate', '20/s', '-n', '2', '-w', '1h', '-o', 'none'];
    const outcome = await udpcat(['send', server.address, ...args], { stdin: lines(10_000) });
    expect(outcome.status).toBe(0);
    expect(outcome.stderr).toBe('udpcat: enough replies came: the rest of the input was not sent\n');
  });

  test('max sends without pauses', async () => {
    await using server = await silentServer();
    const args = ['x', '--rate', 'max', '-c', '20000', '-o', 'json'];
    const { sent, durationMs } = summaryOf(await udpcat(['send', server.address, ...args]));
    expect(sent).toBe(20_000);
    // A timer for each would take twenty seconds.
    expect(durationMs).toBeLessThan(15_000);
  });

  test('max without --count ends with --duration', async () => {
    await using server = await silentServer();
    const args = ['x', '--rate', 'max', '--duration', '200ms', '-o', 'json'];
    const { sent, durationMs } = summaryOf(await udpcat(['send', server.address, ...args]));
    expect(sent).toBeGreaterThan(64);
    expect(durationMs).toBeGreaterThanOrEqual(199);
  });

  test('that is too fast for the machine still ends in time', async () => {
    await using server = await silentServer();
    const args = ['x', '--rate', '100000M/s', '--duration', '200ms', '-o', 'json'];
    // To send all messages that are due in that time would take many minutes.
    expect(summaryOf(await udpcat(['send', server.address, ...args])).sent).toBeLessThan(20e9);
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

  test.each([['0/s'], ['50k'], ['fast'], ['1000/m']])('%s is a usage error', async (rate) => {
    const { status, stderr } = await udpcat(['send', '127.0.0.1:9', 'x', '--rate', rate]);
    expect(stderr).toMatch(
      /^udpcat: option '--rate <r>' argument .* is invalid\. A rate is 1000\/s, 50k\/s, a number a second, or max\.\n$/,
    );
    expect(status).toBe(2);
  });
});
