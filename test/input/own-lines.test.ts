import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { decodeJsonLine } from '../../src/input/json-datagram.js';
import { readMessages } from '../../src/input/message-stream.js';
import { OwnLines } from '../../src/input/own-lines.js';
import type { Datagram } from '../../src/net/index.js';
import { EncodingError } from '../../src/text/encoding.js';
import { formatDatagram } from '../support/json-lines.js';
import { fc, holds, holdsAsync, payloads, textPayloads } from '../support/property.js';

const LIMIT_BYTES = 200;
const BOUND = { address: '::1', port: 8000 };
const LOCALS = [undefined, { address: '127.0.0.1', port: 8000 }, { address: 'fe80::1%eth0', port: 8000 }] as const;

const datagram = (data: Uint8Array, local: Datagram['local'] = LOCALS[1]): Datagram => ({
  data,
  remote: { address: '127.0.0.1', port: 40_000 },
  local,
  timeMs: 1_795_334_400_123.456,
});

/** A line as `-o json` writes it, without its newline. */
const lineOf = (data: Uint8Array, dir: 'in' | 'out' = 'in', local?: Datagram['local']): Buffer =>
  Buffer.from(formatDatagram(datagram(data, local), dir, BOUND).slice(0, -1));

/** Text of all ASCII characters, most of them printable. */
const ascii = fc
  .array(fc.oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.nat({ max: 0x7f })), { maxLength: 80 })
  .map((codes) => Buffer.from(codes));

interface Read {
  readonly messages: readonly string[];
  readonly error: string | undefined;
}

/** Reads a stream that arrives in these chunks, as `send --frame json` does. */
async function read(chunks: readonly Uint8Array[]): Promise<Read> {
  async function* input(): AsyncGenerator<Uint8Array, undefined> {
    yield* chunks;
  }
  const messages: string[] = [];
  try {
    const format = { frame: { kind: 'json' }, encoding: 'utf8' } as const;
    for await (const batch of readMessages(input(), format, LIMIT_BYTES)) {
      messages.push(...batch.map((message) => Buffer.from(message).toString('hex')));
    }
  } catch (error) {
    return { messages, error: (error as Error).message };
  }
  return { messages, error: undefined };
}

/** Reads each line of a stream by the parser of JSON. */
function parse(stream: Buffer): Read {
  const messages: string[] = [];
  const lines = stream.toString('latin1').split('\n');
  if (lines.at(-1) === '') lines.pop();
  for (const [nth, line] of lines.entries()) {
    try {
      const payload = decodeJsonLine(Buffer.from(line.replace(/\r$/, ''), 'latin1'));
      if (payload === undefined) continue;
      const { length } = payload;
      if (length > LIMIT_BYTES) throw new EncodingError(`it has ${length} bytes, and the limit is ${LIMIT_BYTES}`);
      messages.push(Buffer.from(payload).toString('hex'));
    } catch (error) {
      return { messages, error: `line ${nth + 1} cannot be sent: ${(error as Error).message}` };
    }
  }
  return { messages, error: undefined };
}

/** Splits a stream into chunks at the given offsets. */
function split(stream: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (stream.length + 1)))].sort((a, b) => a - b);
  return [...ends, stream.length].map((end, nth) => stream.subarray(ends[nth - 1] ?? 0, end));
}

/** Expects that a stream gives what the parser of JSON gives. */
async function expectAsParsed(stream: Buffer, places: readonly number[] = []): Promise<void> {
  const [actual, expected] = [await read(split(stream, places)), parse(stream)];
  // `toEqual` takes long.
  if (!isDeepStrictEqual(actual, expected)) expect({ stream: stream.toString('latin1'), ...actual }).toEqual(expected);
}

describe('a line as udpcat writes it', () => {
  const own = new OwnLines(65_527);

  test.each([
    ['text', fc.string({ unit: 'grapheme-ascii', maxLength: 80 }).map((text) => Buffer.from(text))],
    ['ASCII with escapes', ascii],
    ['any bytes', payloads],
  ])('is read without the parser of JSON: %s', (_name, given) => {
    holds(
      fc.property(given, fc.constantFrom(...LOCALS), (payload, local) => {
        const line = Buffer.concat([lineOf(payload, 'in', local), Buffer.from('\n')]);
        const stream = Buffer.concat([line, line]);
        expect(own.read(stream, line.length)).toBe(stream.length);
        expect(Buffer.from(own.payload).equals(payload)).toBe(true);
      }),
    );
  });

  test('beyond ASCII is read without the parser of JSON, unless a character beyond ASCII is escaped', () => {
    const line = (text: string) => Buffer.concat([lineOf(Buffer.from(text)), Buffer.from('\n')]);
    const plain = line('Grüße, "мир" 世界 😀\n');
    expect(own.read(plain, 0)).toBe(plain.length);
    expect(String(Buffer.from(own.payload))).toBe('Grüße, "мир" 世界 😀\n');
    expect(own.read(line('\u2028'), 0)).toBe(-1);
  });

  test('keeps its payload when further lines are read', () => {
    const all = Array.from({ length: 5000 }, (_, nth) => Buffer.from(`payload ${nth}`));
    const stream = Buffer.concat(all.flatMap((payload) => [lineOf(payload), Buffer.from('\n')]));
    const found: Uint8Array[] = [];
    for (let at = 0; at < stream.length; found.push(own.payload)) at = own.read(stream, at);
    expect(found.map((payload) => Buffer.from(payload).toString())).toEqual(all.map(String));
  });

  test('is not read before its newline has come', () => {
    const line = Buffer.concat([lineOf(Buffer.from('a\n"b"\u0001')), Buffer.from('\n')]);
    for (let end = 0; end < line.length; end += 1) expect(own.read(line.subarray(0, end), 0)).toBe(-1);
    expect(own.read(line, 0)).toBe(line.length);
  });
});

/** Texts that stand in a line in place of others, or between its parts. */
const FRAGMENTS = [
  ...[
    ',',
    '}',
    '{',
    '"',
    '\\',
    ' ',
    '\t',
    '\r',
    '\r\n',
    '\n',
    '\0',
    '\ufeff',
    'é',
    '\xff',
    '0',
    '-',
    '1e1',
    'null',
    '[]',
  ],
  ...[
    '\\u0041',
    '\\u00e9',
    '\\ud83d\\ude00',
    '\\ud800',
    '\\udc00',
    '\\u000A',
    '\\u',
    '\\u00',
    '\\/',
    '\\x41',
    '\\"',
    '\\n',
  ],
  ...[
    '"data":"a",',
    '"base64":"YQ==",',
    '"dir":"in",',
    '"dir":"out",',
    '"v":2,',
    '"type":"summary",',
    '"size":01,',
    '==',
  ],
];

/** Lines of udpcat, and lines that mean the same or nearly the same. */
const anyLine = fc
  .tuple(fc.oneof(ascii, payloads, textPayloads), fc.constantFrom('in', 'in', 'in', 'out'), fc.constantFrom(...LOCALS))
  .chain(([payload, dir, local]) => {
    const line = lineOf(payload, dir, local);
    const members = Object.entries(JSON.parse(line.toString()) as Record<string, unknown>);
    return fc.oneof(
      { weight: 3, arbitrary: fc.constant(line) },
      // A byte is changed, or some are replaced by others.
      {
        weight: 3,
        arbitrary: fc.tuple(fc.nat(), fc.nat({ max: 255 })).map(([at, byte]) => replaced(line, at, 1, Buffer.of(byte))),
      },
      {
        weight: 3,
        arbitrary: fc
          .tuple(fc.nat(), fc.nat({ max: 3 }), fc.constantFrom(...FRAGMENTS), fc.constantFrom('utf8', 'latin1'))
          .map(([at, bytes, fragment, encoding]) => replaced(line, at, bytes, Buffer.from(fragment, encoding))),
      },
      // Members in another order, some missing, some twice, with spaces between.
      {
        weight: 2,
        arbitrary: fc
          .tuple(fc.array(fc.constantFrom(...members), { maxLength: 10 }), fc.constantFrom('', ' ', '\t'))
          .map(([some, space]) =>
            Buffer.from(
              `{${some.map(([name, value]) => `${space}"${name}":${space}${JSON.stringify(value)}`).join(',')}}`,
            ),
          ),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom('', ' ', '{"v":1,"type":"listening"}', 'null', '{').map((text) => Buffer.from(text)),
      },
      // The size is another one.
      {
        weight: 1,
        arbitrary: fc
          .constantFrom('0', '00', '01', '7', '65527', '99999', '123456', '-1', '1.0', '"1"', '')
          .map((size) => Buffer.from(line.toString('latin1').replace(/"size":\d+/, `"size":${size}`), 'latin1')),
      },
    );
  });

function replaced(line: Buffer, at: number, bytes: number, by: Buffer): Buffer {
  const from = at % (line.length + 1);
  return Buffer.concat([line.subarray(0, from), by, line.subarray(from + bytes)]);
}

/** Replaces the size and the payload of a line with text. */
const withMember = (line: string, size: number, member: string): string =>
  line.replace(/"size":.*/, `"size":${size},${member}}\n`);

describe('a stream of JSON lines', () => {
  test('gives what the parser of JSON gives, with the same errors, however it is cut into chunks', async () => {
    const ends = fc.constantFrom('\n', '\n', '\n', '\r\n');
    await holdsAsync(
      fc.asyncProperty(
        fc.array(fc.tuple(anyLine, ends), { maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 4 }),
        fc.boolean(),
        async (lines, places, isEnded) => {
          const whole = Buffer.concat(lines.flatMap(([line, end]) => [line, Buffer.from(end)]));
          await expectAsParsed(isEnded ? whole : whole.subarray(0, -1), places);
        },
      ),
      { runs: 2000 },
    );
  });

  test.each([
    ['a byte-order mark before it', (line: string) => `\ufeff${line}\n`],
    ['CRLF behind it', (line: string) => `${line}\r\n${line}\r\n`],
    ['no newline behind it', (line: string) => `${line}\n${line}`],
    ['a comma behind its last member', (line: string) => line.replace('}', ',}\n')],
    ['a second object behind it', (line: string) => `${line}${line}\n`],
    ['its payload twice', (line: string) => line.replace('"data"', '"data":"b","data"') + '\n'],
    ['a size that begins with 0', (line: string) => line.replace('"size":12', '"size":012') + '\n'],
    ['a size that is not that of its payload', (line: string) => line.replace('"size":12', '"size":11') + '\n'],
    ['an escape of four digits', (line: string) => line.replace('hello', '\\u0048\\u0065llo') + '\n'],
    ['base64 without its padding', (line: string) => withMember(line, 4, '"base64":"aGVsbA"')],
    ['base64 with surplus bits behind one byte', (line: string) => withMember(line, 4, '"base64":"aGVsbB=="')],
    ['base64 with surplus bits behind two bytes', (line: string) => withMember(line, 5, '"base64":"aGVsbG9="')],
    ['a character at its end that is not of base64', (line: string) => withMember(line, 5, '"base64":"aGVsb*8="')],
    ['base64 with padding in the middle', (line: string) => withMember(line, 12, '"base64":"aGVs=GVsaGVsaGVs"')],
    ['a size that counts an escape as one byte', (line: string) => withMember(line, 1, '"data":"\\u00e9"')],
  ])('with %s gives what the parser of JSON gives', async (_name, change) => {
    const stream = Buffer.from(change(lineOf(Buffer.from('hello, world')).toString()));
    for (let at = 0; at <= stream.length; at += 1) await expectAsParsed(stream, [at]);
  });

  test.each([['\n'], ['']])('with a line of more than 1 MiB ends there, with its number', async (end) => {
    const line = `${lineOf(Buffer.from('a')).toString()}\n`;
    const long = line.replace('127.0.0.1', '1'.repeat(1024 * 1024 - line.length + '127.0.0.1\n'.length));
    expect(long).toHaveLength(1024 * 1024 + 1);
    const longer = long.replace('111', '1111').replace('\n', end);
    expect(await read([Buffer.from(line + long + longer)])).toEqual({
      messages: ['61', '61'],
      error: 'line 3 cannot be sent: it is longer than 1048576 bytes',
    });
  });
});
