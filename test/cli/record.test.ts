import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ENGINE_NAMES } from '../support/engines.js';
import { flood, standStill } from '../support/flood.js';
import { startWithHosts, testInNamespaces } from '../support/namespaces.js';
import { testWith } from '../support/peers.js';
import { endsOf, readRecording, readWholeRecords, temporaryRecordings, textOf } from '../support/recordings.js';
import { drained, jsonLines, sendAll } from '../support/service.js';
import {
  answeringServer,
  closedAddress,
  echoServer,
  hostAndPort,
  silentServer,
  strayServer,
} from '../support/sockets.js';
import { start, udpcat } from '../support/in-process.js';
import { sideBySide } from '../support/side-by-side.js';
import { commandLine, quote, type Running, shell, terminal, start as startProcess } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithProc = testNeeding('proc');
const testWithShell = testNeeding('shell');

const recordings = temporaryRecordings();
const { folder } = recordings;
const fileFor = recordings.path.bind(recordings);

/** Reads a recording: a line `FROM > TO PAYLOAD` for each datagram. */
async function read(path: string): Promise<string[]> {
  return (await readRecording(path)).map((datagram) => `${endsOf(datagram)} ${textOf(datagram)}`);
}

const FORMATS = ['pcap', 'jsonl'] as const;
const CASES = FORMATS.flatMap((format) => ([4, 6] as const).map((family) => ({ format, family })));

/** Reads the ends of the datagrams, `FROM > TO`, of a recording whose last packet may have been cut off. */
async function readWhole(path: string): Promise<string[]> {
  return (await readWholeRecords(path)).map(endsOf);
}

describe.each(CASES)('--record as $format over IPv$family', ({ format, family }) => {
  const loopback = family === 4 ? '127.0.0.1' : '[::1]';

  test('has serve record requests and responses', async () => {
    const file = fileFor(format);
    await using server = start(['serve', `${loopback}:0`, '--reply', 'got it', '--record', file, '-c', '2']);
    const address = await server.listening();
    await using client = await silentServer(family);
    await client.send('one', address);
    await client.send('', address);
    await client.collect(2);
    expect(await server.outcome).toMatchObject({ status: 0 });
    const all = await read(file);
    expect(all.filter((line) => line.startsWith(`${client.address} > `))).toEqual([
      `${client.address} > ${address} one`,
      `${client.address} > ${address} `,
    ]);
    const response = `${address} > ${client.address} got it`;
    expect(all.filter((line) => line.startsWith(`${address} > `))).toEqual([response, response]);
  });

  test('has echo record both directions, and leaves the file whole after SIGTERM', async () => {
    const file = fileFor(format);
    await using server = start(['echo', `${loopback}:0`, '--record', file]);
    const address = await server.listening();
    await using client = await silentServer(family);
    await client.send('ping', address);
    await client.collect(1);
    server.kill('SIGTERM');
    expect(await server.outcome).toMatchObject({ status: 0 });
    expect(await read(file)).toEqual([`${client.address} > ${address} ping`, `${address} > ${client.address} ping`]);
  });

  sideBySide('has send record requests, retransmissions and replies', async () => {
    const file = fileFor(format);
    await using server = await answeringServer((_data, nth) => (nth === 0 ? [] : ['pong']), family);
    const args = ['send', server.address, 'ping', '--expect', 'pong', '--retry', '1', '-w', '4s', '--record', file];
    expect(await udpcat(args)).toMatchObject({ status: 0 });
    const [{ from: client }] = (await server.collect(1)) as unknown as [{ from: string }];
    expect(await read(file)).toEqual([
      `${client} > ${server.address} ping`,
      `${client} > ${server.address} ping`,
      `${server.address} > ${client} pong`,
    ]);
  });

  sideBySide('has send record strays', async () => {
    const file = fileFor(format);
    await using server = await strayServer(family, 'stray');
    expect(await udpcat(['send', server.address, 'ping', '-w', '3s', '--record', file])).toMatchObject({
      status: 6,
    });
    const [{ from: client }] = (await server.collect(1)) as unknown as [{ from: string }];
    expect(await read(file)).toEqual([
      `${client} > ${server.address} ping`,
      `${server.strayAddress} > ${client} stray`,
    ]);
  });

  test('keeps datagrams that were sent and refused', async () => {
    const file = fileFor(format);
    const address = await closedAddress(family);
    expect(await udpcat(['send', address, 'a', 'b', '--record', file])).toMatchObject({ status: 4 });
    expect((await read(file)).map((line) => line.split(' > ')[1])).toEqual([`${address} a`, `${address} b`]);
  });
});

testWithProc.each(FORMATS)('--record as %s keeps neither denied datagrams nor more than --count', async (format) => {
  const file = fileFor(format);
  const args = ['--deny', '127.0.0.2', '-c', '2', '--record', file];
  await using server = startProcess(['serve', '127.0.0.1:0', ...args]);
  const address = await server.listening();
  await using client = await silentServer();
  const { host, port } = hostAndPort(address);
  const denied = createSocket('udp4').bind(0, '127.0.0.2').unref();
  await once(denied, 'listening');
  // The server stands still until all datagrams have arrived, and then reads them in one batch.
  await standStill(server);
  denied.send('denied', port, host);
  await sendAll(client, address, ['one', 'two', 'three']);
  server.kill('SIGCONT');
  expect(await server.outcome).toMatchObject({ status: 0 });
  denied.close();
  expect((await read(file)).map((line) => line.split(' ').at(-1))).toEqual(['one', 'two']);
});

test.each(ENGINE_NAMES)(
  '--record by the %s engine has times of requests before those of their replies',
  async (engine) => {
    const file = fileFor('jsonl');
    await using server = await echoServer();
    await udpcat(['send', server.address, 'a', 'b', 'c', '-n', '3', '--engine', engine, '--record', file]);
    const lines = jsonLines(readFileSync(file));
    const timesOf = (wanted: string): unknown[] => lines.filter(({ dir }) => dir === wanted).map(({ time }) => time);
    const [asked] = timesOf('out').sort();
    const [replied] = timesOf('in').sort();
    expect(String(asked) <= String(replied)).toBe(true);
  },
);

testInNamespaces('--record has the address that is in use, when a name has several', async () => {
  const file = fileFor('pcap');
  await using server = await echoServer();
  const args = ['send', `twofold.test:${server.port}`, 'hello', '-n', '1', '--any-source', '--record', file];
  await using running = startWithHosts('::1 twofold.test\n127.0.0.1 twofold.test\n', args);
  running.stdin.end();
  expect(await running.outcome).toMatchObject({ status: 0 });
  const all = await read(file);
  const [{ from: client }] = (await server.collect(1)) as unknown as [{ from: string }];
  const { port } = hostAndPort(client);
  expect(all.map((line) => line.replace('0.0.0.0', '127.0.0.1')).slice(-2)).toEqual([
    `127.0.0.1:${port} > ${server.address} hello`,
    `${server.address} > 127.0.0.1:${port} hello`,
  ]);
});

test('--record as jsonl is the lines of -o json, with the direction', async () => {
  const file = fileFor('jsonl');
  await using server = await echoServer();
  const { stdout } = await udpcat(['send', server.address, 'hello', '-n', '1', '-o', 'json', '--record', file]);
  const [out, received] = jsonLines(readFileSync(file));
  expect(out).toMatchObject({ v: 1, type: 'datagram', dir: 'out', to: server.address, size: 5, data: 'hello' });
  expect(received).toEqual(jsonLines(stdout)[0]);
});

test.each(ENGINE_NAMES)(
  '--record on a wildcard address has the local address, if the %s engine knows it',
  async (engine) => {
    const [packets, lines] = [fileFor('pcap'), fileFor('jsonl')];
    for (const file of [packets, lines]) {
      await using server = start(['serve', '*:0', '--engine', engine, '--record', file, '-c', '1']);
      const [, port = ''] = /:(\d+)$/.exec(await server.listening()) ?? [];
      await using client = await silentServer(4);
      await client.send('x', `127.0.0.1:${port}`);
      await server.outcome;
      const bound = file === packets ? '0.0.0.0' : '[::]';
      const to = engine === 'node' ? bound : '127.0.0.1';
      expect(await read(file)).toEqual([`${client.address} > ${to}:${port} x`]);
    }
  },
);

describe('--record -', () => {
  testWith('tshark', 'is pcap on stdout, which tshark reads from the pipe', async () => {
    await using receiver = shell(
      `${commandLine(['serve', '127.0.0.1:0', '-c', '2', '--record', '-'])} | tshark -r - -T fields -e udp.length -e data.text 2>/dev/null`,
    );
    const address = await receiver.listening();
    await udpcat(['send', address, 'one', 'three']);
    expect((await receiver.outcome).stdout.toString().replaceAll('\t', ' ').trim().split('\n')).toHaveLength(2);
  });

  test('writes only the recording to stdout', async () => {
    await using server = start(['echo', '127.0.0.1:0', '-c', '1', '--record', '-']);
    const address = await server.listening();
    await udpcat(['send', address, 'ping', '-n', '1']);
    const { stdout, status } = await server.outcome;
    // The file header of 24 bytes, and two packets: each a record header of 16, IP and UDP headers of 28, and 4 bytes.
    expect(stdout.length).toBe(24 + 2 * (16 + 28 + 4));
    expect(status).toBe(0);
  });

  test.each([
    [['serve', '-o', 'json', '--record', '-'], 'either -o json or --record -'],
    [
      ['send', '127.0.0.1:9', 'x', '-n', '1', '-v', '--exit-code', 'nagios', '--record', '-'],
      'either --record - or --exit-code nagios',
    ],
  ])('with another output to stdout is a usage error: %j', async (args, message) => {
    const { stderr, status } = await udpcat(args);
    expect(stderr).toContain(message);
    expect([2, 3]).toContain(status);
  });

  test('to a terminal is a usage error', async () => {
    await using running = terminal(['serve', '--record', '-']);
    const { stdout, status } = await running.outcome;
    expect(stdout.toString()).toContain("option '--record -' would write packets to a terminal");
    expect(status).toBe(2);
  });

  test('counts datagrams that are lost because nobody reads, received and sent ones separately', async () => {
    await using server = startProcess(['echo', '127.0.0.1:0', '--record', '-', '--stats', '--log-format', 'json']);
    const [, line = ''] = await server.until(/^(.*)\n/, 'stderr');
    const { address } = JSON.parse(line) as { address: string };
    await using client = await silentServer();
    server.pauseStdout();
    await flood(client, address, 5000);
    server.kill('SIGINT');
    server.kill('SIGTERM');
    server.resumeStdout();
    const { stdout, stderr } = await server.outcome;
    const summary = jsonLines(stderr).find(({ durationMs }) => durationMs !== undefined) as unknown as {
      received: number;
      sent: number;
      unrecorded?: number;
      dropped: { output: number };
    };
    const file = fileFor('pcap');
    writeFileSync(file, stdout);
    const all = await readWhole(file);
    const sent = all.filter((one) => one.startsWith(`${address} > `)).length;
    expect(all.length - sent + summary.dropped.output).toBe(summary.received);
    expect(sent + (summary.unrecorded ?? 0)).toBe(summary.sent);
  });

  testWithProc('bounds the memory of strays that wait, and counts the dropped ones', async () => {
    await using server = await silentServer();
    await using stranger = await silentServer();
    const options = ['--engine', 'node', '-w', '1h', '--record', '-', '--stats', '--log-format', 'json'];
    await using running = startProcess(['send', server.address, 'x', ...options]);
    const [{ from: client }] = (await server.collect(1)) as unknown as [{ from: string }];
    running.pauseStdout();
    for (let count = 0; count < 500; count += 1) {
      await stranger.send(Buffer.alloc(60_000), client);
      // The kernel drops strays for which its buffer has no room. They must reach the command.
      if (count % 20 === 0) await drained(client);
    }
    await drained(client);
    running.kill('SIGTERM');
    running.resumeStdout();
    const { stdout, stderr } = await running.outcome;
    const summary = jsonLines(stderr).find(({ durationMs }) => durationMs !== undefined) as unknown as {
      strays: number;
      dropped: { output: number };
    };
    const file = fileFor('pcap');
    writeFileSync(file, stdout);
    const strays = (await readWhole(file)).filter((one) => one.startsWith(stranger.address)).length;
    expect(summary.dropped.output).toBeGreaterThan(0);
    expect(strays + summary.dropped.output).toBe(summary.strays);
  });

  testWithShell('ends with its reader', async () => {
    await using server = shell(`${commandLine(['serve', '127.0.0.1:0', '--record', '-'])} | head -c 24 | wc -c`);
    const address = await server.listening();
    await server.until('24');
    // The closed pipe is noticed with the next write.
    await udpcat(['send', address, 'x']);
    expect(await server.outcome).toMatchObject({ status: 0 });
  });
});

describe('--record to a file that cannot be written', () => {
  test.each(['dump.txt', 'pcap', '.pcap', 'x.pcap.gz', ''])('by its name, as "%s", is a usage error', async (name) => {
    const { stderr, status } = await udpcat(['serve', '--record', name]);
    expect(stderr).toContain('A recording is a file that ends in .pcap or .jsonl, or - for pcap on stdout.');
    expect(status).toBe(2);
  });

  test('is an error before anything is received', async () => {
    const { stderr, status } = await udpcat(['serve', '127.0.0.1:0', '--record', join(folder, 'nowhere', 'x.pcap')]);
    expect(stderr).toMatch(/^udpcat: cannot record to \S+x\.pcap: [^\n]+\n$/);
    expect(status).toBe(1);
  });

  testWithShell('because it is a pipe is an error, and does not wait for a reader', async () => {
    const pipe = join(folder, 'pipe.pcap');
    await using running = shell(`mkfifo ${quote(pipe)} && exec ${commandLine(['serve', '--record', pipe])}`);
    const { stderr, status } = await running.outcome;
    expect(stderr).toBe(`udpcat: cannot record to ${pipe}: it is no regular file; - records to stdout\n`);
    expect(status).toBe(1);
  });

  testInNamespaces('any more, because the disk is full, ends the run, and its records are whole', async () => {
    const send = commandLine([
      'send',
      '127.0.0.1:9',
      '--size',
      '1000',
      '-c',
      '1000',
      '--rate',
      'max',
      '--record',
      '/mnt/x.pcap',
    ]);
    const kept = join(folder, 'full.pcap');
    const line = `mount -t tmpfs -o size=64k none /mnt; ip link set lo up; ${send}; status=$?; cp /mnt/x.pcap ${quote(kept)}; exit $status`;
    await using running = shell(`exec unshare --net --mount bash -c ${quote(line)}`);
    const { stderr, status } = await running.outcome;
    expect(stderr).toBe('udpcat: cannot record to /mnt/x.pcap: the disk is full (ENOSPC)\n');
    expect(status).toBe(1);
    expect(existsSync(kept)).toBe(true);
    expect((await read(kept)).length).toBeGreaterThan(30);
  });

  /** Runs a shell command line with a small disk at /mnt. At the end /mnt/x.pcap is copied to `kept`. */
  function onSmallDisk(line: string, kept: string, kib = 64): Running {
    const script = `mount -t tmpfs -o size=${kib}k none /mnt; mount -t tmpfs none /run; ip link set lo up; ${line}; status=$?; cp /mnt/x.pcap ${quote(kept)}; exit $status`;
    return shell(`exec unshare --net --mount bash -c ${quote(script)}`);
  }
  const served = (...args: readonly string[]): string =>
    `${commandLine(['serve', '127.0.0.1:9', '--record', '/mnt/x.pcap', ...args])} 2>/run/err`;
  const listening = 'until grep -q listening /run/err 2>/dev/null; do read -rt 0.01 <> <(:); done';
  const many = (count: number): string =>
    commandLine(['send', '127.0.0.1:9', '--size', '1000', '-c', String(count), '--rate', 'max']);

  testInNamespaces('any more counts datagrams that were received and not written', async () => {
    const kept = fileFor('pcap');
    const line = `${served('-o', 'json')} & serve=$!; ${listening}; kill -STOP $serve; ${many(200)}; kill -CONT $serve; wait $serve; status=$?; cat /run/err >&2; (exit $status)`;
    await using running = onSmallDisk(line, kept);
    const { stdout, stderr, status } = await running.outcome;
    expect(stderr).toBe(
      'udpcat: listening on 127.0.0.1:9\nudpcat: cannot record to /mnt/x.pcap: the disk is full (ENOSPC)\n',
    );
    expect(status).toBe(1);
    const lines = jsonLines(stdout);
    const written = lines.filter(({ type }) => type === 'datagram').length;
    const { received, dropped } = lines.at(-1) as unknown as {
      received: number;
      dropped: { kernel: number; queue: number; output: number };
    };
    expect((await read(kept)).length).toBe(written);
    expect(dropped.output).toBeGreaterThan(0);
    expect(received).toBe(written + dropped.output);
    expect(received + dropped.kernel + dropped.queue).toBe(200);
  });

  testInNamespaces(
    'any more, in the middle of a large batch, has whole records, and the others are counted',
    async () => {
      const kept = fileFor('pcap');
      const much = served('-o', 'json', '--recv-buffer', '4Mi', '--queue-size', '2000');
      const line = `${much} & serve=$!; ${listening}; kill -STOP $serve; ${many(1000)}; kill -CONT $serve; wait $serve; status=$?; cat /run/err >&2; (exit $status)`;
      await using running = onSmallDisk(line, kept, 400);
      const { stdout, stderr, status } = await running.outcome;
      expect(stderr).toContain('udpcat: cannot record to /mnt/x.pcap: the disk is full (ENOSPC)\n');
      expect(status).toBe(1);
      const lines = jsonLines(stdout);
      const written = lines.filter(({ type }) => type === 'datagram').length;
      const { received, dropped } = lines.at(-1) as unknown as { received: number; dropped: { output: number } };
      expect((await read(kept)).length).toBe(written);
      expect(written).toBeGreaterThan(300);
      expect(received).toBe(written + dropped.output);
    },
  );

  testInNamespaces('any more, in the middle of a run, has whole records, and the others are counted', async () => {
    const kept = fileFor('pcap');
    // Without output, runs are recorded as they came.
    const much = served('-o', 'none', '--recv-buffer', '4Mi', '--stats', '--log-format', 'json');
    const line = `${much} & serve=$!; ${listening}; kill -STOP $serve; ${many(1000)}; kill -CONT $serve; wait $serve; status=$?; cat /run/err >&2; (exit $status)`;
    await using running = onSmallDisk(line, kept, 400);
    const { stderr, status } = await running.outcome;
    expect(stderr).toContain('cannot record to /mnt/x.pcap: the disk is full (ENOSPC)');
    expect(status).toBe(1);
    const { received, dropped } = JSON.parse(stderr.trim().split('\n').at(-1)!) as {
      received: number;
      dropped: { output: number };
    };
    const written = (await read(kept)).length;
    expect(written).toBeGreaterThan(300);
    expect(dropped.output).toBeGreaterThan(0);
    expect(received).toBe(written + dropped.output);
  });

  testInNamespaces('any more ends typing, too', async () => {
    const kept = fileFor('pcap');
    const typed = `{ until grep -q spoken /run/out 2>/dev/null; do read -rt 0.01 <> <(:); done; yes $(printf %0900d 0) | head -n 200; }`;
    const line = `${typed} | ${served('-i')} >/run/out & serve=$!; ${listening}; ${commandLine(['send', '127.0.0.1:9', 'spoken', '-w', '1h', '-n', '1000'])} & wait $serve; status=$?; kill $!; cat /run/err >&2; (exit $status)`;
    await using running = onSmallDisk(line, kept);
    const { stderr, status } = await running.outcome;
    expect(stderr).toBe(
      'udpcat: listening on 127.0.0.1:9\nudpcat: cannot record to /mnt/x.pcap: the disk is full (ENOSPC)\n',
    );
    expect(status).toBe(1);
    expect((await read(kept)).length).toBeGreaterThan(30);
  });

  const piped = (redirection: string): string =>
    `${commandLine(['serve', '127.0.0.1:9', '--record', '-'])} ${redirection} 2>/run/err`;
  /** Records to stdout until the disk is full. */
  const untilFull = (redirection: string, meanwhile = ':'): string =>
    `${piped(redirection)} & serve=$!; ${listening}; ${meanwhile}; ${many(200)}; wait $serve; status=$?; cat /run/err >&2; (exit $status)`;

  testInNamespaces('any more leaves a file that is stdout whole, and its earlier contents', async () => {
    const kept = fileFor('pcap');
    const before = 'what it held before';
    await using running = onSmallDisk(`printf ${quote(before)} >/mnt/x.pcap; ${untilFull('>>/mnt/x.pcap')}`, kept);
    const { stderr, status } = await running.outcome;
    expect(stderr).toBe(
      'udpcat: listening on 127.0.0.1:9\nudpcat: cannot write to stdout: the disk is full (ENOSPC)\n',
    );
    expect(status).toBe(1);
    const all = readFileSync(kept);
    expect(all.subarray(0, before.length).toString()).toBe(before);
    const recording = fileFor('pcap');
    writeFileSync(recording, all.subarray(before.length));
    expect((await read(recording)).length).toBeGreaterThan(30);
  });

  testInNamespaces('any more leaves a file that is stdout unchanged if another process has written to it', async () => {
    const kept = fileFor('pcap');
    await using running = onSmallDisk(untilFull('>>/mnt/x.pcap', 'echo other >>/mnt/x.pcap'), kept);
    expect(await running.outcome).toMatchObject({ status: 1 });
    const all = readFileSync(kept);
    expect(all.length).toBe(64 * 1024);
    expect(all.subarray(24, 30).toString()).toBe('other\n');
  });
});
