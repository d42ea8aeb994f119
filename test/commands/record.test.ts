import { createReadStream, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { readCapture } from '../../src/capture/reader.js';
import { formatEndpoint } from '../../src/net/index.js';
import { ENGINE_NAMES } from '../support/engines.js';
import { testInNamespaces } from '../support/namespaces.js';
import { testWith } from '../support/peers.js';
import { jsonLines } from '../support/service.js';
import { answeringServer, closedAddress, echoServer, silentServer, strayServer } from '../support/sockets.js';
import { commandLine, quote, shell, start, terminal, udpcat } from '../support/udpcat.js';

const folder = mkdtempSync(join(tmpdir(), 'udpcat-record-'));
let files = 0;

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A new file of the folder. */
function fileFor(format: string): string {
  files += 1;
  return join(folder, `${files}.${format}`);
}

/** What a recording holds: from whom, to whom, and the payload. */
async function read(path: string): Promise<string[]> {
  const found: string[] = [];
  for await (const batch of readCapture(createReadStream(path))) {
    for (const { source, destination, data } of batch)
      found.push(`${formatEndpoint(source)} > ${formatEndpoint(destination)} ${Buffer.from(data).toString()}`);
  }
  return found;
}

const FORMATS = ['pcap', 'jsonl'] as const;
const CASES = FORMATS.flatMap((format) => ([4, 6] as const).map((family) => ({ format, family })));

describe.each(CASES)('--record as $format over IPv$family', ({ format, family }) => {
  const loopback = family === 4 ? '127.0.0.1' : '[::1]';

  test('has serve keep what it received and what it answered', async () => {
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
    const answer = `${address} > ${client.address} got it`;
    expect(all.filter((line) => line.startsWith(`${address} > `))).toEqual([answer, answer]);
  });

  test('has echo keep both directions, and is whole after SIGTERM', async () => {
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

  test('has send keep what it sent, the retransmissions too, and what came back', async () => {
    const file = fileFor(format);
    await using server = await answeringServer((_data, nth) => (nth === 0 ? [] : ['pong']), family);
    const args = ['send', server.address, 'ping', '--expect', 'pong', '--retry', '1', '-w', '600ms', '--record', file];
    expect(await udpcat(args)).toMatchObject({ status: 0 });
    const [{ from: client }] = (await server.collect(1)) as unknown as [{ from: string }];
    expect(await read(file)).toEqual([
      `${client} > ${server.address} ping`,
      `${client} > ${server.address} ping`,
      `${server.address} > ${client} pong`,
    ]);
  });

  test('has send keep strays', async () => {
    const file = fileFor(format);
    await using server = await strayServer(family, 'stray');
    expect(await udpcat(['send', server.address, 'ping', '-w', '300ms', '--record', file])).toMatchObject({
      status: 6,
    });
    const [{ from: client }] = (await server.collect(1)) as unknown as [{ from: string }];
    expect(await read(file)).toEqual([
      `${client} > ${server.address} ping`,
      `${server.strayAddress} > ${client} stray`,
    ]);
  });

  test('keeps what was sent though it is refused', async () => {
    const file = fileFor(format);
    const address = await closedAddress(family);
    expect(await udpcat(['send', address, 'a', 'b', '--record', file])).toMatchObject({ status: 4 });
    expect((await read(file)).map((line) => line.split(' > ')[1])).toEqual([`${address} a`, `${address} b`]);
  });
});

test('--record as jsonl is the lines of -o json, with the direction', async () => {
  const file = fileFor('jsonl');
  await using server = await echoServer();
  const { stdout } = await udpcat(['send', server.address, 'hello', '-n', '1', '-o', 'json', '--record', file]);
  const [out, received] = jsonLines(readFileSync(file));
  expect(out).toMatchObject({ v: 1, type: 'datagram', dir: 'out', to: server.address, size: 5, data: 'hello' });
  expect(received).toEqual(jsonLines(stdout)[0]);
});

test.each(ENGINE_NAMES)('--record on a wildcard address keeps what the %s engine knows of it', async (engine) => {
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
});

describe('--record -', () => {
  testWith('tshark', 'is pcap on stdout, which tshark reads from the pipe', async () => {
    await using receiver = shell(
      `${commandLine(['serve', '127.0.0.1:0', '-c', '2', '--record', '-'])} | tshark -r - -T fields -e udp.length -e data.text 2>/dev/null`,
    );
    const address = await receiver.listening();
    await udpcat(['send', address, 'one', 'three']);
    expect((await receiver.outcome).stdout.toString().replaceAll('\t', ' ').trim().split('\n')).toHaveLength(2);
  });

  test('writes nothing else there', async () => {
    await using server = start(['echo', '127.0.0.1:0', '-c', '1', '--record', '-']);
    const address = await server.listening();
    await udpcat(['send', address, 'ping', '-n', '1']);
    const { stdout, status } = await server.outcome;
    // A header of 24 bytes, and two packets of 16 bytes about each, and IP and UDP headers.
    expect(stdout.length).toBe(24 + 2 * (16 + 28 + 4));
    expect(status).toBe(0);
  });

  test.each([
    [['serve', '-o', 'json', '--record', '-'], 'either -o json or --record -'],
    [
      ['send', '127.0.0.1:9', 'x', '-n', '1', '--exit-code', 'nagios', '--record', '-'],
      'either --record - or --exit-code nagios',
    ],
  ])('with something else for stdout is a usage error: %j', async (args, message) => {
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

  test('ends with its reader', async () => {
    await using server = shell(`${commandLine(['serve', '127.0.0.1:0', '--record', '-'])} | head -c 24 | wc -c`);
    const address = await server.listening();
    await server.until('24');
    // The next write finds the pipe closed.
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

  test('is told before anything is received', async () => {
    const { stderr, status } = await udpcat(['serve', '127.0.0.1:0', '--record', join(folder, 'nowhere', 'x.pcap')]);
    expect(stderr).toMatch(/^udpcat: cannot record to \S+x\.pcap: [^\n]+\n$/);
    expect(status).toBe(1);
  });

  test('since it is a pipe is an error rather than a wait for its reader', async () => {
    const pipe = join(folder, 'pipe.pcap');
    await using running = shell(`mkfifo ${quote(pipe)} && exec ${commandLine(['serve', '--record', pipe])}`);
    const { stderr, status } = await running.outcome;
    expect(stderr).toBe(`udpcat: cannot record to ${pipe}: it is no regular file; - records to stdout\n`);
    expect(status).toBe(1);
  });

  testInNamespaces('any more, because the disk is full, ends the run, and what it holds is whole', async () => {
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
});
