import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { ENGINE_NAMES, testWithLinuxEngine } from '../support/engines.js';
import { testInNamespaces } from '../support/namespaces.js';
import { drained, jsonLines, kernelSocket, logLines, sendAll } from '../support/service.js';
import { silentServer } from '../support/sockets.js';
import { commandLine, quote, type Running, shell, start } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithProc = testNeeding('proc');
const testWithShell = testNeeding('shell');

/** Payloads of the given size, each its number in decimal digits. */
function numbered(count: number, size: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => String(from + index).padStart(size, '0'));
}

/** The numbers at the beginning of the lines of an output. */
function numbersIn(stdout: Uint8Array): number[] {
  return Buffer.from(stdout).toString().split('\n').slice(0, -1).map(Number);
}

/** More bytes than a pipe and its two ends hold. */
const FILLING = numbered(200, 8000);

/** Fills the pipe of a command whose reader has stopped. Resolves when the command has taken all of the filling. */
async function fill(running: Running, send: (payloads: readonly string[]) => Promise<void>): Promise<string> {
  const address = await running.listening();
  running.pauseStdout();
  await send(FILLING);
  await drained(address);
  return address;
}

describe('a slow reader of stdout', () => {
  testWithProc('loses nothing if the queue can hold it', async () => {
    await using running = start(['serve', '--queue-size', '3000', '--stats', '-c', '2200']);
    await using peer = await silentServer();
    const address = await fill(running, async (payloads) => sendAll(peer, await running.listening(), payloads));
    await sendAll(peer, address, numbered(2000, 20, 200));
    await drained(address);
    running.resumeStdout();
    const { stdout, stderr, status } = await running.outcome;
    expect(numbersIn(stdout)).toEqual(Array.from({ length: 2200 }, (_, index) => index));
    expect(status).toBe(0);
    expect(stderr).toMatch(/2200 received, 0 sent in/);
  });

  testWithProc(
    'causes drops that the node engine counts: written and dropped datagrams add up to the sent ones',
    async () => {
      await using running = start(['serve', '--engine', 'node', '--queue-size', '100', '-o', 'json']);
      await using peer = await silentServer();
      const address = await fill(running, async (payloads) => sendAll(peer, await running.listening(), payloads));
      await sendAll(peer, address, numbered(2000, 20, 200));
      await drained(address);
      const { drops: kernel } = kernelSocket(address);
      running.kill('SIGTERM');
      running.resumeStdout();
      const { stdout, stderr, status } = await running.outcome;
      const lines = jsonLines(stdout);
      const written = lines.filter(({ type }) => type === 'datagram').length;
      const told = lines.filter(({ type }) => type === 'drop').reduce((sum, { count }) => sum + Number(count), 0);
      const { dropped, received } = lines.at(-1) as { dropped?: { queue: number; output: number }; received?: number };
      expect(status).toBe(0);
      expect(dropped?.queue).toBeGreaterThan(0);
      expect(dropped).toMatchObject({ queue: told, output: 0 });
      expect(received).toBe(written);
      expect(written + told + kernel).toBe(2200);
      expect(stderr).toMatch(/the queue of 100 is full/);
    },
  );

  testWithLinuxEngine(
    'has what the queue has no room for wait in the kernel, from where it comes in order',
    async () => {
      await using running = start(['serve', '--engine', 'linux', '--queue-size', '100', '-c', '2200', '-o', 'json']);
      await using peer = await silentServer();
      const address = await running.listening();
      running.pauseStdout();
      await sendAll(peer, address, FILLING);
      await sendAll(peer, address, numbered(2000, 20, 200));
      running.resumeStdout();
      const { stdout, status } = await running.outcome;
      const lines = jsonLines(stdout);
      expect(status).toBe(0);
      expect(lines.filter(({ type }) => type === 'datagram').map(({ data }) => Number(data))).toEqual(
        Array.from({ length: 2200 }, (_, index) => index),
      );
      expect(lines.at(-1)).toMatchObject({ dropped: { kernel: 0, queue: 0, output: 0 } });
    },
  );

  testWithProc('and a full kernel buffer lose only datagrams that are counted', async () => {
    await using running = start(['serve', '--recv-buffer', '8k', '-o', 'json']);
    await using peer = await silentServer();
    const address = await running.listening();
    running.kill('SIGSTOP');
    while (!/\) T /.test(readFileSync(`/proc/${running.pid}/stat`, 'utf8'))) await delay(1);
    await sendAll(peer, address, numbered(500, 20));
    running.kill('SIGCONT');
    await drained(address);
    const { drops: kernel } = kernelSocket(address);
    running.kill('SIGTERM');
    const lines = jsonLines((await running.outcome).stdout);
    const written = lines.filter(({ type }) => type === 'datagram').length;
    expect(kernel).toBeGreaterThan(0);
    expect(written + kernel).toBe(500);
    expect(lines.at(-1)).toMatchObject({ received: written, dropped: { kernel, queue: 0, output: 0 } });
  });

  testWithProc.each(ENGINE_NAMES)('does not make the memory grow with the %s engine', async (engine) => {
    const bytes = 64 * 1024;
    const payload = Buffer.alloc(bytes - 1000, 'x');
    await using running = start(['serve', '--engine', engine, '-o', 'raw', '--queue-size', '50']);
    await using peer = await silentServer();
    const address = await running.listening();
    running.pauseStdout();
    const residentKiB = (): number =>
      Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${running.pid}/status`, 'utf8'))?.[1]);
    for (let round = 0; round < 80; round += 1) {
      await sendAll(
        peer,
        address,
        Array.from({ length: 50 }, () => payload),
      );
      // The linux engine leaves datagrams in the kernel, whose buffer is bounded.
      if (engine === 'node') await drained(address);
    }
    // 4000 datagrams of 64 KB were sent. 50 may wait in the queue, and as many in the writer.
    expect(residentKiB()).toBeLessThan(160 * 1024);
  });

  test('that closes stdout ends the command at its next write, with status 0', async () => {
    await using running = start(['serve']);
    await using peer = await silentServer();
    const address = await running.listening();
    await peer.send('first', address);
    await running.until('first');
    const closed = once(running.stdout, 'close');
    running.stdout.destroy();
    await closed;
    await peer.send('second', address);
    expect(await running.outcome).toMatchObject({ status: 0, signal: null });
  });

  testWithShell('as head -2 ends the command, with status 0', async () => {
    await using running = shell(`${commandLine(['serve', '-o', 'hex'])} | head -2; echo "status \${PIPESTATUS[0]}"`, {
      program: 'bash',
    });
    await using peer = await silentServer();
    const address = await running.listening();
    const ended = running.outcome.then(() => true);
    // The first write after the end of head ends the command. No event tells the end of head.
    do await peer.send('x', address);
    while (!(await Promise.race([ended, delay(10, false)])));
    expect((await running.outcome).stdout.toString()).toBe('78\n78\nstatus 0\n');
  });

  test('that has closed stdout turns the remaining datagrams into output drops', async () => {
    await using running = start(['serve', '--stats', '--log-format', 'json']);
    await using peer = await silentServer();
    const [, line = ''] = await running.until(/^(.*)\n/, 'stderr');
    const { address } = JSON.parse(line) as { address: string };
    const closed = once(running.stdout, 'close');
    running.stdout.destroy();
    await closed;
    await peer.send('x', address);
    const { stderr } = await running.outcome;
    expect(jsonLines(stderr).at(-1)).toMatchObject({ received: 1, dropped: { queue: 0, output: 1 } });
  });
});

describe('a full disk', () => {
  testWithShell.each(['utf8', 'raw', 'json'])('is one line and status 1, with -o %s', async (format) => {
    await using running = shell(`exec ${commandLine(['serve', '-o', format])} >/dev/full`);
    await using peer = await silentServer();
    await peer.send('x', await running.listening());
    const outcome = await running.outcome;
    expect(outcome.status).toBe(1);
    expect(logLines(outcome)).toEqual([
      expect.stringMatching(/^udpcat: listening on /),
      expect.stringMatching(/^udpcat: cannot write to stdout: .*(ENOSPC|no space left)/),
    ]);
  });
});

describe('a datagram socket as stdout', () => {
  testWithShell('is written to', async () => {
    await using reader = await silentServer();
    const stdout = `/dev/udp/127.0.0.1/${reader.port}`;
    await using running = shell(`exec ${commandLine(['serve', '-c', '1'])} >${stdout}`, { program: 'bash' });
    await using peer = await silentServer();
    await peer.send('x', await running.listening());
    expect((await reader.collect(1))[0]?.data.toString()).toBe('x\n');
    expect(await running.outcome).toMatchObject({ status: 0 });
  });
});

describe('a disk that has room for 64 KiB', () => {
  /** Runs serve with stdout as a file on that disk, and sends a datagram of this size. Returns the size of the file, too. */
  async function servedThere(args: readonly string[], bytes: number) {
    const serve = commandLine(['serve', ...args, '-c', '1']);
    const script = `mount -t tmpfs -o size=64k none /mnt && cd /mnt || exit; ${serve} >out; echo "status $? size $(wc -c <out)"`;
    await using running = shell(`exec unshare --mount sh -c ${quote(script)}`);
    await using peer = await silentServer(6);
    await peer.send(Buffer.alloc(bytes, 'x'), await running.listening());
    const outcome = await running.outcome;
    return { said: outcome.stdout.toString(), lines: logLines(outcome).slice(1) };
  }
  const failure: unknown = expect.stringMatching(/^udpcat: cannot write to stdout: .*(ENOSPC|no space left)/);

  testInNamespaces('takes a datagram that fits', async () => {
    const { said, lines } = await servedThere(['-6', '-o', 'raw'], 65_000);
    expect({ said, lines }).toEqual({ said: 'status 0 size 65000\n', lines: [] });
  });

  testInNamespaces('does not cut a datagram silently: that is one line and status 1', async () => {
    const { said, lines } = await servedThere(['-6', '-o', 'hex'], 65_000);
    expect({ said, lines }).toEqual({ said: 'status 1 size 65536\n', lines: [failure] });
  });

  testInNamespaces('does not cut the summary silently', async () => {
    const { said, lines } = await servedThere(['-6', '-o', 'json'], 65_200);
    expect({ said, lines }).toEqual({ said: 'status 1 size 65536\n', lines: [failure] });
  });
});

describe('the end by a signal', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)(
    '%s ends it with status 0, and the summary is the last line',
    async (signal) => {
      await using running = start(['serve', '-o', 'json']);
      await using peer = await silentServer();
      await peer.send('x', await running.listening());
      await running.until('"data":"x"');
      running.kill(signal);
      const { stdout, status, signal: by } = await running.outcome;
      expect({ status, by }).toEqual({ status: 0, by: null });
      expect(jsonLines(stdout).at(-1)).toMatchObject({ type: 'summary', received: 1 });
    },
  );

  testWithProc.each(['SIGINT', 'SIGTERM'] as const)(
    '%s ends it after everything that has arrived was written',
    async (signal) => {
      await using running = start(['serve', '--queue-size', '3000', '--stats']);
      await using peer = await silentServer();
      const address = await fill(running, async (payloads) => sendAll(peer, await running.listening(), payloads));
      await sendAll(peer, address, numbered(1000, 20, 200));
      await drained(address);
      running.kill(signal);
      running.resumeStdout();
      const { stdout, status } = await running.outcome;
      expect(numbersIn(stdout)).toEqual(Array.from({ length: 1200 }, (_, index) => index));
      expect(status).toBe(0);
    },
  );

  test('SIGUSR1 neither opens a debugger nor ends the command', async () => {
    await using running = start(['serve', '-c', '1']);
    const address = await running.listening();
    running.kill('SIGUSR1');
    await using peer = await silentServer();
    await peer.send('x', address);
    expect(await running.outcome).toMatchObject({ status: 0, stderr: `udpcat: listening on ${address}\n` });
  });

  testWithProc('a second signal ends it at once, and the remaining datagrams count as output drops', async () => {
    await using running = start(['serve', '--queue-size', '3000', '--stats', '--log-format', 'json']);
    const [, line = ''] = await running.until(/^(.*)\n/, 'stderr');
    const { address } = JSON.parse(line) as { address: string };
    await using peer = await silentServer();
    running.pauseStdout();
    await sendAll(peer, address, FILLING);
    await sendAll(peer, address, numbered(1000, 20, 200));
    await drained(address);
    // Two different signals: two equal ones would become one if the first were not handled yet.
    running.kill('SIGTERM');
    running.kill('SIGINT');
    await running.until('"durationMs"', 'stderr');
    running.resumeStdout();
    const { stdout, stderr, status } = await running.outcome;
    expect(status).toBe(0);
    const { received, dropped } = jsonLines(stderr).at(-1) as { received?: number; dropped?: { output: number } };
    const written = Buffer.from(stdout).toString().split('\n').slice(0, -1);
    expect(received).toBe(1200);
    expect(dropped?.output).toBeGreaterThanOrEqual(1000);
    expect(written.length + (dropped?.output ?? 0)).toBe(1200);
    expect(written.map(Number)).toEqual(written.map((_, index) => index));
  });

  testWithProc('echo first responds to everything that has arrived', async () => {
    await using running = start(['echo', '-o', 'utf8', '--queue-size', '3000', '--stats']);
    await using peer = await silentServer();
    const address = await fill(running, async (payloads) => sendAll(peer, await running.listening(), payloads));
    await sendAll(peer, address, numbered(500, 20, 200));
    await drained(address);
    running.kill('SIGTERM');
    running.resumeStdout();
    const { stdout, stderr, status } = await running.outcome;
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringMatching(/700 received, 700 sent in/) });
    expect(numbersIn(stdout)).toHaveLength(700);
    expect((await peer.collect(700)).map(({ data }) => Number(data.toString()))).toEqual(
      Array.from({ length: 700 }, (_, index) => index),
    );
  });
});
