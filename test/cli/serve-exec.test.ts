import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe, expect, test } from '@jest/globals';
import { jsonLines, sendAll } from '../support/service.js';
import { hostAndPort, silentServer, written } from '../support/sockets.js';
import { type Outcome, quote, start, udpcat } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithProc = testNeeding('proc');
const testWithShell = testNeeding('shell');

const folder = mkdtempSync(join(tmpdir(), 'udpcat-exec-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** The path of a file that does not exist yet. */
let names = 0;
const fresh = (): string => join(folder, `file-${(names += 1)}`);

/** A command line that runs this JavaScript by Node. */
const script = (code: string): string => `${quote(process.execPath)} -e ${quote(code)}`;

const logged = ({ stderr }: Outcome): Record<string, unknown>[] => jsonLines(stderr);

/** The children of a process with their states. `Z` is a zombie: it has ended, and the parent has not waited for it. */
function childrenOf(pid: number): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const [state = '', parent] = readFileSync(`/proc/${name}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ');
        return Number(parent) === pid ? [state] : [];
      } catch {
        return [];
      }
    });
}

/** Waits until a condition of the system holds that no event tells. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await delay(10);
}

/** Whether the process whose id stands in this file still runs. */
const lives = (file: string): boolean => existsSync(`/proc/${readFileSync(file, 'utf8').trim()}`);

describe('serve --exec', () => {
  test.each([4, 6] as const)('responds with the output of the program, over IPv%i', async (family) => {
    await using running = start(['serve', family === 4 ? '127.0.0.1:0' : '[::1]:0', '--exec', 'tr a-z A-Z', '-c', '3']);
    await using peer = await silentServer(family);
    await sendAll(peer, await running.listening(), ['one\n', 'two', 'three']);
    const answers = await peer.collect(3);
    expect(answers.map(({ data }) => data.toString()).sort()).toEqual(['ONE\n', 'THREE', 'TWO']);
    const outcome = await running.outcome;
    expect(outcome.status).toBe(0);
    expect(outcome.stdout.toString()).toBe('one\ntwo\nthree\n');
  });

  test.each([
    { family: 4 as const, bytes: 65_507 },
    { family: 6 as const, bytes: 65_527 },
  ])('hands over and sends $bytes bytes of IPv$family whole', async ({ family, bytes }) => {
    const payload = randomBytes(bytes);
    await using running = start(['serve', '*:0', '--exec', 'cat', '-c', '1', '-o', 'none']);
    await using peer = await silentServer(family);
    const { port } = hostAndPort(await running.listening());
    await peer.send(payload, written(family === 4 ? '127.0.0.1' : '::1', port));
    expect((await peer.collect(1))[0]?.data.equals(payload)).toBe(true);
  });

  test('tells the program both addresses, and passes the environment on', async () => {
    const args = ['serve', '--exec', 'env', '-c', '1', '-o', 'none'];
    await using running = start(args, { env: { OF_THE_USER: 'x y' } });
    await using peer = await silentServer();
    const address = await running.listening();
    await peer.send('', address);
    const [answer] = await peer.collect(1);
    const lines = answer?.data.toString().split('\n') ?? [];
    expect(lines).toEqual(
      expect.arrayContaining([
        'UDPCAT_REMOTE_ADDR=127.0.0.1',
        `UDPCAT_REMOTE_PORT=${peer.port}`,
        'UDPCAT_LOCAL_ADDR=127.0.0.1',
        `UDPCAT_LOCAL_PORT=${hostAndPort(address).port}`,
        'OF_THE_USER=x y',
      ]),
    );
  });

  test('removes the variables of the service manager from the environment of the program', async () => {
    const meant = {
      LISTEN_FDS: '1',
      LISTEN_PID: '1',
      LISTEN_PIDFDID: '1',
      LISTEN_FDNAMES: 'udpcat.socket',
      NOTIFY_SOCKET: fresh(),
    };
    const env = { ...meant, LISTEN_FDS_OF_THE_USER: 'x' };
    await using running = start(['serve', '--exec', 'env', '-c', '1', '-o', 'none'], { env });
    await using peer = await silentServer();
    await peer.send('', await running.listening());
    const [answer] = await peer.collect(1);
    const names = answer?.data.toString().match(/^(LISTEN_|NOTIFY_)\w+/gm);
    expect(names).toEqual(['LISTEN_FDS_OF_THE_USER']);
  });

  testWithShell.each([
    { how: 'without a shell', args: ['--exec', `printf '%s,' "a b" $HOME '*' a\\ b`], answer: 'a b,$HOME,*,a b,' },
    { how: 'by the shell with --shell', args: ['--shell', '--exec', 'cat | tr e a; echo $0'], answer: 'pang/bin/sh\n' },
  ])('runs the command $how', async ({ args, answer }) => {
    await using running = start(['serve', ...args, '-c', '1']);
    await using peer = await silentServer();
    await peer.send('peng', await running.listening());
    expect((await peer.collect(1))[0]?.data.toString()).toBe(answer);
  });

  testWithProc('gives the program no descriptor but its three streams', async () => {
    // The descriptor that readdir itself opens is closed when its link is read.
    const code = `const fs = require('fs');
      const isSocket = (fd) => { try { return /^socket/.test(fs.readlinkSync('/proc/self/fd/' + fd)); } catch { return false; } };
      console.log(fs.readdirSync('/proc/self/fd').filter((fd) => fd > 2 && isSocket(fd)).length)`;
    await using running = start(['serve', '--exec', script(code), '-c', '1']);
    await using peer = await silentServer();
    await peer.send('', await running.listening());
    expect((await peer.collect(1))[0]?.data.toString()).toBe('0\n');
  });

  test('sends nothing if the program writes nothing', async () => {
    await using running = start(['serve', '--exec', 'true', '-c', '2', '--stats', '--log-format', 'json']);
    await using peer = await silentServer();
    await running.until('listening', 'stderr');
    const [, line = ''] = await running.until(/"address":"([^"]+)"/, 'stderr');
    await sendAll(peer, line, ['1', '2']);
    expect(logged(await running.outcome).at(-1)).toMatchObject({ received: 2, sent: 0 });
  });

  test('logs stderr of the program line by line, escaped and with the peer, at most a hundred lines', async () => {
    const code = 'for (let n = 0; n < 150; n += 1) console.error(n + " \\u001b[31m" + "x".repeat(n === 0 ? 5000 : 0))';
    await using running = start(['serve', '--exec', script(code), '-c', '1']);
    await using peer = await silentServer();
    await peer.send('', await running.listening());
    const { stderr } = await running.outcome;
    const lines = stderr.split('\n').filter((text) => text.includes(peer.address));
    expect(lines).toHaveLength(101);
    expect(lines[0]).toMatch(RegExp(`^udpcat: ${peer.address}: 0 \\\\x1b\\[31mx{900,1000} \\.\\.\\.$`));
    expect(lines.at(-1)).toBe(`udpcat: ${peer.address}: (50 more lines)`);
  });

  test.each([
    { what: 'fails without a message', exec: 'false', says: /warning: PEER: the program ended with status 1/ },
    { what: 'is killed', exec: "sh -c 'kill -9 $$'", says: /no answer to PEER: the program was ended by SIGKILL/ },
    {
      what: 'hangs',
      exec: 'sleep 1000',
      says: /no answer to PEER: the program ran for longer than 300ms and was killed/,
    },
    {
      what: 'does not close its output',
      exec: `sh -c 'sleep 1000 & echo $! >&2; exit 0'`,
      says: /no answer to PEER: the program ended, but a process that it started held its output open for longer than 300ms and was killed/,
    },
    {
      what: 'writes endlessly',
      exec: 'yes',
      says: /no answer to PEER: the program wrote more than a datagram can hold, 65507 bytes/,
    },
  ])('goes on when a program $what', async ({ exec, says }) => {
    const line = `read -r word; if [ "$word" = good ]; then echo fine; else exec ${exec}; fi`;
    await using running = start(['serve', '--exec', `sh -c ${quote(line)}`, '--exec-timeout', '300ms', '-o', 'json']);
    await using peer = await silentServer();
    const address = await running.listening();
    await peer.send('bad\n', address);
    const message = RegExp(says.source.replace('PEER', peer.address));
    await running.until(message, 'stderr');
    await peer.send('good\n', address);
    expect((await peer.collect(1))[0]?.data.toString()).toBe('fine\n');
    running.kill();
    const outcome = await running.outcome;
    expect(outcome.status).toBe(0);
    const errors = jsonLines(outcome.stdout).filter(({ type }) => type === 'error');
    if (says.source.startsWith('no answer')) {
      expect(errors).toMatchObject([
        { code: 'ANSWER_FAILED', peer: peer.address, message: expect.stringMatching(message) },
      ]);
    }
  });

  testWithProc('leaves no process of a program behind, whether the program ended in time or not', async () => {
    const [ended, hanging] = [fresh(), fresh()];
    const line = `read -r file; if [ $file = ${hanging} ]; then sleep 1000 & else sleep 1000 >/dev/null 2>&1 & fi; echo $! >$file; echo started`;
    await using running = start(['serve', '--shell', '--exec', line, '--exec-timeout', '1s']);
    await using peer = await silentServer();
    const address = await running.listening();
    await peer.send(`${ended}\n`, address);
    await peer.collect(1);
    await peer.send(`${hanging}\n`, address);
    await running.until('held its output open for longer', 'stderr');
    await until(() => !lives(ended) && !lives(hanging));
  });

  testWithProc(
    'runs at most --exec-concurrency programs at a time, and the queue counts the datagrams that it drops',
    async () => {
      const release = fresh();
      const line = `cat >/dev/null; until [ -e ${release} ]; do sleep 0.05; done; echo done`;
      const args = [
        'serve',
        '--engine',
        'node',
        '--shell',
        '--exec',
        line,
        '--exec-concurrency',
        '3',
        '--queue-size',
        '5',
      ];
      await using running = start([...args, '-o', 'none', '--stats', '--log-format', 'json', '--exec-timeout', '10s']);
      await using peer = await silentServer();
      const [, address = ''] = await running.until(/"address":"([^"]+)"/, 'stderr');
      await peer.send('first', address);
      await until(() => childrenOf(running.pid).length === 1);
      // A batch that was taken waits for its programs. Meanwhile the queue fills.
      await sendAll(
        peer,
        address,
        Array.from({ length: 200 }, (_, index) => String(index)),
      );
      await running.until('the queue of 5 is full', 'stderr');
      await until(() => childrenOf(running.pid).length === 3);
      const { received } = await reported(running);
      writeFileSync(release, '');
      running.kill();
      const summary = logged(await running.outcome).at(-1) as {
        received: number;
        sent: number;
        dropped: { queue: number };
      };
      expect(summary.received + summary.dropped.queue).toBe(201);
      expect(summary.dropped.queue).toBeGreaterThan(0);
      expect(summary.sent).toBe(summary.received);
      expect(received).toBeLessThanOrEqual(summary.received);
    },
  );

  testWithProc('leaves no zombies, nor processes, after many runs', async () => {
    await using running = start(['serve', '--exec', 'cat', '-o', 'none']);
    await using peer = await silentServer();
    const address = await running.listening();
    await sendAll(
      peer,
      address,
      Array.from({ length: 150 }, (_, index) => String(index)),
    );
    await peer.collect(150);
    await until(() => childrenOf(running.pid).length === 0);
  });

  testWithShell('runs at most a hundred programs for identical datagrams, because of the loop guard', async () => {
    const count = fresh();
    const args = ['--shell', '--exec', `cat; echo >>${count}`, '-o', 'none', '--stats', '--log-format', 'json'];
    await using running = start(['serve', ...args]);
    await using peer = await silentServer();
    const [, address = ''] = await running.until(/"address":"([^"]+)"/, 'stderr');
    await sendAll(peer, address, Array<string>(120).fill('same'));
    await peer.collect(100);
    running.kill();
    const summary = logged(await running.outcome).at(-1);
    const { sent, durationMs } = summary as { sent: number; durationMs: number };
    expect(sent).toBeGreaterThanOrEqual(100);
    // The limit is for each second: to start a hundred programs may take longer.
    expect(sent).toBeLessThanOrEqual(100 * (1 + Math.floor(durationMs / 1000)));
    expect(summary).toMatchObject(sent < 120 ? { received: 120, unanswered: 120 - sent } : { received: 120 });
    expect(readFileSync(count, 'utf8')).toHaveLength(sent);
  });

  testWithShell('runs at most as many programs as --rate-limit allows', async () => {
    const count = fresh();
    const args = ['--shell', '--exec', `cat; echo >>${count}`, '--rate-limit', '0.01/s', '-o', 'none'];
    await using running = start(['serve', ...args, '--stats', '--log-format', 'json']);
    await using peer = await silentServer();
    const [, address = ''] = await running.until(/"address":"([^"]+)"/, 'stderr');
    await sendAll(
      peer,
      address,
      Array.from({ length: 20 }, (_, index) => String(index)),
    );
    await peer.collect(1);
    running.kill();
    expect(logged(await running.outcome).at(-1)).toMatchObject({ received: 20, sent: 1, unanswered: 19 });
    expect(readFileSync(count, 'utf8')).toHaveLength(1);
  });
});

/** The report of the server after SIGUSR2. */
async function reported(running: ReturnType<typeof start>): Promise<{ readonly received: number }> {
  running.kill('SIGUSR2');
  const [, line = ''] = await running.until(/^(\{.*"rate":.*\})$/m, 'stderr');
  return JSON.parse(line) as { received: number };
}

describe('at its end, serve --exec', () => {
  testWithShell('lets running programs finish after a signal', async () => {
    const [begun, release] = [fresh(), fresh()];
    const line = `echo >${begun}; until [ -e ${release} ]; do sleep 0.05; done; cat`;
    await using running = start(['serve', '--shell', '--exec', line]);
    await using peer = await silentServer();
    await peer.send('late', await running.listening());
    await until(() => existsSync(begun));
    running.kill('SIGINT');
    writeFileSync(release, '');
    expect((await peer.collect(1))[0]?.data.toString()).toBe('late');
    expect((await running.outcome).status).toBe(0);
  });

  testWithProc.concurrent(
    'kills programs that run for longer than --exec-timeout after a signal, and starts no more',
    async () => {
      const begun = fresh();
      const line = `echo $$ >>${begun}; exec sleep 1000`;
      const args = ['--exec-timeout', '3s', '--exec-concurrency', '1', '--stats', '--log-format', 'json', '-o', 'none'];
      await using running = start(['serve', '--shell', '--exec', line, ...args]);
      await using peer = await silentServer();
      const [, address = ''] = await running.until(/"address":"([^"]+)"/, 'stderr');
      await sendAll(peer, address, ['1', '2', '3', '4', '5', '6']);
      await until(() => existsSync(begun));
      running.kill();
      const outcome = await running.outcome;
      expect(outcome.status).toBe(0);
      expect(logged(outcome).at(-1)).toMatchObject({ received: 6, sent: 0, unanswered: 6 });
      const pids = readFileSync(begun, 'utf8').trim().split('\n');
      expect(pids.length).toBeLessThan(5);
      expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
    },
  );

  testWithProc('kills everything at once at a second signal', async () => {
    const begun = fresh();
    const line = `echo $$ >${begun}; exec sleep 1000`;
    await using running = start(['serve', '--shell', '--exec', line, '--exec-timeout', '1h']);
    await using peer = await silentServer();
    await peer.send('', await running.listening());
    await until(() => existsSync(begun) && readFileSync(begun, 'utf8') !== '');
    running.kill('SIGINT');
    running.kill('SIGTERM');
    await running.outcome;
    await until(() => !lives(begun));
  });

  test('runs the programs of all datagrams of --count', async () => {
    await using running = start(['serve', '--exec', 'cat', '-c', '20', '--exec-concurrency', '2', '-o', 'none']);
    await using peer = await silentServer();
    await sendAll(
      peer,
      await running.listening(),
      Array.from({ length: 20 }, (_, index) => String(index)),
    );
    await peer.collect(20);
    expect((await running.outcome).status).toBe(0);
  });
});

describe('a command line of --exec that is wrong', () => {
  testWithShell.each([
    { args: ['--exec', 'cat', '--reply', 'x'], says: /--reply.*--exec/ },
    { args: ['--exec', 'cat', '--rules', 'x'], says: /--rules.*--exec/ },
    { args: ['--rules', 'x', '--reply-file', 'x'], says: /--reply-file.*--rules/ },
    { args: ['--exec', ''], says: /--exec.*no program/ },
    { args: ['--exec', '  ', '--shell'], says: /--exec.*no program/ },
    { args: ['--exec', 'cat "x'], says: /--exec.*quote.*"cat \\"x"/ },
    { args: ['--shell'], says: /--shell.*--exec/ },
    { args: ['--reply', 'x', '--exec-timeout', '1s'], says: /--exec-timeout.*--exec/ },
    { args: ['--exec-concurrency', '1'], says: /--exec-concurrency.*--exec/ },
    { args: ['--exec', 'cat', '--exec-timeout', '0'], says: /--exec-timeout/ },
    { args: ['--exec', 'cat', '--exec-concurrency', '0'], says: /--exec-concurrency/ },
  ])('is a usage error: $args', async ({ args, says }) => {
    const { status, stderr } = await udpcat(['serve', ...args]);
    expect(stderr).toMatch(says);
    expect(stderr.split('\n')).toHaveLength(2);
    expect(status).toBe(2);
  });

  test('is a local failure if there is no such program, before anything is bound', async () => {
    const outcome = await udpcat(['serve', '--exec', 'nosuchprogram --now']);
    expect(outcome).toMatchObject({
      status: 1,
      stderr: 'udpcat: cannot run nosuchprogram: no such program (ENOENT)\n',
    });
    const { status, stderr } = await udpcat(['serve', '--exec', '/etc/passwd']);
    expect({ status, stderr }).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/permission denied \(EACCES\)/),
    });
  });
});
