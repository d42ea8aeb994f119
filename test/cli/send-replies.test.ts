import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import {
  answeringServer,
  arrivals,
  closedPort,
  echoServer,
  type Peer,
  type Received,
  silentServer,
} from '../support/sockets.js';
import { type RunningHere, start, udpcat } from '../support/in-process.js';
import { sideBySide } from '../support/side-by-side.js';
import {
  commandLine,
  type Outcome,
  shell,
  start as startProcess,
  udpcat as runProcess,
  unread,
} from '../support/udpcat.js';
import { sideBySideNeeding } from '../support/needs.js';

const sideBySideWithShell = sideBySideNeeding('shell');

/** A limit that no test reaches. */
const LONG = '1h';

function shown({ status, stdout }: Outcome): { status: number | null; stdout: string } {
  return { status, stdout: stdout.toString() };
}

/** The last of the JSON lines. */
function summaryOf({ stdout }: Outcome): { readonly sent: number; readonly durationMs: number } {
  return JSON.parse(stdout.toString().trim().split('\n').at(-1) ?? '') as { sent: number; durationMs: number };
}

function payloads(received: readonly Received[]): string[] {
  return received.map(({ data }) => data.toString());
}

/** A command that has sent its message, and the address that it sent from. */
async function asking<R extends RunningHere>(
  server: Peer,
  args: readonly string[],
  start: (args: readonly string[]) => R,
): Promise<{ running: R; client: string }> {
  const running = start(['send', server.address, ...args]);
  const [question] = await server.collect(1);
  return { running, client: question?.from ?? '' };
}

describe('replies', () => {
  test('are written one by one as they come, wrong ones too', async () => {
    await using server = await silentServer();
    const { running, client } = await asking(server, ['ping', '--expect', 'OK', '-n', '2', '-w', LONG], start);
    await using _ = running;
    for (const reply of ['NOPE', 'OK 1', 'neither', 'OK 2']) {
      await server.send(reply, client);
      await running.until(reply);
    }
    expect(shown(await running.outcome)).toEqual({ status: 0, stdout: 'NOPE\nOK 1\nneither\nOK 2\n' });
  });

  test('are written while stdin is still open', async () => {
    await using server = await echoServer();
    await using running = start(['send', server.address, '-w', LONG]);
    for (const line of ['one', 'two', 'three']) {
      running.stdin.write(`${line}\n`);
      await running.until(line);
    }
    running.stdin.end('four\n');
    expect(shown(await running.outcome)).toEqual({ status: 0, stdout: 'one\ntwo\nthree\nfour\n' });
  });

  test('that came before the end of stdin count', async () => {
    await using server = await answeringServer(['a', 'b']);
    await using running = start(['send', server.address, '-w', LONG]);
    running.stdin.write('question\n');
    await running.until('b');
    running.stdin.end();
    expect(shown(await running.outcome)).toEqual({ status: 0, stdout: 'a\nb\n' });
  });

  test('are awaited for each message', async () => {
    await using server = await echoServer();
    const outcome = await udpcat(['send', server.address, 'a', 'b', 'c', '-w', LONG]);
    expect(shown(outcome)).toEqual({ status: 0, stdout: 'a\nb\nc\n' });
  });

  test('are awaited for each round of --count', async () => {
    await using server = await echoServer();
    const args = ['a', 'b', '-c', '3', '--interval', '10ms', '-w', LONG];
    const outcome = await udpcat(['send', server.address, ...args]);
    expect(shown(outcome)).toEqual({ status: 0, stdout: 'a\nb\na\nb\na\nb\n' });
  });

  test('end the run with -n only after all messages were sent', async () => {
    await using server = await echoServer();
    const messages = Array.from({ length: 200 }, (_, index) => String(index));
    const outcome = await udpcat(['send', server.address, ...messages, '-n', '1', '-w', LONG]);
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    expect(await arrivals(server)).toEqual(messages);
  });

  test('end an open stdin with -n, and the message says that input was left', async () => {
    await using server = await echoServer();
    await using running = start(['send', server.address, '-n', '2', '-w', LONG]);
    running.stdin.write('one\ntwo\n');
    const outcome = await running.outcome;
    expect(shown(outcome)).toEqual({ status: 0, stdout: 'one\ntwo\n' });
    expect(outcome.stderr).toBe('udpcat: enough replies came: the rest of the input was not sent\n');
  });

  test('end the run with -n in the middle of a chunk of stdin', async () => {
    await using server = await echoServer();
    const stdin = '\n'.repeat(60_000);
    const outcome = await udpcat(['send', server.address, '-n', '1', '-w', LONG, '-o', 'json'], { stdin });
    expect(outcome).toMatchObject({
      status: 0,
      stderr: 'udpcat: enough replies came: the rest of the input was not sent\n',
    });
    // One read of the pipe returns all of them.
    expect(summaryOf(outcome).sent).toBeLessThan(60_000);
  });

  test('do not end an open stdin without -n', async () => {
    await using server = await echoServer();
    await using running = start(['send', server.address, '--expect', 'o']);
    running.stdin.write('one\n');
    await running.until('one');
    running.stdin.end('two\n');
    expect(shown(await running.outcome)).toEqual({ status: 0, stdout: 'one\ntwo\n' });
  });

  sideBySide('are all collected with -n all until the wait is over', async () => {
    await using server = await answeringServer(['one', 'two', 'three']);
    const outcome = await udpcat(['send', server.address, 'ping', '-n', 'all', '-w', '4s']);
    expect(shown(outcome)).toEqual({ status: 0, stdout: 'one\ntwo\nthree\n' });
  });

  test('are at least one with -n all', async () => {
    await using server = await silentServer();
    expect(await udpcat(['send', server.address, 'ping', '-n', 'all', '-w', '200ms'])).toMatchObject({ status: 3 });
  });

  sideBySideWithShell('that reach the socket in time count, even if the process is late', async () => {
    const lateRun = async () => {
      await using server = await silentServer();
      const { running, client } = await asking(server, ['ping', '-w', '4s'], startProcess);
      await using _ = running;
      running.kill('SIGSTOP');
      await server.send('pong', client);
      // The test waits only for the end of the wait itself.
      await delay(4200);
      running.kill('SIGCONT');
      return shown(await running.outcome);
    };
    // After the wait, 80 ms are left to judge the reply. A busy machine may let them pass, so there are several trials.
    let last = await lateRun();
    for (let again = 0; again < 10 && last.status !== 0; again += 1) last = await lateRun();
    expect(last).toEqual({ status: 0, stdout: 'pong\n' });
  });

  test('that come after the wait do not count', async () => {
    await using server = await silentServer();
    const { running, client } = await asking(server, ['ping', '-n', '1', '-w', '200ms'], start);
    await using _ = running;
    await running.until('did not answer', 'stderr');
    await server.send('pong', client);
    expect(shown(await running.outcome)).toEqual({ status: 3, stdout: '' });
  });

  test('of 65507 bytes, and empty ones, are ordinary datagrams', async () => {
    const largest = 'x'.repeat(65_507);
    await using server = await answeringServer([largest, '']);
    const outcome = await udpcat(['send', server.address, 'ping', '-n', '2', '-w', LONG]);
    expect(shown(outcome)).toEqual({ status: 0, stdout: `${largest}\n\n` });
  });

  test.each([
    ['-n', '1'],
    ['--expect', ''],
    ['--retry', '1'],
  ])('are waited for with %s alone', async (...options) => {
    await using server = await echoServer();
    const outcome = await udpcat(['send', server.address, 'ping', ...options]);
    expect(shown(outcome)).toEqual({ status: 0, stdout: 'ping\n' });
  });
});

describe('--retry', () => {
  sideBySide('sends again at moments evenly spaced over the wait', async () => {
    await using server = await silentServer();
    const times: number[] = [];
    server.socket.on('message', () => times.push(performance.now()));
    const outcome = await udpcat(['send', server.address, 'ping', '--retry', '3', '-w', '8s', '-o', 'json']);
    expect(outcome.status).toBe(3);
    expect(outcome.stdout.toString()).toContain('"sent":4,');
    expect(payloads(server.received)).toEqual(['ping', 'ping', 'ping', 'ping']);
    const sinceFirst = times.map((time) => Math.round((time - (times[0] ?? 0)) / 2000));
    expect(sinceFirst).toEqual([0, 1, 2, 3]);
  });

  sideBySide('stops at the first match, not at a reply that does not match', async () => {
    await using server = await answeringServer((_data, nth) => [nth < 2 ? 'NOPE' : 'OK']);
    const args = ['ping', '--retry', '4', '--expect', 'OK', '-w', '10s'];
    const outcome = await udpcat(['send', server.address, ...args]);
    expect(shown(outcome)).toEqual({ status: 0, stdout: 'NOPE\nNOPE\nOK\n' });
    expect(await arrivals(server)).toHaveLength(3);
  });

  sideBySide('also stops after a match with -n all', async () => {
    await using server = await echoServer();
    const outcome = await udpcat(['send', server.address, 'ping', '--retry', '1', '-n', 'all', '-w', '5s']);
    expect(shown(outcome)).toEqual({ status: 0, stdout: 'ping\n' });
    expect(await arrivals(server)).toHaveLength(1);
  });

  sideBySide('goes on after a refusal: a service that starts later gets the next datagram', async () => {
    const port = await closedPort();
    const args = ['ping', '--retry', '20', '-w', '40s', '-v'];
    await using running = start(['send', String(port), ...args]);
    await running.until('refused', 'stderr');
    await using server = await echoServer(4, port);
    expect(shown(await running.outcome)).toEqual({ status: 0, stdout: 'ping\n' });
    expect(await arrivals(server)).toEqual(['ping']);
  });

  sideBySide('ends at the refusal of the last transmission, and not before', async () => {
    const port = await closedPort();
    const args = ['ping', '--retry', '3', '-w', '4s', '-o', 'json'];
    const { status, stdout } = await udpcat(['send', String(port), ...args]);
    expect(stdout.toString()).toContain('"sent":4,');
    expect(status).toBe(4);
  });

  sideBySide('takes the one message of a stdin', async () => {
    await using server = await answeringServer((_data, nth) => (nth === 0 ? [] : ['OK']));
    const outcome = await udpcat(['send', server.address, '--retry', '9', '-w', '20s'], { stdin: 'ping\n' });
    expect(shown(outcome)).toEqual({ status: 0, stdout: 'OK\n' });
  });

  test.each([
    [['a', 'b'], ''],
    [['a', '-c', '2'], ''],
    [['a', '--duration', '5s'], ''],
    [['a', '-n', '2'], ''],
    [[], 'a\nb\n'],
    [['--frame', 'chunk:1'], 'ab'],
    [['--file', '/dev/null', '--file', '/dev/null'], ''],
  ])('with more than one message or reply is a usage error: %j', async (args, stdin) => {
    await using server = await echoServer();
    const outcome = await udpcat(['send', server.address, '--retry', '1', ...args], { stdin });
    expect(outcome.stderr).toMatch(/^udpcat: option '--retry' is for one message and one reply: .*\n$/);
    expect(shown(outcome)).toEqual({ status: 2, stdout: '' });
    expect(await arrivals(server)).toEqual([]);
  });

  test('is fine with -c 1', async () => {
    await using server = await echoServer();
    expect(await udpcat(['send', server.address, 'a', '--retry', '1', '-c', '1'])).toMatchObject({ status: 0 });
  });
});

// The deadline counts from the start of the process, which takes a second on a busy machine.
describe('--deadline', () => {
  sideBySide('is also the end of the wait without --wait', async () => {
    await using server = await silentServer();
    const { running, client } = await asking(server, ['ping', '-n', '1', '--deadline', LONG], startProcess);
    await using _ = running;
    // Longer than the wait that -n implies without a deadline.
    await delay(2300);
    await server.send('pong', client);
    expect(shown(await running.outcome)).toEqual({ status: 0, stdout: 'pong\n' });
  });

  sideBySide('that comes while waiting is silence', async () => {
    await using server = await silentServer();
    const outcome = await runProcess(['send', server.address, 'ping', '-n', '1', '--deadline', '5s']);
    expect(outcome.stderr).toBe(`udpcat: ${server.address} did not answer within 5s\n`);
    expect(shown(outcome)).toEqual({ status: 3, stdout: '' });
  });

  sideBySide('ends a longer wait', async () => {
    await using server = await answeringServer(['one']);
    const outcome = await runProcess(['send', server.address, 'ping', '-n', '2', '-w', '1h', '--deadline', '5s']);
    expect(outcome.stderr).toBe(`udpcat: ${server.address} gave 1 of 2 replies within 5s\n`);
    expect(shown(outcome)).toEqual({ status: 3, stdout: 'one\n' });
  });

  sideBySide('does not prolong a shorter wait', async () => {
    await using server = await silentServer();
    const outcome = await runProcess(['send', server.address, 'ping', '-w', '200ms', '--deadline', '1h']);
    expect(outcome).toMatchObject({ status: 3 });
  });

  sideBySideWithShell('counts and writes the replies that reached the socket before it', async () => {
    await using server = await silentServer();
    const { running, client } = await asking(server, ['ping', '-n', '1', '--deadline', '5s'], startProcess);
    await using _ = running;
    running.kill('SIGSTOP');
    await server.send('pong', client);
    await delay(5100);
    running.kill('SIGCONT');
    expect(shown(await running.outcome)).toEqual({ status: 0, stdout: 'pong\n' });
  });

  sideBySide.each([[[]], [['-n', '1']], [['-c', '2']]])(
    'that comes while stdin is still open is status 1 (%j)',
    async (options) => {
      await using server = await silentServer();
      await using running = startProcess(['send', server.address, '--deadline', '700ms', ...options]);
      running.stdin.write('one\n');
      const outcome = await running.outcome;
      expect(outcome.stderr).toBe('udpcat: the deadline of 700ms came before everything was sent\n');
      expect(shown(outcome)).toEqual({ status: 1, stdout: '' });
    },
  );

  sideBySide('that comes between two rounds is status 1', async () => {
    await using server = await echoServer();
    const args = ['ping', '-c', '9', '--interval', '1h', '-w', '1s', '--deadline', '5s'];
    const outcome = await runProcess(['send', server.address, ...args]);
    expect(outcome.stderr).toBe('udpcat: the deadline of 5s came before everything was sent\n');
    expect(shown(outcome)).toEqual({ status: 1, stdout: 'ping\n' });
  });

  sideBySideWithShell('is not delayed by a reader of stdout that never reads', async () => {
    await using server = await answeringServer(Array.from({ length: 20 }, () => Buffer.alloc(60_000, 'x')));
    const send = commandLine(['send', server.address, 'ping', '-n', 'all', '-w', '1h', '--deadline', '5s']);
    await using running = shell(unread(`{ ${send}; echo "status $?" >&2; }`));
    await running.until('status 0', 'stderr');
  });
});

describe('--idle', () => {
  sideBySide('ends the wait after that time without a datagram', async () => {
    await using server = await answeringServer(['one', 'two']);
    const outcome = await udpcat(['send', server.address, 'ping', '-n', 'all', '-w', '1h', '--idle', '10s']);
    expect(shown(outcome)).toEqual({ status: 0, stdout: 'one\ntwo\n' });
  });

  sideBySide('that ends a wait without a reply is silence', async () => {
    await using server = await silentServer();
    const outcome = await udpcat(['send', server.address, 'ping', '-w', '1h', '--idle', '200ms']);
    expect(outcome.stderr).toBe(`udpcat: ${server.address} did not answer within 200ms\n`);
    expect(shown(outcome)).toEqual({ status: 3, stdout: '' });
  });

  sideBySide('does not end the run while stdin is open', async () => {
    await using server = await echoServer();
    await using running = start(['send', server.address, '-w', LONG, '--idle', '100ms']);
    running.stdin.write('one\n');
    await running.until('one');
    await delay(300);
    running.stdin.write('two\n');
    await running.until('two');
    running.stdin.end();
    expect(await running.outcome).toMatchObject({ status: 0, stderr: '' });
  });
});

describe('repeating', () => {
  test('--count sends each message that number of times, round by round', async () => {
    await using server = await silentServer();
    const args = ['a', 'b', '--count', '3', '--interval', '10ms'];
    expect(await udpcat(['send', server.address, ...args])).toMatchObject({ status: 0, stderr: '' });
    expect(await arrivals(server)).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
  });

  test('--count repeats the messages of stdin', async () => {
    await using server = await silentServer();
    const args = ['-c', '2', '--interval', '10ms'];
    expect(await udpcat(['send', server.address, ...args], { stdin: 'a\nb' })).toMatchObject({ status: 0 });
    expect(await arrivals(server)).toEqual(['a', 'b', 'a', 'b']);
  });

  sideBySide('--duration repeats the messages of stdin until the time is over', async () => {
    await using server = await silentServer();
    const args = ['--duration', '2500ms', '--interval', '1s'];
    expect(await udpcat(['send', server.address, ...args], { stdin: 'a\nb' })).toMatchObject({ status: 0 });
    expect(await arrivals(server)).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
  });

  sideBySide('--duration ends reading from an open stdin, whose messages were sent as they came', async () => {
    await using server = await silentServer();
    await using running = start(['send', server.address, '--duration', '3s', '--interval', '100ms']);
    running.stdin.write('a\nb\n');
    await server.collect(2);
    expect(await running.outcome).toMatchObject({ status: 0 });
    expect(await arrivals(server)).toEqual(['a', 'b']);
  });

  sideBySide('is one round a second by default', async () => {
    await using server = await silentServer();
    const { sent, durationMs } = summaryOf(await udpcat(['send', server.address, 'a', '-c', '4', '-o', 'json']));
    expect(sent).toBe(4);
    expect(durationMs).toBeGreaterThanOrEqual(2999);
    expect(durationMs).toBeLessThan(6000);
  });

  sideBySide('--duration repeats until it is over, by the schedule', async () => {
    await using server = await silentServer();
    const args = ['a', '--duration', '4500ms', '--interval', '1s'];
    expect(await udpcat(['send', server.address, ...args])).toMatchObject({ status: 0 });
    expect(await arrivals(server)).toHaveLength(5);
  });

  // It keeps a processor busy, so it has a process of its own.
  sideBySide('--duration ends in time even if the rounds are too fast for the machine', async () => {
    await using server = await silentServer();
    const args = ['a', '--duration', '2s', '--interval', '0.001ms', '-o', 'json'];
    const outcome = await runProcess(['send', server.address, ...args]);
    const { sent, durationMs } = summaryOf(outcome);
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    expect(durationMs).toBeGreaterThanOrEqual(1999);
    // This number of messages is due in that time.
    expect(sent).toBeLessThan(2_000_000);
  });

  test('--interval may be shorter than a millisecond', async () => {
    await using server = await silentServer();
    const args = ['a', '-c', '20000', '--interval', '0.01ms', '-o', 'json'];
    const { durationMs } = summaryOf(await udpcat(['send', server.address, ...args]));
    // With one millisecond for each it would take twenty seconds.
    expect(durationMs).toBeLessThan(15_000);
  });

  test('fails for more messages than may be kept in memory, even if they are short', async () => {
    await using server = await silentServer();
    const stdin = Buffer.alloc(1024 * 1024 + 1, '\n');
    const { status, stderr } = await udpcat(['send', server.address, '-c', '2'], { stdin });
    expect(stderr).toBe(
      'udpcat: stdin holds more than 1048576 messages, which is the limit for sending it several times\n',
    );
    expect(status).toBe(1);
    expect(await arrivals(server)).toEqual([]);
  });

  sideBySide('--duration with --count ends with the first of the two', async () => {
    await using server = await silentServer();
    const send = (...args: string[]): Promise<Outcome> => udpcat(['send', server.address, ...args]);
    expect(await send('few', '-c', '2', '--duration', '1h', '--interval', '10ms')).toMatchObject({ status: 0 });
    expect(await send('short', '-c', '1000', '--duration', '2500ms', '--interval', '1s')).toMatchObject({
      status: 0,
    });
    expect(await arrivals(server)).toEqual(['few', 'few', 'short', 'short', 'short']);
  });

  test.each([['0'], ['soon'], ['-1s'], ['1d']])('--interval %s is a usage error', async (interval) => {
    const { status, stderr } = await udpcat(['send', '127.0.0.1:9', 'a', '-c', '2', `--interval=${interval}`]);
    expect(stderr).toMatch(/^udpcat: option '--interval <d>' argument .* is invalid\. A duration above 0 is .*\n$/);
    expect(status).toBe(2);
  });
});
