/** Every datagram that was sent is written or counted as dropped. */
import { once } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import { ENGINE_NAMES, testWithLinuxEngine } from '../support/engines.js';
import { flood, FLOOD_BYTES, standStill } from '../support/flood.js';
import { testInNamespaces, shellInNetwork } from '../support/namespaces.js';
import { drained, jsonLines, kernelSocket, sendAll } from '../support/service.js';
import { answeringServer, type Family, silentServer } from '../support/sockets.js';
import { commandLine, type Outcome, quote, type Running, start, udpcat } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithProc = testNeeding('proc');

/** Runs `send` with a small receive buffer, and stops it while many replies come. Returns how it ended. */
async function overwhelmed(replies: number, args: readonly string[]): Promise<Outcome> {
  await using server = await silentServer();
  const options = ['-n', 'all', '-w', '4s', '--recv-buffer', '8k', '--fail-on-drop', ...args];
  await using running = start(['send', server.address, 'x', ...options]);
  const [question] = await server.collect(1);
  await standStill(running);
  await sendAll(server, question!.from, Array.from({ length: replies }, String));
  running.kill('SIGCONT');
  return await running.outcome;
}

interface Dropped {
  readonly kernel: number;
  readonly queue: number;
  readonly output: number;
}

/** The part of a summary about dropped datagrams. */
interface Account {
  readonly dropped: Dropped;
  readonly kernelIsLowerBound?: boolean;
}

/** More datagrams than fit the kernel's receive buffer of 4 MiB. */
const MANY = 20_000;

/** Options of engines that count the kernel's drops exactly. */
const EXACT_ENGINES = ENGINE_NAMES.map((name) =>
  name === 'linux' ? ['--engine', name, '--exact-drops'] : ['--engine', name],
);

const loopback = (family: Family): string => (family === 6 ? '[::1]:0' : '127.0.0.1:0');

/** Reads the output of `-o json`: its datagrams, and the dropped ones in its summary. Checks that they agree. */
function accountOf({ stdout }: Outcome): { readonly written: number; readonly dropped: Dropped; readonly sum: number } {
  const lines = jsonLines(stdout);
  const written = lines.filter(({ type }) => type === 'datagram').length;
  const { received, dropped } = lines.at(-1) as unknown as { received: number; dropped: Dropped };
  const told = (place: string): number =>
    lines
      .filter(({ type, where }) => type === 'drop' && where === place)
      .reduce((sum, { count }) => sum + Number(count), 0);
  expect({ kernel: told('kernel'), queue: told('queue'), output: told('output') }).toEqual(dropped);
  expect(received).toBe(written + dropped.output);
  return { written, dropped, sum: written + dropped.kernel + dropped.queue + dropped.output };
}

/** Returns the summary of `--stats --log-format json`. */
function summaryOf({ stderr }: Outcome): { readonly received: number; readonly dropped: Dropped } {
  const line = jsonLines(stderr).find(({ durationMs }) => durationMs !== undefined);
  return line as unknown as { received: number; dropped: Dropped };
}

/** Returns the whole lines of a flood in an output. Checks that each is a line that was sent. */
function numbersIn(stdout: Uint8Array): number[] {
  const lines = Buffer.from(stdout).toString().split('\n').slice(0, -1);
  for (const line of lines) expect(line).toMatch(new RegExp(`^\\d{${FLOOD_BYTES}}$`));
  return lines.map(Number);
}

/** Returns the address in the first line of `--log-format json`. */
async function listeningAddress(running: Running): Promise<string> {
  const [, line = ''] = await running.until(/^(.*)\n/, 'stderr');
  return (JSON.parse(line) as { address: string }).address;
}

/** Starts a server whose stdout nobody reads, and floods it until it has taken all datagrams from the kernel. */
async function startFilled(family: Family): Promise<Running> {
  const options = ['--stats', '--log-format', 'json', '--queue-size', '30000'];
  const running = start(['serve', loopback(family), ...options]);
  await using peer = await silentServer(family);
  const address = await listeningAddress(running);
  running.pauseStdout();
  await flood(peer, address, MANY);
  await drained(address);
  return running;
}

describe.each([4, 6] as const)('serve on IPv%i accounts for every datagram', (family) => {
  test.each([
    { rate: 10_000, count: 5000, options: [] },
    { rate: 50_000, count: 10_000, options: [] },
    { rate: Infinity, count: 30_000, options: [] },
    { rate: Infinity, count: 10_000, options: ['--recv-buffer', '8k'] },
    { rate: Infinity, count: 10_000, options: ['--queue-size', '1'] },
  ])('of $count at $rate a second with $options, to a fast reader', async ({ rate, count, options }) => {
    for (const engine of EXACT_ENGINES) {
      await using running = start(['serve', loopback(family), '-o', 'json', ...engine, ...options]);
      await using peer = await silentServer(family);
      await flood(peer, await running.listening(), count, rate);
      running.kill('SIGTERM');
      const outcome = await running.outcome;
      expect(outcome.status).toBe(0);
      expect(accountOf(outcome).sum).toBe(count);
    }
  });

  testWithProc.each([
    { policy: 'drop-newest', size: 1024, status: 0 },
    { policy: 'drop-newest', size: 10, status: 0 },
    { policy: 'drop-oldest', size: 10, status: 0 },
    { policy: 'fail', size: 10, status: 7 },
  ])('with a queue of $size and $policy, to a slow reader, by the node engine', async ({ policy, size, status }) => {
    const options = ['--engine', 'node', '--queue-size', String(size), '--overflow', policy];
    await using running = start(['serve', loopback(family), '-o', 'json', ...options]);
    await using peer = await silentServer(family);
    const address = await running.listening();
    running.pauseStdout();
    await flood(peer, address, MANY);
    await drained(address);
    running.kill('SIGTERM');
    running.resumeStdout();
    const outcome = await running.outcome;
    const { dropped, sum } = accountOf(outcome);
    expect(outcome.status).toBe(status);
    expect(dropped.queue).toBeGreaterThan(0);
    expect(sum).toBe(MANY);
  });

  testWithLinuxEngine('to a slow reader, by the linux engine, which leaves the rest in the kernel', async () => {
    const options = ['--engine', 'linux', '--exact-drops', '--queue-size', '10'];
    await using running = start(['serve', loopback(family), '-o', 'json', ...options]);
    await using peer = await silentServer(family);
    const address = await running.listening();
    running.pauseStdout();
    await flood(peer, address, MANY);
    running.kill('SIGTERM');
    running.resumeStdout();
    const outcome = await running.outcome;
    const { dropped, sum } = accountOf(outcome);
    expect(outcome.status).toBe(0);
    expect(dropped).toMatchObject({ queue: 0, output: 0 });
    expect(dropped.kernel).toBeGreaterThan(0);
    expect(sum).toBe(MANY);
  });

  testWithProc('when its reader closes stdout', async () => {
    await using running = await startFilled(family);
    const closed = once(running.stdout, 'close');
    running.stdout.destroy();
    await closed;
    const outcome = await running.outcome;
    const { received, dropped } = summaryOf(outcome);
    expect(outcome.status).toBe(0);
    expect(dropped.output).toBeGreaterThan(0);
    expect(received + dropped.kernel + dropped.queue).toBe(MANY);
    expect(numbersIn(outcome.stdout).length).toBeLessThanOrEqual(received - dropped.output);
  });

  testWithProc('when a signal ends it while the buffer of the kernel is full', async () => {
    await using running = start(['serve', loopback(family), '-o', 'json']);
    await using peer = await silentServer(family);
    const address = await running.listening();
    await standStill(running);
    await flood(peer, address, MANY);
    const { drops } = kernelSocket(address);
    running.kill('SIGTERM');
    running.kill('SIGCONT');
    const { dropped, sum } = accountOf(await running.outcome);
    expect(drops).toBeGreaterThan(0);
    expect(dropped.kernel).toBe(drops);
    expect(sum).toBe(MANY);
  });

  testWithProc('when a second signal makes it give up waiting datagrams', async () => {
    await using running = await startFilled(family);
    // Two different signals: a second one of the same kind is lost while the first is pending.
    running.kill('SIGTERM');
    running.kill('SIGINT');
    await running.until('"durationMs"', 'stderr');
    running.resumeStdout();
    const outcome = await running.outcome;
    const { received, dropped } = summaryOf(outcome);
    const written = numbersIn(outcome.stdout);
    expect(dropped.output).toBeGreaterThan(0);
    expect(written.length + dropped.output).toBe(received);
    expect(received + dropped.kernel + dropped.queue).toBe(MANY);
    // The kernel may have dropped some of them. The others are in order.
    expect(written).toEqual(written.toSorted((a, b) => a - b));
  });
});

testInNamespaces('serve accounts for every datagram when the disk is full', async () => {
  const serve = commandLine(['serve', '127.0.0.1:7000', '--stats', '--log-format', 'json']);
  const script = `mount -t tmpfs -o size=64k none /mnt && cd /mnt || exit
    ${serve} >out & pid=$!
    until grep -q :1B58 /proc/net/udp; do sleep 0.01; done
    kill -STOP $pid; for n in {1..400}; do printf '%0500d' $n >/dev/udp/127.0.0.1/7000; done; kill -CONT $pid
    wait $pid; echo "status $?"`;
  const outcome = await shellInNetwork(`exec unshare --mount bash -c ${quote(script)}`).outcome;
  const { received, dropped } = summaryOf(outcome);
  expect(outcome.stdout.toString()).toBe('status 1\n');
  expect(received + dropped.kernel + dropped.queue).toBe(400);
  // The disk has room for 130 lines and a part of another.
  expect(Math.floor((64 * 1024) / 501) + dropped.output).toBe(received);
});

describe("the kernel's drops", () => {
  testWithProc('are reported while serve runs: by an event each time there are more, and by one warning', async () => {
    await using running = start(['serve', '-o', 'json', '--recv-buffer', '8k', '--stats']);
    await using peer = await silentServer();
    const address = await running.listening();
    for (let nth = 1; nth <= 2; nth += 1) {
      await standStill(running);
      await flood(peer, address, 500);
      running.kill('SIGCONT');
      await running.until(RegExp(`("type":"drop".*"where":"kernel".*[^]*){${nth}}`));
    }
    const { drops } = kernelSocket(address);
    running.kill('SIGTERM');
    const outcome = await running.outcome;
    expect(outcome.status).toBe(0);
    expect(accountOf(outcome)).toMatchObject({ sum: 1000, dropped: { kernel: drops } });
    expect(
      outcome.stderr.match(/the kernel's receive buffer is full, and datagrams are dropped \(--recv-buffer\)/g),
    ).toHaveLength(1);
    expect(outcome.stderr).toMatch(RegExp(`, (at least )?${drops} dropped by the kernel in `));
  });

  testWithProc('are reported at the end of a short run, even without a summary', async () => {
    await using running = start(['serve', '-c', '2', '--recv-buffer', '8k']);
    await using peer = await silentServer();
    const address = await running.listening();
    await standStill(running);
    await flood(peer, address, 500);
    running.kill('SIGCONT');
    expect(await running.outcome).toMatchObject({ status: 0, stderr: expect.stringMatching(/\(--recv-buffer\)\n$/) });
  });

  testWithLinuxEngine('are a lower bound with the linux engine, except with --exact-drops', async () => {
    for (const [options, isLowerBound] of [
      [['--engine', 'linux'], true],
      [['--engine', 'linux', '--exact-drops'], undefined],
      [['--engine', 'node'], undefined],
    ] as const) {
      await using running = start(['serve', '-o', 'json', '--recv-buffer', '8k', '--stats', ...options]);
      await using peer = await silentServer();
      const address = await running.listening();
      await standStill(running);
      await flood(peer, address, 500);
      running.kill('SIGTERM');
      running.kill('SIGCONT');
      const outcome = await running.outcome;
      const { dropped, kernelIsLowerBound } = jsonLines(outcome.stdout).at(-1) as unknown as Account;
      expect(kernelIsLowerBound).toBe(isLowerBound);
      const atLeast = isLowerBound === true ? 'at least ' : '';
      expect(outcome.stderr).toContain(`, ${atLeast}${dropped.kernel} dropped by the kernel in `);
    }
  });

  testInNamespaces('are those of the network that serve runs in', async () => {
    const serve = commandLine(['serve', '127.0.0.1:7000', '--recv-buffer', '8k', '-o', 'json']);
    const script = `${serve} & pid=$!
      until grep -q :1B58 /proc/net/udp; do sleep 0.01; done
      kill -STOP $pid; for n in $(seq 300); do echo $n >/dev/udp/127.0.0.1/7000; done; kill -TERM $pid; kill -CONT $pid; wait $pid`;
    const outcome = await shellInNetwork(`{ ${script}; }`).outcome;
    expect(outcome.status).toBe(0);
    const { sum, dropped } = accountOf(outcome);
    expect(dropped.kernel).toBeGreaterThan(0);
    expect(sum).toBe(300);
  });

  test('are null for a send that waits for no reply', async () => {
    await using server = await silentServer();
    const { stdout } = await udpcat(['send', server.address, 'x', '-o', 'json']);
    expect(jsonLines(stdout).at(-1)).toMatchObject({ dropped: { kernel: null, queue: 0, output: 0 } });
  });

  testWithProc.concurrent('of a send that waits for replies are counted, datagrams of strangers included', async () => {
    const replies = 300;
    const outcome = await overwhelmed(replies, ['-o', 'json']);
    const { sum, dropped } = accountOf(outcome);
    expect(dropped.kernel).toBeGreaterThan(0);
    expect(sum).toBe(replies);
    expect(outcome).toMatchObject({
      status: 7,
      stderr: expect.stringMatching(
        RegExp(`^udpcat: (at least )?${dropped.kernel} dropped by the kernel \\(--fail-on-drop\\)$`, 'm'),
      ),
    });
  });
});

describe('--fail-on-drop', () => {
  /** Ends a command that was stopped and flooded, or whose stdout nobody read. */
  async function flooded(args: readonly string[], { still }: { readonly still: boolean }): Promise<Outcome> {
    await using running = start(args);
    await using peer = await silentServer();
    const address = await running.listening();
    if (still) await standStill(running);
    else running.pauseStdout();
    await flood(peer, address, still ? 300 : MANY);
    running.kill('SIGCONT');
    await drained(address);
    running.kill('SIGTERM');
    running.resumeStdout();
    return await running.outcome;
  }

  testWithProc.each(['serve', 'echo'])(
    'makes the status of %s 7 when the kernel dropped datagrams',
    async (command) => {
      const { status, stderr } = await flooded([command, '--fail-on-drop', '--recv-buffer', '8k'], { still: true });
      expect({ status, stderr }).toEqual({
        status: 7,
        stderr: expect.stringMatching(/^udpcat: (at least )?\d+ dropped by the kernel \(--fail-on-drop\)$/m),
      });
    },
  );

  testWithProc.each(['serve', 'echo'])('makes the status of %s 7 when the queue dropped datagrams', async (command) => {
    const args = [command, '--engine', 'node', '-o', 'json', '--fail-on-drop', '--queue-size', '10'];
    const { status, stderr } = await flooded(args, { still: false });
    expect({ status, stderr }).toEqual({
      status: 7,
      stderr: expect.stringMatching(/^udpcat: .*\d+ dropped by the full queue \(--fail-on-drop\)$/m),
    });
  });

  test('makes it 7 when the output dropped datagrams', async () => {
    await using running = start(['serve', '--fail-on-drop']);
    await using peer = await silentServer();
    const address = await running.listening();
    const closed = once(running.stdout, 'close');
    running.stdout.destroy();
    await closed;
    await peer.send('x', address);
    const { status, stderr } = await running.outcome;
    expect({ status, stderr }).toEqual({
      status: 7,
      stderr: expect.stringMatching(/^udpcat: 1 dropped by the output \(--fail-on-drop\)$/m),
    });
  });

  testWithProc.concurrent('does not change other exit statuses', async () => {
    const args = ['serve', '--fail-on-drop', '--recv-buffer', '8k', '-c', '1000', '--idle', '6s'];
    await using running = start(args);
    await using peer = await silentServer();
    const address = await running.listening();
    await standStill(running);
    await flood(peer, address, 500);
    running.kill('SIGCONT');
    expect(await running.outcome).toMatchObject({ status: 3 });
  });

  test('changes nothing when nothing was dropped', async () => {
    await using server = await answeringServer(['pong']);
    const sent = await udpcat(['send', server.address, 'ping', '--expect', 'pong', '--fail-on-drop']);
    expect(sent).toMatchObject({ status: 0, stderr: '' });
    const oneWay = await udpcat(['send', server.address, 'ping', '--fail-on-drop']);
    expect(oneWay).toMatchObject({ status: 0, stderr: '' });
  });

  testWithProc.concurrent('speaks to Docker and Nagios', async () => {
    for (const [numbering, status] of [
      ['docker', 1],
      ['nagios', 2],
    ] as const) {
      const outcome = await overwhelmed(300, ['-o', 'none', '--exit-code', numbering]);
      expect(outcome.status).toBe(status);
      if (numbering === 'nagios')
        expect(outcome.stdout.toString()).toMatch(/^UDPCAT CRITICAL - (at least )?\d+ dropped by the kernel/);
    }
  });
});
