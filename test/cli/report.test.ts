import { execFileSync, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { HANG_MS } from '../support/limits.js';
import { testWith } from '../support/peers.js';
import { drained, type JsonLine, jsonLines, logLines, sendAll } from '../support/service.js';
import { catches } from '../support/signals.js';
import { echoServer, hostAndPort, silentServer } from '../support/sockets.js';
import { COMMAND, type Running, start } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithProc = testNeeding('proc');

/** Waits for the nth report on stderr. Returns its lines; the first has the totals. */
async function reported(running: Running, lines: number, nth = 1): Promise<string[]> {
  const totals = String.raw`udpcat: \d+ received, .*\n`;
  const [text = ''] = await running.until(RegExp(`(?:[^]*?${totals}){${nth}}(?:.*\n){${lines - 1}}`), 'stderr');
  return text.split('\n').slice(-lines - 1, -1);
}

/** Sends one byte from each of many endpoints: addresses 127.0.0.x, with a hundred ports each. */
async function sendFromMany(address: string, peers: number): Promise<void> {
  const { host, port } = hostAndPort(address);
  for (let from = 0; from < peers; from += 100) {
    const sockets: Socket[] = [];
    for (let index = from; index < Math.min(from + 100, peers); index += 1) {
      const socket = createSocket('udp4');
      const listening = once(socket, 'listening');
      socket.bind(0, `127.0.1.${1 + from / 100}`);
      await listening;
      await new Promise((resolve) => socket.send('x', port, host, resolve));
      sockets.push(socket);
    }
    // The command may have ended after the last signal.
    if (from + 100 < peers) await drained(address);
    for (const socket of sockets) socket.close();
  }
}

const TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z`;

testWithProc('SIGUSR1 and SIGUSR2 do not end a process that has not loaded the command yet', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'udpcat-start-'));
  try {
    copyFileSync(COMMAND, join(folder, 'udpcat.cjs'));
    // The file is a pipe: loading it takes until the test writes to it.
    const main = join(folder, 'main.cjs');
    execFileSync('mkfifo', [main]);
    const child = spawn(process.execPath, [join(folder, 'udpcat.cjs')], {
      env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: HANG_MS,
    });
    const ended = once(child, 'close');
    const said = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk) => (said.stdout += String(chunk)));
    child.stderr.on('data', (chunk) => (said.stderr += String(chunk)));
    await catches(child.pid ?? -1, 'SIGUSR2');
    child.kill('SIGUSR1');
    child.kill('SIGUSR2');
    writeFileSync(main, "(function () { console.log('it ran'); })");
    expect(await ended).toEqual([0, null]);
    expect(said).toEqual({ stdout: 'it ran\n', stderr: '' });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe('SIGUSR2', () => {
  test('makes serve report its datagrams, rates and peers so far, and continue', async () => {
    await using running = start(['serve', '-c', '4']);
    const address = await running.listening();
    await using one = await silentServer();
    await using two = await silentServer();
    await sendAll(one, address, ['hello', 'to', 'you']);
    await running.until('you\n');
    running.kill('SIGUSR2');
    expect(await reported(running, 3)).toEqual([
      expect.stringMatching(/^udpcat: 3 received, 0 sent in \d+\.\d{3} s$/),
      expect.stringMatching(/^udpcat: [\d.,]+\/s \([\d.]+ k?B\/s\) since the start$/),
      expect.stringMatching(
        RegExp(`^udpcat: from ${one.address}: 3 received, 10 bytes \\(2 to 5 each\\), [\\d,.]+/s, ${TIME} to ${TIME}$`),
      ),
    ]);
    await two.send('bye', address);
    const { stdout, status } = await running.outcome;
    expect({ stdout: stdout.toString(), status }).toEqual({ stdout: 'hello\nto\nyou\nbye\n', status: 0 });
  });

  test('reports from the second time on the datagrams since the last report', async () => {
    await using running = start(['echo']);
    const address = await running.listening();
    await using peer = await silentServer();
    running.kill('SIGUSR2');
    expect((await reported(running, 2))[1]).toMatch(/^udpcat: 0\/s \(0 B\/s\) since the start$/);
    await peer.send('x', address);
    await peer.collect(1);
    running.kill('SIGUSR2');
    const [totals, rates, from] = await reported(running, 3, 2);
    expect(totals).toMatch(/^udpcat: 1 received, 1 sent in/);
    expect(rates).toMatch(/^udpcat: \S+ \(\S+ B\/s\) since the start, \S+ \(\S+ B\/s\) in the last \S+s$/);
    expect(from).toMatch(RegExp(`^udpcat: from ${peer.address}: 1 received, 1 byte, 1 answered, ${TIME}$`));
  });

  test('is one line with the same facts as fields in a JSON log', async () => {
    await using running = start(['echo', '--log-format', 'json']);
    const [, line = ''] = await running.until(/^(.*)\n/, 'stderr');
    const { address } = JSON.parse(line) as { address: string };
    await using peer = await silentServer();
    await peer.send('hello', address);
    await peer.collect(1);
    running.kill('SIGUSR2');
    await running.until(/"received":1.*\n/, 'stderr');
    running.kill('SIGUSR2');
    await running.until(/"sinceLastReport".*\n/, 'stderr');
    running.kill();
    const [, first, second] = jsonLines((await running.outcome).stderr);
    const time: unknown = expect.stringMatching(RegExp(`^${TIME}$`));
    const row = {
      peer: peer.address,
      received: 1,
      bytes: 5,
      answered: 1,
      smallest: 5,
      largest: 5,
      first: time,
      last: time,
    };
    const facts = {
      level: 30,
      received: 1,
      sent: 1,
      dropped: { kernel: 0, queue: 0, output: 0 },
      durationMs: expect.any(Number),
      rate: { perSecond: expect.any(Number), bytesPerSecond: expect.any(Number) },
      peers: [row],
    };
    expect(first).toMatchObject(facts);
    expect(first).not.toHaveProperty('sinceLastReport');
    expect(second).toMatchObject({
      ...facts,
      sinceLastReport: { perSecond: 0, bytesPerSecond: 0, durationMs: expect.any(Number) },
    });
  });

  test('makes a report also with --quiet and --no-stats', async () => {
    await using running = start(['serve', '--quiet', '--no-stats']);
    await running.listening();
    running.kill('SIGUSR2');
    expect((await reported(running, 2))[1]).toMatch(/^udpcat: 0\/s \(0 B\/s\) since the start$/);
  });

  test('makes send report its datagrams so far, and continue', async () => {
    await using server = await echoServer();
    await using running = start(['send', server.address, '-n', 'all', '-w', '1h']);
    running.stdin.write('one\ntwo\n');
    await running.until('two\n');
    running.kill('SIGUSR2');
    expect(await reported(running, 1)).toEqual([
      expect.stringMatching(/^udpcat: 2 received, 2 sent, 0 lost \(0%\) in \d+\.\d{3} s$/),
    ]);
    running.stdin.write('three\n');
    await running.until('three\n');
  });

  testWith('mkfifo', 'does no harm before the socket is open', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'udpcat-report-'));
    try {
      execFileSync('mkfifo', [join(folder, 'reply')]);
      await using running = start(['serve', '--reply-file', join(folder, 'reply'), '-c', '1']);
      await catches(running.pid, 'SIGUSR2');
      for (let count = 0; count < 10; count += 1) running.kill('SIGUSR2');
      execFileSync('sh', ['-c', `printf pong >${join(folder, 'reply')}`]);
      await using peer = await silentServer();
      await peer.send('ping', await running.listening());
      expect((await peer.collect(1))[0]?.data.toString()).toBe('pong');
      expect((await running.outcome).status).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  testWithProc('does no harm at any moment from the start to the end, many times over', async () => {
    for (const command of ['serve', 'echo'] as const) {
      await using running = start([command, '--duration', '300ms', '-o', 'json', '--log-format', 'json']);
      await catches(running.pid, 'SIGUSR2');
      const ended = running.outcome.then(() => true);
      while (!(await Promise.race([ended, delay(1, false)]))) running.kill('SIGUSR2');
      const { status, signal, stdout, stderr } = await running.outcome;
      expect({ status, signal }).toEqual({ status: 0, signal: null });
      expect(jsonLines(stdout).at(-1)).toMatchObject({ type: 'summary', received: 0 });
      expect(jsonLines(stderr).length).toBeGreaterThan(1);
    }
  });

  testWithProc('does no harm while the last datagrams are written for a slow reader', async () => {
    await using running = start(['serve', '-o', 'hex']);
    const address = await running.listening();
    await using peer = await silentServer();
    running.pauseStdout();
    const payload = Buffer.alloc(60_000);
    for (let count = 0; count < 20; count += 1) {
      await peer.send(payload, address);
      await drained(address);
    }
    running.kill('SIGTERM');
    running.kill('SIGUSR2');
    await reported(running, 3);
    running.kill('SIGUSR2');
    await reported(running, 3, 2);
    running.resumeStdout();
    const { stdout, status } = await running.outcome;
    expect({ bytes: stdout.length, status }).toEqual({ bytes: 20 * 120_001, status: 0 });
  });
});

describe('the summary', () => {
  test('lists the peers on stderr, and in JSON only if JSON was asked for', async () => {
    await using running = start(['serve', '--stats', '-o', 'json', '-c', '3']);
    const address = await running.listening();
    await using peer = await silentServer(4);
    await sendAll(peer, address, ['a', 'bcd', '']);
    const outcome = await running.outcome;
    expect(logLines(outcome).at(-1)).toMatch(
      RegExp(`^udpcat: from ${peer.address}: 3 received, 4 bytes \\(0 to 3 each\\), .*, ${TIME} to ${TIME}$`),
    );
    expect(jsonLines(outcome.stdout).at(-1)).toMatchObject({
      type: 'summary',
      peers: [{ peer: peer.address, received: 3, bytes: 4, smallest: 0, largest: 3 }],
    });
  });

  test('has no peers for send', async () => {
    await using server = await echoServer();
    await using running = start([
      'send',
      server.address,
      'x',
      '-n',
      '1',
      '-o',
      'json',
      '--stats',
      '--log-format',
      'json',
    ]);
    const { stdout, stderr } = await running.outcome;
    expect(jsonLines(stdout).at(-1)).not.toHaveProperty('peers');
    expect(jsonLines(stderr).at(-1)).not.toHaveProperty('peers');
  });

  testWithProc.each(['serve', 'echo'] as const)('of %s is bounded and exact after 3000 peers', async (command) => {
    const args = [command, '-o', 'json', '--stats', '--log-format', 'json', '-c', '3000', '--idle', '1m'];
    await using running = start(args);
    const [, line = ''] = await running.until(/^(.*)\n/, 'stderr');
    await sendFromMany((JSON.parse(line) as { address: string }).address, 3000);
    const { stdout, stderr, status } = await running.outcome;
    expect(status).toBe(0);
    for (const summary of [jsonLines(stdout).at(-1), jsonLines(stderr).at(-1)]) {
      const { peers, otherPeers } = summary as JsonLine & {
        peers: readonly { received: number; answered?: number }[];
        otherPeers: { received: number; answered?: number };
      };
      const rows = [...peers, otherPeers];
      expect(peers).toHaveLength(100);
      expect(otherPeers).toMatchObject({ count: 925, countIsLowerBound: true });
      expect(rows.reduce((sum, { received }) => sum + received, 0)).toBe(3000);
      expect(summary).toMatchObject({ received: 3000 });
      if (command === 'echo') expect(rows.reduce((sum, { answered = 0 }) => sum + answered, 0)).toBe(3000);
    }
  });
});
