import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ENGINE_NAMES } from '../support/engines.js';
import { testWith } from '../support/peers.js';
import { jsonLines, payloadOf, sendAll } from '../support/service.js';
import { type Family, silentServer } from '../support/sockets.js';
import { start, udpcat } from '../support/in-process.js';
import { commandLine, quote, shell } from '../support/udpcat.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'udpcat-output-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const EVERY_BYTE = Uint8Array.from({ length: 256 }, (_, byte) => byte);

/** Payloads that are easily damaged: an empty one, line ends, control characters, invalid UTF-8, a byte-order mark. */
const PAYLOADS: readonly Buffer[] = [
  'hello',
  '',
  'a line\n',
  'two\nlines\r\n',
  '\n',
  '\n\n',
  'grüße 😀',
  '\ufeffmark',
  '\u001b[31mred\u0000\u007f\u2028',
  EVERY_BYTE,
  Uint8Array.of(0xff, 0xfe),
  Uint8Array.of(0xed, 0xa0, 0x80),
  Uint8Array.of(0xc0, 0x80),
  randomBytes(1400),
].map((payload) => Buffer.from(payload as string));

/** Sends these payloads to `udpcat serve`. Returns its output to a pipe. */
async function served(args: readonly string[], payloads: readonly Uint8Array[], family: Family = 4): Promise<Buffer> {
  await using running = start(['serve', ...args, ...(family === 6 ? ['-6'] : []), '-c', String(payloads.length)]);
  await using peer = await silentServer(family);
  await sendAll(peer, await running.listening(), payloads);
  const { stdout, stderr, status } = await running.outcome;
  expect({ stderr, status }).toEqual({ stderr: expect.stringMatching(/^udpcat: listening on \S+\n$/), status: 0 });
  return stdout;
}

/** Sends these payloads to `udpcat serve`. Returns its output to a file. */
async function servedToFile(args: readonly string[], payloads: readonly Uint8Array[]): Promise<Buffer> {
  const file = join(folder, 'stdout');
  const line = commandLine(['serve', ...args, '-c', String(payloads.length)]);
  await using running = shell(`exec ${line} >${quote(file)}`);
  await using peer = await silentServer();
  await sendAll(peer, await running.listening(), payloads);
  expect((await running.outcome).status).toBe(0);
  return readFileSync(file);
}

const lines = (write: (payload: Buffer) => string): Buffer =>
  Buffer.from(PAYLOADS.map((payload) => `${write(payload)}\n`).join(''));

describe('serve writes every datagram', () => {
  test.each([
    {
      args: [],
      is: 'as its bytes and a newline, but no second newline',
      expected: Buffer.concat(
        PAYLOADS.flatMap((payload) => (payload.at(-1) === 0x0a ? [payload] : [payload, Buffer.from('\n')])),
      ),
    },
    { args: ['-o', 'raw'], is: 'as its bytes and nothing else', expected: Buffer.concat(PAYLOADS) },
    { args: ['-o', 'hex'], is: 'as a line of hex', expected: lines((payload) => payload.toString('hex')) },
    { args: ['-x'], is: 'as a line of hex', expected: lines((payload) => payload.toString('hex')) },
    { args: ['-o', 'base64'], is: 'as a line of base64', expected: lines((payload) => payload.toString('base64')) },
    { args: ['-o', 'none'], is: 'as nothing', expected: Buffer.alloc(0) },
  ])('$is with $args, in a pipe and in a file', async ({ args, expected }) => {
    expect(await served(args, PAYLOADS)).toEqual(expected);
    expect(await servedToFile(args, PAYLOADS)).toEqual(expected);
  });

  test('as a JSON object from which its bytes can be read, in a pipe and in a file', async () => {
    for (const stdout of [await served(['-o', 'json'], PAYLOADS), await servedToFile(['-o', 'json'], PAYLOADS)]) {
      const datagrams = jsonLines(stdout).filter(({ type }) => type === 'datagram');
      expect(datagrams.map(payloadOf)).toEqual(PAYLOADS);
      expect(datagrams.map(({ size }) => size)).toEqual(PAYLOADS.map(({ length }) => length));
    }
  });

  test.each([
    { family: 4 as const, size: 65_507 },
    { family: 6 as const, size: 65_527 },
  ])('whole, also with $size bytes, the most of IPv$family', async ({ family, size }) => {
    const binary = randomBytes(size);
    const text = Buffer.from('ü'.repeat(size).slice(0, Math.floor(size / 2)));
    expect(await served(['-o', 'raw'], [binary, text], family)).toEqual(Buffer.concat([binary, text]));
    const json = jsonLines(await served(['-o', 'json'], [binary, text], family));
    expect(json.slice(1, -1).map(payloadOf)).toEqual([binary, text]);
  });

  testWith('hexdump', 'as hexdump -C shows it, below a line with its sender', async () => {
    const stdout = (await served(['-o', 'dump'], PAYLOADS)).toString();
    const blocks = stdout.split(/^(?=\d{4}-\d\d-\d\dT)/m);
    const file = join(folder, 'payload');
    const expected = PAYLOADS.map((payload) => {
      writeFileSync(file, payload);
      return execFileSync('hexdump', ['-Cv', file], { encoding: 'utf8' });
    });
    expect(blocks.map((block) => block.slice(block.indexOf('\n') + 1))).toEqual(expected);
    const header = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z 127\.0\.0\.1:\d+ > 127\.0\.0\.1:\d+ (\d+) bytes?$/;
    expect(blocks.map((block) => Number(header.exec(block.slice(0, block.indexOf('\n')))?.[1]))).toEqual(
      PAYLOADS.map(({ length }) => length),
    );
  });
});

describe('the description before each datagram', () => {
  const described = (text: string): RegExp =>
    RegExp(
      `^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z 127\\.0\\.0\\.1:\\d+ > 127\\.0\\.0\\.1:\\d+ ${text}\n$`,
    );

  test.each([
    { args: ['--meta'], text: '5 bytes: hello' },
    { args: ['-m', '-o', 'hex'], text: '5 bytes: 68656c6c6f' },
    { args: ['-m', '-o', 'base64'], text: '5 bytes: aGVsbG8=' },
  ])('has the time, the sender and the size with $args', async ({ args, text }) => {
    expect((await served(args, [Buffer.from('hello')])).toString()).toMatch(described(text));
  });

  test.each(ENGINE_NAMES)('has the sender, and the destination as far as the %s engine knows it', async (engine) => {
    await using running = start(['serve', '*:0', '--engine', engine, '--meta', '-c', '1']);
    const address = await running.listening();
    await using peer = await silentServer();
    const asked = address.replace('[::]', '127.0.0.1');
    await peer.send('x', asked);
    const to = engine === 'node' ? address : asked;
    expect((await running.outcome).stdout.toString()).toContain(`Z ${peer.address} > ${to} 1 byte: x\n`);
  });

  test.each([
    { args: ['--no-meta'], expected: 'hello\n' },
    { args: [], expected: 'hello\n' },
    { args: ['-m', '-o', 'raw'], expected: 'hello' },
  ])('is absent in a pipe with $args', async ({ args, expected }) => {
    expect((await served(args, [Buffer.from('hello')])).toString()).toBe(expected);
  });
});

test('-o and -e take precedence over -x', async () => {
  expect((await served(['-x', '-o', 'base64'], [Buffer.from('hello')])).toString()).toBe('aGVsbG8=\n');
});

test('a datagram that is sent right after the listening line is not lost', async () => {
  await using peer = await silentServer();
  for (let round = 0; round < 5; round += 1) {
    await using running = start(['serve', '-c', '1', '--duration', '10s']);
    await peer.send('early', await running.listening());
    expect((await running.outcome).stdout.toString()).toBe('early\n');
  }
});

test('three lines in one write of send are three datagrams', async () => {
  await using running = start(['serve', '-o', 'hex', '-c', '3']);
  const sending = await udpcat(['send', await running.listening()], { stdin: 'a\nb\nc\n' });
  expect(sending.status).toBe(0);
  expect((await running.outcome).stdout.toString()).toBe('61\n62\n63\n');
});
