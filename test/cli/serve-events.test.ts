import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { testWithLinuxEngine } from '../support/engines.js';
import { jsonLines, sendAll } from '../support/service.js';
import { type Family, hostAndPort, silentServer } from '../support/sockets.js';
import { start, udpcat } from '../support/in-process.js';
import { commandLine, shell } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';
import { fc } from '../support/property.js';

const testWithShell = testNeeding('shell');

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

describe('the JSON lines of serve', () => {
  test('are the listening address first, each datagram, and the summary last', async () => {
    await using running = start(['serve', '-o', 'json', '-c', '2']);
    const address = await running.listening();
    await using peer = await silentServer();
    await peer.send('hello', address);
    await peer.send(Uint8Array.of(0xff, 0x00), address);
    const time: unknown = expect.stringMatching(TIME);
    const { from, to } = { from: peer.address, to: address };
    expect(jsonLines((await running.outcome).stdout)).toEqual([
      { v: 1, type: 'listening', time, address },
      { v: 1, type: 'datagram', time, dir: 'in', from, to, size: 5, data: 'hello' },
      { v: 1, type: 'datagram', time, dir: 'in', from, to, size: 2, base64: '/wA=' },
      {
        v: 1,
        type: 'summary',
        time,
        sent: 0,
        received: 2,
        dropped: { kernel: 0, queue: 0, output: 0 },
        durationMs: expect.any(Number),
        receivedPerSecond: expect.any(Number),
        receivedBitsPerSecond: expect.any(Number),
        peers: [
          {
            peer: from,
            received: 2,
            bytes: 7,
            smallest: 2,
            largest: 5,
            first: time,
            last: time,
            perSecond: expect.any(Number),
          },
        ],
      },
    ]);
  });

  test('have the bound address as local if the destination of a datagram is not known', async () => {
    await using running = start(['serve', '*:0', '--engine', 'node', '-o', 'json', '-c', '1']);
    const address = await running.listening();
    await using peer = await silentServer();
    await peer.send('x', `127.0.0.1:${hostAndPort(address).port}`);
    const [, datagram] = jsonLines((await running.outcome).stdout);
    expect(datagram).toMatchObject({ from: peer.address, local: address });
    expect(datagram).not.toHaveProperty('to');
  });

  testWithLinuxEngine('have the destination of a datagram on every interface, with the linux engine', async () => {
    await using running = start(['serve', '*:0', '--engine', 'linux', '-o', 'json', '-c', '2']);
    const { port } = hostAndPort(await running.listening());
    const destinations = [`127.0.0.1:${port}`, `[::1]:${port}`];
    for (const [index, family] of ([4, 6] as const).entries()) {
      await using peer = await silentServer(family);
      await peer.send('x', destinations[index] ?? '');
    }
    const lines = jsonLines((await running.outcome).stdout).filter(({ type }) => type === 'datagram');
    expect(lines.map(({ to }) => to)).toEqual(destinations);
    for (const line of lines) expect(line).not.toHaveProperty('local');
  });

  test('come while the command runs, not at its end', async () => {
    await using running = start(['serve', '-o', 'json']);
    const address = await running.listening();
    await running.until(`"listening"`);
    await using peer = await silentServer();
    await peer.send('x', address);
    await running.until(`"data":"x"`);
  });

  test('keep a byte-order mark, and text that looks like JSON, exactly', async () => {
    const texts = ['\ufeffmark', '{"type":"summary"}\n', '"\\\u0000\u001f\u007f\u0085\u2028\u2029', '\u{1f600}'];
    await using running = start(['serve', '-o', 'json', '-c', String(texts.length)]);
    await using peer = await silentServer();
    await sendAll(peer, await running.listening(), texts);
    const lines = jsonLines((await running.outcome).stdout);
    expect(lines.slice(1, -1).map(({ data }) => data)).toEqual(texts);
  });

  test('have the error that ends the command, and still the summary', async () => {
    await using first = start(['serve']);
    const address = await first.listening();
    const { stdout, status } = await udpcat(['serve', address, '-o', 'json']);
    expect(status).toBe(1);
    expect(jsonLines(stdout)).toMatchObject([
      { type: 'error', code: 'OPEN_FAILED', message: expect.stringContaining(address) },
      { type: 'summary', received: 0 },
    ]);
  });
});

describe('serve -o json and send --frame json', () => {
  const trying: readonly { family: Family; largest: number }[] = [
    { family: 4, largest: 65_507 },
    { family: 6, largest: 65_527 },
  ];
  testWithShell.each(trying)(
    'carry any datagrams on IPv$family over unchanged and in order',
    async ({ family, largest }) => {
      const seed = Date.now();
      const payloads = [
        ...fc.sample(fc.uint8Array({ maxLength: 64 }), { numRuns: 150, seed }),
        ...fc.sample(fc.string({ unit: 'binary', maxLength: 64 }), { numRuns: 150, seed }),
        '',
        randomBytes(largest),
        'a'.repeat(largest),
        '"'.repeat(largest),
        '',
      ].map((payload) => Buffer.from(payload as string));
      await using target = await silentServer(family);
      await using sender = await silentServer(family);
      const options = family === 6 ? ['-6'] : [];
      const serve = commandLine(['serve', ...options, '-o', 'json', '-c', String(payloads.length)]);
      const send = commandLine(['send', '--frame', 'json', target.address]);
      await using running = shell(`${serve} | ${send}`);
      await sendAll(sender, await running.listening(), payloads);
      const received = (await target.collect(payloads.length)).map(({ data }) => data.toString('base64'));
      try {
        expect(received).toEqual(payloads.map((payload) => payload.toString('base64')));
      } catch (error) {
        throw new Error(`with seed ${seed}`, { cause: error });
      }
      expect((await running.outcome).status).toBe(0);
      expect(target.received).toHaveLength(payloads.length);
    },
  );

  testWithShell('hand a datagram on at once', async () => {
    await using target = await silentServer();
    await using sender = await silentServer();
    await using running = shell(
      `${commandLine(['serve', '-o', 'json', '-c', '2'])} | ${commandLine(['send', '--frame', 'json', target.address])}`,
    );
    const address = await running.listening();
    for (const text of ['one', 'two']) {
      await sender.send(text, address);
      await target.collect(text === 'one' ? 1 : 2);
    }
    expect(target.received.map(({ data }) => data.toString())).toEqual(['one', 'two']);
    expect((await running.outcome).status).toBe(0);
  });
});

describe('--log-format json', () => {
  test('makes the listening line and the summary lines of pino, with the fields of the JSON events', async () => {
    await using running = start(['serve', '--log-format', 'json', '--stats', '-c', '1', '-o', 'json']);
    const [, line = ''] = await running.until(/^(.*)\n/, 'stderr');
    const { address } = JSON.parse(line) as { address: string };
    await using peer = await silentServer();
    await peer.send('x', address);
    const { stdout, stderr, status } = await running.outcome;
    expect(status).toBe(0);
    const pino = { level: 30, name: 'udpcat', time: expect.anything(), msg: expect.any(String) };
    const summary = jsonLines(stdout).at(-1);
    expect(jsonLines(stderr)).toMatchObject([
      { ...pino, address, msg: `listening on ${address}` },
      { ...pino, sent: 0, received: 1, dropped: summary?.dropped, durationMs: expect.any(Number) },
    ]);
  });

  test.each([
    { what: 'a usage error', args: ['serve', '-c', 'none'], status: 2, says: /'none'/ },
    { what: 'a usage error before the option', args: ['serve', '--nosuch'], status: 2, says: /--nosuch/ },
    { what: 'a wrong address', args: ['serve', '127.1:5'], status: 2, says: /127\.1:5/ },
    { what: 'an address that cannot be bound', args: ['serve', '192.0.2.1:0'], status: 1, says: /192\.0\.2\.1:0/ },
    { what: 'a missing file', args: ['serve', '--reply-file', '/nosuch'], status: 1, says: /\/nosuch/ },
    { what: 'an unknown command', args: ['nosuch'], status: 2, says: /nosuch/ },
  ])('makes $what one line of pino', async ({ args, status, says }) => {
    for (const format of [['--log-format', 'json'], ['--log-format=json']]) {
      const outcome = await udpcat([...args, ...format]);
      expect(outcome.status).toBe(status);
      expect(outcome.stdout).toHaveLength(0);
      expect(jsonLines(outcome.stderr)).toMatchObject([
        { level: 50, name: 'udpcat', msg: expect.stringMatching(says), code: expect.any(String) },
      ]);
    }
  });

  test('makes a run with too few datagrams an error line', async () => {
    const { stderr, status } = await udpcat(['serve', '-c', '1', '--duration', '10ms', '--log-format', 'json']);
    expect(status).toBe(3);
    expect(jsonLines(stderr)).toMatchObject([{ level: 30 }, { level: 50, msg: expect.stringMatching(/0 of 1/) }]);
  });

  test('with an unknown format is a usage error', async () => {
    const { stderr, status } = await udpcat(['serve', '--log-format', 'xml']);
    expect({ stderr, status }).toEqual({
      stderr: expect.stringMatching(/^udpcat: .*'xml'.*pretty, json.*\n$/),
      status: 2,
    });
  });
});
