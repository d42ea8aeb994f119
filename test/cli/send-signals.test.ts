import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { testWith } from '../support/peers.js';
import { drained } from '../support/service.js';
import { hasTaken } from '../support/signals.js';
import { answeringServer, closedAddress, echoServer, type Peer, silentServer } from '../support/sockets.js';
import { commandLine, quote, shell, start, terminal, unread } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithProc = testNeeding('proc');
const testWithShell = testNeeding('shell');

/** More than a pipe holds: some megabytes. */
const many = Array.from({ length: 30 }, (_, index) => `${index}:${'x'.repeat(60_000)}`);

/** Sends these replies to the first client. Resolves when the client has read all of them from the kernel. */
async function answerMany(server: Peer): Promise<void> {
  const [question] = await server.collect(1);
  for (const reply of many) {
    await server.send(reply, question!.from);
    await drained(question!.from);
  }
}

describe.each(['SIGINT', 'SIGTERM'] as const)('%s', (name) => {
  test('ends the process by the signal itself during the wait, after it wrote all replies', async () => {
    await using server = await echoServer();
    await using running = start(['send', server.address, 'ping', '-n', '2', '-w', '1h', '-o', 'json']);
    await running.until('"data":"ping"');
    running.kill(name);
    const { status, signal, stdout, stderr } = await running.outcome;
    expect({ status, signal, stderr }).toEqual({ status: null, signal: name, stderr: '' });
    const events = stdout.toString().trimEnd().split('\n');
    expect(events.map((line) => (JSON.parse(line) as { type: string }).type)).toEqual([
      'datagram',
      'verdict',
      'summary',
    ]);
  });

  test('ends the process by the signal itself while stdin is open', async () => {
    await using server = await silentServer();
    await using running = start(['send', server.address, '-o', 'json']);
    running.stdin.write('one\n');
    await server.collect(1);
    running.kill(name);
    const { status, signal, stdout, stderr } = await running.outcome;
    expect({ status, signal, stderr }).toEqual({ status: null, signal: name, stderr: '' });
    expect(stdout.toString()).toMatch(/^\{.*"type":"verdict".*\}\n\{.*"type":"summary".*"sent":1,.*\}\n$/);
  });

  test('ends the process by the signal itself before anything was sent', async () => {
    await using server = await silentServer();
    await using running = start(['send', server.address, '-v']);
    await running.until('sending from', 'stderr');
    running.kill(name);
    const { status, signal, stderr } = await running.outcome;
    expect({ status, signal }).toEqual({ status: null, signal: name });
    expect(stderr).not.toContain('nothing to send');
  });

  test('ends the process by the signal itself between two rounds', async () => {
    await using server = await silentServer();
    await using running = start(['send', server.address, 'a', '-c', '9', '--interval', '1h']);
    await server.collect(1);
    running.kill(name);
    expect(await running.outcome).toMatchObject({ status: null, signal: name, stderr: '' });
  });

  testWithProc('ends the process only after a slow reader has taken everything', async () => {
    await using server = await silentServer();
    const args = ['ping', '-n', 'all', '-w', '1h', '-o', 'json', '--queue-size', '1000'];
    await using running = start(['send', server.address, ...args]);
    running.pauseStdout();
    await answerMany(server);
    running.kill(name);
    await hasTaken(running.pid, name);
    running.resumeStdout();
    const { signal, stdout } = await running.outcome;
    expect(signal).toBe(name);
    const events = stdout.toString().trimEnd().split('\n');
    const received = events.filter((line) => line.includes('"type":"datagram"')).length;
    const { type, ...summary } = JSON.parse(events.at(-1) ?? '') as Record<string, unknown>;
    expect(type).toBe('summary');
    // After a signal, `send` judges what it has read for 80 ms. A busy machine judges only a part, and the rest counts as dropped.
    const { queue } = summary.dropped as { queue: number };
    expect(received + queue).toBe(many.length);
    expect(summary).toMatchObject({ received, dropped: { output: 0 } });
    expect(stdout.length).toBeGreaterThan(60_000);
  });

  testWithProc('ends the process at once the second time, even if nobody reads stdout', async () => {
    await using server = await silentServer();
    const send = commandLine(['send', server.address, 'ping', '-n', 'all', '-w', '1h', '--stats']);
    await using running = shell(unread(`{ ${send} & echo "pid $!" >&2; wait $!; echo "status $?" >&2; }`));
    const [, pid] = await running.until(/pid (\d+)\n/, 'stderr');
    await answerMany(server);
    process.kill(Number(pid), name);
    await hasTaken(Number(pid), name);
    process.kill(Number(pid), name);
    await running.until(`status ${name === 'SIGINT' ? 130 : 143}`, 'stderr');
  });
});

testWith('script', 'Ctrl-C at a terminal stops a loop of the shell as well', async () => {
  await using server = await silentServer();
  const send = commandLine(['send', server.address, 'ping', '-w', '1h']);
  const loop = `for n in 1 2 3; do echo round $n; ${send}; done; echo went on`;
  await using running = terminal(`bash -c ${quote(loop)}`);
  await server.collect(1);
  running.type('\x03');
  const { stdout } = await running.outcome;
  expect(stdout.toString()).toContain('round 1');
  expect(stdout.toString()).not.toMatch(/round 2|went on/);
});

describe('a reader that closes stdout', () => {
  testWithShell('ends the command with its status so far: enough replies', async () => {
    await using server = await echoServer();
    const send = commandLine(['send', server.address, 'ping', '-c', '1000', '--interval', '20ms', '-n', 'all']);
    await using running = shell(`{ ${send}; echo "status $?" >&2; } | head -n 1`);
    const { stdout, stderr } = await running.outcome;
    expect({ stdout: stdout.toString(), stderr }).toEqual({ stdout: 'ping\n', stderr: 'status 0\n' });
  });

  testWithShell('ends the command with its status so far: not enough replies', async () => {
    await using server = await echoServer();
    const send = commandLine(['send', server.address, 'ping', '-c', '1000', '--interval', '20ms', '-n', '900']);
    await using running = shell(`{ ${send}; echo "status $?" >&2; } | head -n 1`);
    expect((await running.outcome).stderr).toMatch(/status 3\n$/);
  });

  testWithShell.each([
    ['refused', ['-c', '3', '--interval', '200ms', '--record', '-'], 4],
    ['wrong', ['-c', '1000', '--interval', '20ms', '--expect', 'pong'], 5],
  ] as const)('ends it with what came until then, told as ever: %s', async (what, args, status) => {
    await using server = await echoServer();
    const address = what === 'refused' ? await closedAddress() : server.address;
    const send = commandLine(['send', address, 'ping', ...args]);
    await using running = shell(`{ ${send}; echo "status $?" >&2; } | head -c 5`);
    const says = {
      refused: `${address} refused: nobody listens there, or a firewall prohibits it`,
      wrong: `the reply from ${address} does not contain "pong"`,
    };
    expect((await running.outcome).stderr).toBe(`udpcat: ${says[what]}\nstatus ${status}\n`);
  });

  testWithShell('ends the command while stdin is open', async () => {
    await using server = await echoServer();
    const send = commandLine(['send', server.address, '-n', 'all']);
    await using running = shell(`{ ${send}; echo "status $?" >&2; } | head -n 1`);
    running.stdin.write('one\n');
    await running.until('one');
    const status = running.until('status 0', 'stderr');
    // The command notices the closed pipe at its next write.
    const feed = setInterval(() => running.stdin.write('two\n'), 20);
    await status;
    clearInterval(feed);
  });
});

testWithShell('a stdout that cannot be written is status 1', async () => {
  await using server = await echoServer();
  await using running = shell(`${commandLine(['send', server.address, 'ping', '-n', '1'])} >/dev/full`);
  const { status, stderr } = await running.outcome;
  expect(stderr).toMatch(/^udpcat: cannot write to stdout: .*ENOSPC.*\n$/);
  expect(status).toBe(1);
});

test('a slow reader gets every reply that came in time, and does not prolong the wait', async () => {
  await using server = await answeringServer(many);
  await using running = start(['send', server.address, 'ping', '-n', 'all', '-w', '3s']);
  await running.until('0:');
  running.pauseStdout();
  // The test waits only for the end of the wait itself.
  await delay(3100);
  running.resumeStdout();
  const { status, stdout } = await running.outcome;
  expect(stdout.toString() === many.map((reply) => `${reply}\n`).join('')).toBe(true);
  expect(status).toBe(0);
});
