import { describe, expect, test } from '@jest/globals';
import { decode, type Encoding, EncodingError, ENCODINGS } from '../../src/text/encoding.js';
import { fc, holds, payloads } from '../support/property.js';

/** Decodes text. Returns the bytes in hex. */
function decoded(written: string, encoding: Encoding): string {
  return Buffer.from(decode(Buffer.from(written, 'utf8'), encoding)).toString('hex');
}

const escapeByte = (byte: number): string => `\\x${byte.toString(16).padStart(2, '0')}`;

const encoders: Readonly<Record<Encoding, (payload: Uint8Array) => Uint8Array>> = {
  utf8: (payload) => payload,
  hex: (payload) => Buffer.from(Buffer.from(payload).toString('hex')),
  base64: (payload) => Buffer.from(Buffer.from(payload).toString('base64')),
  escaped: (payload) => Buffer.from(Array.from(payload, escapeByte).join('')),
};

/** Random bytes, many of which have a meaning in one of the encodings. */
const junk = fc.oneof(
  payloads,
  fc
    .string({ unit: fc.constantFrom(...Array.from('0aF9 \n\\xnrt=+/-_gÿ€')), size: '+1' })
    .map((text) => Buffer.from(text, 'utf8')),
);

describe.each(ENCODINGS)('%s', (encoding) => {
  test('gives back any payload that was written in it', () => {
    holds(
      fc.property(payloads, (payload) => {
        expect(Buffer.from(decode(encoders[encoding](payload), encoding))).toEqual(Buffer.from(payload));
      }),
    );
  });

  test('turns junk into bytes or an EncodingError, and nothing else', () => {
    holds(
      fc.property(junk, (written) => {
        try {
          expect(decode(written, encoding)).toBeInstanceOf(Uint8Array);
        } catch (error) {
          expect(error).toBeInstanceOf(EncodingError);
          expect((error as Error).message).not.toBe('');
        }
      }),
    );
  });

  test('takes nothing for an empty payload', () => {
    expect(decoded('', encoding)).toBe('');
  });
});

test('utf8 leaves the bytes as they are, be they UTF-8 or not', () => {
  const bytes = Uint8Array.of(0xff, 0x5c, 0x6e, 0x00, 0xef, 0xbb, 0xbf);
  expect(decode(bytes, 'utf8')).toEqual(bytes);
});

test.each([
  ['0aff', '0aff'],
  ['0AfF', '0aff'],
  [' 0a ff\t00\r\n', '0aff00'],
  ['\n', ''],
  ['0xde', 'de'],
  ['0XDEad', 'dead'],
  ['0xde 0xad', 'dead'],
  ['0xde,0xad', 'dead'],
  ['0xde, 0xad,\n  0xbe', 'deadbe'],
  ['\\xde\\xad', 'dead'],
  ['de:ad:be', 'deadbe'],
  ['de-ad-be', 'deadbe'],
  ['de,ad', 'dead'],
  ['dead:beef', 'deadbeef'],
])('hex takes %j', (written, bytes) => {
  expect(decoded(written, 'hex')).toBe(bytes);
});

test.each([
  ['0', /pairs/],
  ['0a f', /pairs/],
  ['0 a', /pairs/],
  ['0x', /pairs/],
  ['0xd', /pairs/],
  ['0x0x0a', /pairs/],
  ['x0a', /"x" is not a hex digit/],
  ['\\0a', /"\\\\" is not a hex digit/],
  [':0a', /pairs/],
  ['0a:', /pairs/],
  ['0a::ff', /pairs/],
  ['0a;ff', /";" is not a hex digit/],
  ['é0', /"é" is not a hex digit/],
  ['0a\u00a0ff', /not a hex digit/],
  ['😀', /"😀" is not a hex digit/],
  ['??', /"\?" is not a hex digit/],
])('hex refuses %j and says why', (written, why) => {
  expect(() => decoded(written, 'hex')).toThrow(why);
});

test('hex takes a megabyte of any form', () => {
  const bytes = Buffer.alloc(100_000, 0xa5);
  for (const byte of ['a5', 'a5 ', '0xa5,\n', '\\xa5']) {
    expect(decode(Buffer.from(byte.repeat(bytes.length).replace(/,\n$/, '')), 'hex')).toEqual(bytes);
  }
  expect(() => decode(Buffer.from(`a5${' '.repeat(1_000_000)}x`), 'hex')).toThrow(EncodingError);
});

test('hex takes no byte for white space that is none in ASCII', () => {
  expect(() => decode(Uint8Array.of(0x30, 0x61, 0xa0, 0x30, 0x61), 'hex')).toThrow(EncodingError);
});

test.each([
  ['aGk=', '6869'],
  ['aGk', '6869'],
  ['aG k\n=', '6869'],
  ['+/+/', 'fbffbf'],
])('base64 takes %j', (written, bytes) => {
  expect(decoded(written, 'base64')).toBe(bytes);
});

test.each(['aGk==', 'aGl=', 'a', '=', '-_-_', 'aGk=aGk=', 'aGk!', 'aG\u00a0k'])('base64 refuses %j', (written) => {
  expect(() => decoded(written, 'base64')).toThrow(/it is not base64/);
});

test.each([
  ['\\n\\r\\t\\\\\\0', '0a0d095c00'],
  ['a\\x0a\\xFFb', '610aff62'],
  ['\\08', '0038'],
  ['\\0x', '0078'],
  ['\\\\n', '5c6e'],
  ['é', 'c3a9'],
])('escaped takes %j', (written, bytes) => {
  expect(decoded(written, 'escaped')).toBe(bytes);
});

test.each([
  ['\\', /"\\" is not an escape/],
  ['a\\', /"\\" is not an escape/],
  ['\\a', /"\\a" is not an escape.*; write \\x07$/],
  ['\\e[0m', /"\\e" is not an escape.*; write \\x1b$/],
  ['\\005', /"\\005" is octal, which is not accepted; write \\x05$/],
  ['a\\05b', /"\\05" is octal.*write \\x05$/],
  ['\\00', /"\\00" is octal.*write \\x00$/],
  ['\\5', /"\\5" is octal.*write \\x05$/],
  ['\\377', /"\\377" is octal.*write \\xff$/],
  ['\\777', /"\\7" is not an escape/],
  ['\\8', /"\\8" is not an escape/],
  ['\\N', /"\\N" is not an escape/],
  ['\\X41', /"\\X" is not an escape/],
  ['\\x4', /"\\x" is not an escape.*; write \\x04$/],
  ['\\x4g', /"\\x" is not an escape/],
  ['\\u0041', /"\\u" is not an escape/],
  ['\\é', /"\\é" is not an escape/],
  ['\\"', /the escapes are \\n \\r \\t \\\\ \\0 \\xNN/],
])('escaped refuses %j and says what is accepted', (written, why) => {
  expect(() => decoded(written, 'escaped')).toThrow(why);
});

test('escaped leaves bytes that are no UTF-8 as they are', () => {
  expect(decode(Uint8Array.of(0xff, 0x5c, 0x30, 0x80), 'escaped')).toEqual(Buffer.of(0xff, 0x00, 0x80));
});
