import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ENGINE_NAMES } from '../support/engines.js';
import { administersNetwork, startUnprivileged } from '../support/privileges.js';
import { drained, jsonLines, logLines, sendAll } from '../support/service.js';
import { type Family, hostAndPort, silentServer } from '../support/sockets.js';
import { start, udpcat } from '../support/in-process.js';
import { sideBySide } from '../support/side-by-side.js';
import { commandLine, shell, start as startProcess, udpcat as runProcess } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithProc = testNeeding('proc');
const testWithShell = testNeeding('shell');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'udpcat-limits-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => String(from + index));

describe('--count', () => {
  test('ends serve after exactly this number of datagrams, even if many more arrive at once', async () => {
    await using running = start(['serve', '-c', '50', '--stats']);
    await using peer = await silentServer();
    await sendAll(peer, await running.listening(), numbers(0, 500));
    const { stdout, stderr, status } = await running.outcome;
    expect(stdout.toString().trimEnd().split('\n')).toEqual(numbers(0, 50));
    expect({ stderr, status }).toEqual({ stderr: expect.stringMatching(/ 50 received/), status: 0 });
  });

  testWithProc('ends serve after all of them were written, also to a slow reader', async () => {
    await using running = startProcess(['serve', '-c', '200']);
    await using peer = await silentServer();
    const address = await running.listening();
    running.pauseStdout();
    const payloads = numbers(0, 200).map((number) => number.padStart(8000, '0'));
    await sendAll(peer, address, payloads);
    await drained(address);
    running.resumeStdout();
    const { stdout, status } = await running.outcome;
    expect(stdout.toString()).toBe(payloads.map((payload) => `${payload}\n`).join(''));
    expect(status).toBe(0);
  });

  test('makes echo respond to exactly this number', async () => {
    await using running = start(['echo', '-c', '3', '--stats']);
    await using peer = await silentServer();
    await sendAll(peer, await running.listening(), numbers(0, 10));
    const { stderr, status } = await running.outcome;
    expect({ stderr, status }).toEqual({ stderr: expect.stringMatching(/ 3 received, 3 sent in/), status: 0 });
    expect((await peer.collect(3)).map(({ data }) => data.toString())).toEqual(['0', '1', '2']);
  });

  test.each(['--duration', '--idle'])('not reached before the end of %s is status 3, with one line', async (option) => {
    const outcome = await udpcat(['serve', '-c', '2', option, '50ms']);
    expect(outcome).toMatchObject({ status: 3, stdout: Buffer.alloc(0) });
    expect(logLines(outcome).slice(1)).toEqual([
      expect.stringMatching(/^udpcat: 0 of 2 datagrams came on 127\.0\.0\.1:\d+ .*50ms/),
    ]);
  });

  sideBySide('not reached is status 3, also if some datagrams came, and these are written', async () => {
    await using running = start(['serve', '-c', '2', '--idle', '10s']);
    await using peer = await silentServer();
    await peer.send('only one', await running.listening());
    const { status, stdout, stderr } = await running.outcome;
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 3, stdout: 'only one\n' });
    expect(stderr).toMatch(/^udpcat: 1 of 2 datagrams came on /m);
  });

  test.each(['serve', 'echo'])('not reached when a signal ends %s is status 0', async (command) => {
    await using running = start([command, '-c', '2', '--duration', '1m']);
    await running.listening();
    running.kill('SIGINT');
    expect((await running.outcome).status).toBe(0);
  });
});

describe('--duration and --idle', () => {
  test.each(['--duration', '--idle'])(
    '%s ends the command with status 0 where no count was asked for',
    async (option) => {
      const outcomes = await Promise.all(['serve', 'echo'].map((command) => udpcat([command, option, '50ms'])));
      for (const { status, stdout, stderr } of outcomes) {
        expect({ status, stdout: stdout.toString() }).toEqual({ status: 0, stdout: '' });
        expect(stderr).toMatch(/^udpcat: listening on \S+\n$/);
      }
    },
  );

  test('--duration ends the command even while datagrams come', async () => {
    await using running = start(['serve', '--duration', '150ms', '-o', 'none']);
    await using peer = await silentServer();
    const address = await running.listening();
    const ended = running.outcome.then(() => true);
    do await peer.send('x', address);
    while (!(await Promise.race([ended, nextTurn(false)])));
    expect((await running.outcome).status).toBe(0);
  });

  sideBySide('--idle does not end the command while datagrams come', async () => {
    const idleMs = 3000;
    await using running = startProcess(['serve', '--idle', `${idleMs}ms`, '-o', 'json']);
    await using peer = await silentServer();
    const address = await running.listening();
    const over = new AbortController();
    const outcome = running.outcome.finally(() => {
      over.abort();
    });
    const untilMs = performance.now() + idleMs + 100;
    // On a busy machine the time may be over before the first datagram.
    while (!over.signal.aborted && performance.now() < untilMs) {
      await peer.send('x', address);
      await delay(20);
    }
    const { stdout, status } = await outcome;
    expect(status).toBe(0);
    const lines = jsonLines(stdout);
    expect(lines.at(-1)).toMatchObject({ type: 'summary', received: lines.length - 2 });
    const [lastMs = 0, endMs = 0] = lines.slice(-2).map(({ time }) => Date.parse(time as string));
    expect(endMs - lastMs).toBeGreaterThanOrEqual(idleMs - 10);
  });
});

describe('a full queue', () => {
  /** Runs serve with a queue of 10 and a reader that starts late. Returns the written numbers, and the outcome. */
  async function overflowed(args: readonly string[], resume: boolean) {
    await using running = startProcess(['serve', '--queue-size', '10', ...args]);
    await using peer = await silentServer();
    const address = await running.listening();
    running.pauseStdout();
    // First fills the pipe and the reader, in pieces that the queue can hold.
    const filling = numbers(0, 100).map((number) => number.padStart(9000, '0'));
    for (let from = 0; from < filling.length; from += 5) {
      await sendAll(peer, address, filling.slice(from, from + 5));
      await drained(address);
    }
    await sendAll(peer, address, numbers(100, 300));
    await running.until('is full', 'stderr');
    if (resume) {
      await drained(address);
      running.kill('SIGTERM');
    }
    running.resumeStdout();
    const { stdout, status, stderr } = await running.outcome;
    return { written: stdout.toString().trimEnd().split('\n').map(Number), status, stderr };
  }

  testWithProc('drops the newest datagrams by default, unless they can stay in the kernel', async () => {
    const { written, status } = await overflowed(['--engine', 'node'], true);
    expect(written).not.toContain(299);
    expect(written.length).toBeLessThan(300);
    expect(written).toEqual([...written].sort((a, b) => a - b));
    expect(status).toBe(0);
  });

  testWithProc.each(ENGINE_NAMES)(
    'drops what waited longest under --overflow drop-oldest, with the %s engine',
    async (engine) => {
      const { written, status } = await overflowed(['--engine', engine, '--overflow', 'drop-oldest'], true);
      expect(written.slice(-10)).toEqual(numbers(290, 300).map(Number));
      expect(written.length).toBeLessThan(300);
      expect(status).toBe(0);
    },
  );

  testWithProc.each(ENGINE_NAMES)(
    'is status 7 under --overflow fail, and what the queue held is written, with the %s engine',
    async (engine) => {
      const { written, status, stderr } = await overflowed(['--engine', engine, '--overflow', 'fail'], false);
      expect(status).toBe(7);
      expect(stderr).toMatch(/^udpcat: the receive queue of 10 datagrams is full/m);
      expect(written).toEqual(written.map((_, index) => index));
      expect(written.length).toBeGreaterThanOrEqual(10);
    },
  );
});

describe('--allow and --deny', () => {
  sideBySide.each(['none', 'utf8'])('ignore datagrams that are kept out for --idle, with -o %s', async (output) => {
    await using running = start(['serve', '--deny', '127.0.0.2', '--idle', '10s', '-o', output, '--stats']);
    const address = await running.listening();
    await using sender = start(['send', address, 'x', '-b', '127.0.0.2:0', '-c', '1000', '--interval', '50ms']);
    const { status, stderr } = await running.outcome;
    sender.kill();
    expect(status).toBe(0);
    expect(stderr).toMatch(/\b0 received, .*[1-9]\d* denied/);
  });

  const cases: readonly { args: readonly string[]; family: Family; bind: string; taken: boolean }[] = [
    { args: ['--allow', '127.0.0.0/8'], family: 4, bind: '0', taken: true },
    { args: ['--allow', '127.0.0.1'], family: 4, bind: '0', taken: true },
    { args: ['--allow', '192.0.2.0/24'], family: 4, bind: '0', taken: false },
    { args: ['--allow', '192.0.2.0/24', '--allow', '127.0.0.0/8'], family: 4, bind: '0', taken: true },
    { args: ['--deny', '127.0.0.0/8'], family: 4, bind: '0', taken: false },
    { args: ['--deny', '192.0.2.0/24'], family: 4, bind: '0', taken: true },
    { args: ['--allow', '0.0.0.0/0', '--deny', '127.0.0.1/32'], family: 4, bind: '0', taken: false },
    { args: ['--allow', '::1'], family: 6, bind: '[::1]:0', taken: true },
    { args: ['--allow', '2001:db8::/32'], family: 6, bind: '[::1]:0', taken: false },
    { args: ['--deny', '::/0'], family: 6, bind: '[::1]:0', taken: false },
    { args: ['--allow', '127.0.0.0/8'], family: 4, bind: '*:0', taken: true },
    { args: ['--allow', '127.0.0.0/8'], family: 6, bind: '*:0', taken: false },
    { args: ['--deny', '127.0.0.0/8'], family: 4, bind: '*:0', taken: false },
    { args: ['--deny', '127.0.0.0/8'], family: 6, bind: '*:0', taken: true },
    { args: ['--allow', '::ffff:127.0.0.0/104'], family: 4, bind: '*:0', taken: true },
    { args: ['--deny', '::1/128'], family: 4, bind: '*:0', taken: true },
  ];

  testWithProc.each(cases)(
    '$args on $bind takes from IPv$family loopback: $taken',
    async ({ args, family, bind, taken }) => {
      await using running = start(['serve', bind, ...args, '-o', 'json', '--log-format', 'json', '--stats']);
      const [, line = ''] = await running.until(/^(.*)\n/, 'stderr');
      const { port } = hostAndPort((JSON.parse(line) as { address: string }).address);
      await using peer = await silentServer(family);
      const address = family === 4 ? `127.0.0.1:${port}` : `[::1]:${port}`;
      await sendAll(peer, address, ['x', 'y']);
      await drained(bind === '*:0' ? `[::1]:${port}` : address);
      running.kill('SIGTERM');
      const { stdout, stderr } = await running.outcome;
      const lines = jsonLines(stdout);
      expect(lines.filter(({ type }) => type === 'datagram')).toHaveLength(taken ? 2 : 0);
      const counted = taken ? { received: 2 } : { received: 0, denied: 2 };
      expect(lines.at(-1)).toMatchObject(counted);
      expect(jsonLines(stderr).at(-1)).toMatchObject(counted);
    },
  );

  testWithShell('keep denied datagrams out of --count, of the responses and of the summary', async () => {
    await using running = start(['echo', '--deny', '127.0.0.2', '-c', '1', '--stats', '*:0']);
    const { port } = hostAndPort(await running.listening());
    await using welcome = await silentServer(6);
    await using other = shell(
      `exec ${commandLine(['send', '-b', '127.0.0.2', `127.0.0.1:${port}`, 'x', '-w', '300ms', '-n', '1'])}`,
    );
    expect((await other.outcome).status).toBe(3);
    await welcome.send('y', `[::1]:${port}`);
    expect((await welcome.collect(1))[0]?.data.toString()).toBe('y');
    const { stderr, status } = await running.outcome;
    expect({ stderr, status }).toEqual({ stderr: expect.stringMatching(/1 received, 1 sent, 1 denied in/), status: 0 });
  });
});

describe('serve --reply', () => {
  const cases: readonly { args: readonly string[]; reply: string | Uint8Array }[] = [
    { args: ['--reply', 'pong'], reply: 'pong' },
    { args: ['--reply', 'grüße 😀'], reply: 'grüße 😀' },
    { args: ['--reply', ''], reply: '' },
    { args: ['-e', 'hex', '--reply', '00 fF 0a'], reply: Uint8Array.of(0x00, 0xff, 0x0a) },
    { args: ['-x', '--reply', 'ff'], reply: Uint8Array.of(0xff) },
    { args: ['-e', 'base64', '--reply', '/wA='], reply: Uint8Array.of(0xff, 0x00) },
    { args: ['-e', 'escaped', '--reply', 'a\\n\\r\\t\\\\\\0\\xff'], reply: Buffer.from('a\n\r\t\\\0\xff', 'latin1') },
  ];
  test.each(cases)('$args answers every datagram, and writes it as well', async ({ args, reply }) => {
    await using running = start(['serve', ...args, '-o', 'raw', '-c', '2']);
    await using peer = await silentServer();
    const address = await running.listening();
    await sendAll(peer, address, ['one', 'two']);
    for (const answer of await peer.collect(2))
      expect(answer).toEqual({ data: Buffer.from(reply as string), from: address });
    expect(await running.outcome).toMatchObject({ status: 0, stdout: Buffer.from('onetwo') });
  });

  test('-file responds with the bytes of a file, also the largest', async () => {
    const file = join(folder, 'reply');
    for (const { family, size } of [
      { family: 4 as const, size: 65_507 },
      { family: 6 as const, size: 65_527 },
    ]) {
      const bytes = randomBytes(size);
      writeFileSync(file, bytes);
      await using running = start(['serve', `-${family}`, '--reply-file', file]);
      await using peer = await silentServer(family);
      await peer.send('x', await running.listening());
      expect((await peer.collect(1))[0]?.data).toEqual(bytes);
    }
  });

  test.each(['SIGINT', 'SIGTERM'] as const)(
    '-file that is a pipe without a writer does not delay %s',
    async (signal) => {
      const pipe = join(folder, `pipe-${signal}`);
      execFileSync('mkfifo', [pipe]);
      await using running = start(['serve', '--reply-file', pipe]);
      // This opens as soon as there is a reader.
      await using _writer = await open(pipe, 'w');
      running.kill(signal);
      expect(await running.outcome).toMatchObject({ status: 0, signal: null, stderr: '' });
    },
  );

  test.each([
    {
      what: 'a file that is missing',
      args: ['--reply-file', '/nosuch/file'],
      status: 1,
      says: /\/nosuch\/file.*ENOENT|no such file/,
    },
    { what: 'a directory for a file', args: ['--reply-file', '/'], status: 1, says: /cannot read \/: / },
    { what: 'a file without end', args: ['--reply-file', '/dev/zero'], status: 2, says: /'--reply-file'.*65507/ },
    {
      what: 'a message that is no hex',
      args: ['-e', 'hex', '--reply', 'xyz'],
      status: 2,
      says: /'--reply'.*"xyz".*hex/,
    },
    { what: 'half a byte of hex', args: ['-e', 'hex', '--reply', 'abc'], status: 2, says: /'--reply'.*"abc"/ },
    { what: 'a message that is no base64', args: ['-e', 'base64', '--reply', '!'], status: 2, says: /'--reply'.*"!"/ },
    { what: 'an unknown escape', args: ['-e', 'escaped', '--reply', '\\q'], status: 2, says: /'--reply'.*\\\\q/ },
    {
      what: 'a message and a file at once',
      args: ['--reply', 'x', '--reply-file', '/dev/null'],
      status: 2,
      says: /'--reply'.*'--reply-file'/,
    },
  ])('refuses $what in one line', async ({ args, status, says }) => {
    const outcome = await udpcat(['serve', ...args]);
    expect(outcome).toMatchObject({ status, stdout: Buffer.alloc(0) });
    expect(logLines(outcome)).toEqual([expect.stringMatching(says)]);
  });

  test.each([
    { bind: '0', bytes: 65_508, limit: 65_507 },
    { bind: '*:0', bytes: 65_508, limit: 65_507 },
    { bind: '[::1]:0', bytes: 65_528, limit: 65_527 },
  ])('refuses $bytes bytes on $bind, and names the limit of $limit', async ({ bind, bytes, limit }) => {
    const file = join(folder, 'large');
    writeFileSync(file, Buffer.alloc(bytes));
    const byFile = await udpcat(['serve', bind, '--reply-file', file]);
    const byArgument = await udpcat(['serve', bind, '--reply', 'x'.repeat(bytes)]);
    for (const outcome of [byFile, byArgument]) {
      expect(outcome.status).toBe(2);
      expect(logLines(outcome)).toEqual([expect.stringMatching(RegExp(`^udpcat: .*'--reply.*${bytes}.*${limit}`))]);
    }
  });

  testWithShell('refuses an argument that is no UTF-8, and names -e hex', async () => {
    await using running = shell(`exec ${commandLine(['serve', '--reply'])} "$(printf '\\377')"`);
    const outcome = await running.outcome;
    expect(outcome.status).toBe(2);
    expect(logLines(outcome)).toEqual([expect.stringMatching(/'--reply'.*-e hex/)]);
  });
});

describe('a peer', () => {
  test('that has gone affects no other, and does not end the server', async () => {
    await using running = start(['echo', '-c', '40', '--stats']);
    const address = await running.listening();
    await using staying = await silentServer();
    for (let round = 0; round < 20; round += 1) {
      // The peer is gone when the response comes, and the kernel tells the server so.
      const leaving = await silentServer();
      await leaving.send('gone', address);
      await leaving[Symbol.asyncDispose]();
      await staying.send(`here ${round}`, address);
    }
    const answers = (await staying.collect(20)).map(({ data }) => data.toString());
    expect(answers).toEqual(numbers(0, 20).map((round) => `here ${round}`));
    const { status, stderr } = await running.outcome;
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringMatching(/40 received, 40 sent/) });
  });

  test('is one of two that are served at once', async () => {
    await using running = start(['echo', '-o', 'json', '-c', '4']);
    const address = await running.listening();
    await using one = await silentServer();
    await using two = await silentServer();
    for (const text of ['a', 'b']) {
      await one.send(`one ${text}`, address);
      await two.send(`two ${text}`, address);
    }
    expect((await one.collect(2)).map(({ data }) => data.toString())).toEqual(['one a', 'one b']);
    expect((await two.collect(2)).map(({ data }) => data.toString())).toEqual(['two a', 'two b']);
    const datagrams = jsonLines((await running.outcome).stdout).filter(({ type }) => type === 'datagram');
    expect(datagrams.map(({ from }) => from)).toEqual([one.address, two.address, one.address, two.address]);
  });
});

describe.each(ENGINE_NAMES)('a kernel buffer, with the %s engine,', (engine) => {
  const ask = (size: string): readonly string[] => {
    return ['serve', '--engine', engine, '--recv-buffer', size, '--send-buffer', size, '--duration', '10ms'];
  };
  const limited = ['recv', 'send'].map((which): unknown =>
    expect.stringMatching(RegExp(`^udpcat: warning: --${which}-buffer: the kernel granted \\d+ of 1048576000 bytes`)),
  );
  const listening: unknown = expect.stringMatching(/listening/);

  test('is not reported if it was granted', async () => {
    expect(logLines(await udpcat(ask('64Ki')))).toEqual([listening]);
  });

  test('that is smaller than was asked for is reported', async () => {
    await using running = startUnprivileged(ask('1000Mi'));
    expect(logLines(await running.outcome)).toEqual([...limited, listening]);
  });

  const privileged =
    'beyond the limit of the system is granted to the linux engine with the privilege, and to no other';
  (administersNetwork ? test : test.skip)(privileged, async () => {
    const lines = logLines(await runProcess(ask('1000Mi')));
    expect(lines).toEqual(engine === 'linux' ? [listening] : [...limited, listening]);
  });
});
