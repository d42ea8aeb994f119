import { describe, expect, test } from '@jest/globals';
import { EncodingError } from '../../src/text/encoding.js';
import { decodeJsonLine } from '../../src/input/json-datagram.js';
import { readMessages } from '../../src/input/message-stream.js';
import type { Datagram } from '../../src/net/index.js';
import { formatDatagram } from '../support/json-lines.js';
import { fc, holdsAsync, payloads, textPayloads } from '../support/property.js';

const BOUND = { address: '::1', port: 8000 };

const datagram = (data: Uint8Array): Datagram => ({
  data,
  remote: { address: '127.0.0.1', port: 40_000 },
  local: { address: '127.0.0.1', port: 8000 },
  timeMs: 1_795_334_400_123.456,
});

/** Writes payloads as lines, and reads them back. */
async function roundTrip(given: readonly Uint8Array[]): Promise<Uint8Array[]> {
  const stream = Buffer.from(given.map((data) => formatDatagram(datagram(data), 'in', BOUND)).join(''));
  async function* input(): AsyncGenerator<Uint8Array, undefined> {
    for (let from = 0; from < stream.length; from += 1000) yield stream.subarray(from, from + 1000);
  }
  const messages: Uint8Array[] = [];
  const format = { frame: { kind: 'json' }, encoding: 'hex' } as const;
  for await (const batch of readMessages(input(), format, 65_527)) messages.push(...batch);
  return messages;
}

describe('the round trip from a datagram to a JSON line and back', () => {
  test('gives back any payloads in order', async () => {
    await holdsAsync(
      fc.asyncProperty(fc.array(fc.oneof(payloads, textPayloads), { maxLength: 5 }), async (given) => {
        expect((await roundTrip(given)).map((data) => Buffer.from(data))).toEqual(
          given.map((data) => Buffer.from(data)),
        );
      }),
    );
  });

  const utf8 = (text: string) => Buffer.from(text, 'utf8');
  test.each([
    ['an empty payload', Buffer.of()],
    ['a byte-order mark', utf8('\ufeff')],
    ['text after a byte-order mark', utf8('\ufefftext')],
    ['U+FFFD itself', utf8('\ufffd')],
    ['a byte that is no UTF-8', Buffer.of(0xff)],
    ['an encoded surrogate', Buffer.of(0xed, 0xa0, 0x80)],
    ['an overlong form', Buffer.of(0xc0, 0x80)],
    ['a newline, NUL, DEL and C1', utf8('\n\0\x7f\x9b')],
    ['line separators', utf8('\u2028\u2029')],
    ['the largest payload as text', Buffer.alloc(65_527, 'x')],
    ['the largest payload of control characters', Buffer.alloc(65_527, 1)],
    ['the largest payload of three-byte characters', Buffer.alloc(65_526, '\u2028')],
    ['the largest payload as bytes', Buffer.alloc(65_527, 0xfe)],
  ])('keeps %s', async (_name, payload) => {
    expect((await roundTrip([payload])).map((data) => Buffer.from(data).equals(payload))).toEqual([true]);
  });
});

/** Returns the payload of a line, as text. */
const decoded = (line: string): string | undefined => {
  const payload = decodeJsonLine(Buffer.from(line, 'utf8'));
  return payload && Buffer.from(payload).toString('utf8');
};

test.each([
  ['"dir" "in"', '{"v":1,"type":"datagram","dir":"in","data":"hello"}', 'hello'],
  ['no "dir"', '{"v":1,"type":"datagram","data":"hello"}', 'hello'],
  ['"base64"', '{"v":1,"type":"datagram","base64":"aGVsbG8="}', 'hello'],
  ['a payload of no bytes', '{"v":1,"type":"datagram","data":""}', ''],
  ['base64 of no bytes', '{"v":1,"type":"datagram","base64":""}', ''],
  ['a surrogate pair', '{"v":1,"type":"datagram","data":"\\ud83d\\ude00"}', '😀'],
  ['members that are not known', '{"x":[1],"v":1,"type":"datagram","size":9,"data":"a"}', 'a'],
  ['white space around it', ' {"v":1,"type":"datagram","data":"a"}\r', 'a'],
])('a datagram with %s is sent', (_name, line, payload) => {
  expect(decoded(line)).toBe(payload);
});

test.each([
  ['an empty line', ''],
  ['white space', ' \t\r'],
  ['an event', '{"v":1,"type":"listening","address":"127.0.0.1:8000"}'],
  ['a type of the future', '{"v":1,"type":"weather","data":"a","base64":1}'],
  ['a datagram that was sent', '{"v":1,"type":"datagram","dir":"out","data":"hello"}'],
])('%s is skipped', (_name, line) => {
  expect(decoded(line)).toBeUndefined();
});

test.each([
  ['is not JSON', 'hello', /not valid JSON/],
  ['is cut short', '{"v":1,"type":"datagram","data":"he', /not valid JSON/],
  ['is an array', '[]', /not a JSON object/],
  ['is null', 'null', /not a JSON object/],
  ['is a string', '"datagram"', /not a JSON object/],
  ['has no type', '{"v":1,"data":"a"}', /no "type"/],
  ['has another version', '{"v":2,"type":"datagram","data":"a"}', /"v" is not 1/],
  ['has a version in a string', '{"v":"1","type":"datagram","data":"a"}', /"v" is not 1/],
  ['has an unknown dir', '{"v":1,"type":"datagram","dir":"up","data":"a"}', /"dir" is neither/],
  ['has no payload', '{"v":1,"type":"datagram","dir":"in"}', /exactly one of "data" and "base64"/],
  ['has two payloads', '{"v":1,"type":"datagram","data":"a","base64":"YQ=="}', /exactly one of/],
  ['has a null beside its payload', '{"v":1,"type":"datagram","data":null,"base64":"YQ=="}', /exactly one of/],
  ['has data that is no string', '{"v":1,"type":"datagram","data":5}', /"data" is not a string/],
  ['has base64 that is no string', '{"v":1,"type":"datagram","base64":null}', /"base64" is not a string/],
  ['has bad base64', '{"v":1,"type":"datagram","base64":"a"}', /not base64/],
  ['has base64url', '{"v":1,"type":"datagram","base64":"-_-_"}', /not base64/],
  ['has a lone high surrogate', '{"v":1,"type":"datagram","data":"a\\ud800b"}', /lone surrogate/],
  ['has a lone low surrogate', '{"v":1,"type":"datagram","data":"\\udc00"}', /lone surrogate/],
  ['has surrogates the wrong way round', '{"v":1,"type":"datagram","data":"\\ude00\\ud83d"}', /lone surrogate/],
])('a line that %s is an EncodingError that says so', (_name, line, why) => {
  expect(() => decoded(line)).toThrow(why);
  expect(() => decoded(line)).toThrow(EncodingError);
});

test('a line that is no UTF-8 is an EncodingError', () => {
  const line = Buffer.concat([Buffer.from('{"v":1,"type":"datagram","data":"'), Buffer.of(0xff), Buffer.from('"}')]);
  expect(() => decodeJsonLine(line)).toThrow(/not valid UTF-8/);
});
