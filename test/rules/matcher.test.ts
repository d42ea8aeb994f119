import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { parseCidr } from '../../src/guard/access-list.js';
import { EncodingError } from '../../src/text/encoding.js';
import {
  matchExact,
  matchHex,
  type Matcher,
  matchPeer,
  matchRegex,
  matchRegexBytes,
  matchSize,
} from '../../src/rules/matcher.js';
import { RuleRequest } from '../../src/rules/rule-request.js';
import { fc, holds, holdsAsync, payloads } from '../support/property.js';

const requestOf = (data: Uint8Array | string, address = '192.0.2.7'): RuleRequest =>
  new RuleRequest({ data: Buffer.from(data as string), remote: { address, port: 1 }, local: undefined, timeMs: 0 });
const matches = (matcher: Matcher, data: Uint8Array | string, address?: string): boolean =>
  matcher.match(requestOf(data, address)) !== undefined;

describe('a condition', () => {
  test('on the exact text meets it and nothing else', () => {
    holds(
      fc.property(fc.string({ unit: 'grapheme' }), payloads, (text, other) => {
        const matcher = matchExact(text);
        expect(matches(matcher, text)).toBe(true);
        expect(matches(matcher, other)).toBe(Buffer.from(text).equals(other));
      }),
    );
  });

  test('in hex meets the bytes with any in place of ??, and only as many, or more after ...', () => {
    holds(
      fc.property(payloads, fc.array(fc.boolean()), payloads, (data, wild, more) => {
        const any = (index: number): boolean => wild[index] === true;
        const written = Array.from(data, (byte, index) => (any(index) ? '??' : Buffer.of(byte).toString('hex'))).join(
          ' ',
        );
        const other = Uint8Array.from(data, (byte, index) => (any(index) ? byte ^ 0xff : byte));
        const longer = Buffer.concat([data, more]);
        for (const met of [data, other]) expect(matches(matchHex(written), met)).toBe(true);
        expect(matches(matchHex(written), longer)).toBe(more.length === 0);
        for (const met of [data, longer]) expect(matches(matchHex(`${written} ...`), met)).toBe(true);
        if (data.length > 0) expect(matches(matchHex(`${written}...`), data.subarray(0, -1))).toBe(false);
      }),
    );
  });

  test.each(['0', 'xx', '?', '? ?', '...00', '.. ', '00 .... '])('in hex that is none is told so: %s', (written) => {
    expect(() => matchHex(written)).toThrow(EncodingError);
  });

  test('on the size or the peer meets what is within, mapped addresses and both families', () => {
    expect([0, 1, 2, 3].map((size) => matches(matchSize({ min: 1, max: 2 }), Buffer.alloc(size)))).toEqual([
      false,
      true,
      true,
      false,
    ]);
    const blocks = ['192.0.2.0/24', '2001:db8::/32'].map((text) => parseCidr(text)!);
    const peers = ['192.0.2.200', '192.0.3.1', '2001:db8::5', '2001:db9::5'];
    expect(peers.map((peer) => matches(matchPeer(blocks), '', peer))).toEqual([true, false, true, false]);
  });

  test('on an expression for bytes takes each byte for one character, and captures bytes', async () => {
    const matcher = await matchRegexBytes('^(?P<id>..)\\x80([\\xc0-\\xFF])(.*)$');
    holds(
      fc.property(payloads, fc.integer({ min: 0xc0, max: 0xff }), payloads, (start, byte, rest) => {
        const id = Buffer.concat([start, Buffer.alloc(2)]).subarray(0, 2);
        const data = Buffer.concat([id, Buffer.of(0x80, byte), rest]);
        const captures = matcher.match(requestOf(data)) ?? [];
        const bytes = [data, id, Buffer.of(byte), Buffer.from(rest)];
        expect(captures.map((captured) => Buffer.from(captured ?? 'none'))).toEqual(bytes);
        expect(matches(matcher, Buffer.concat([id, Buffer.of(0x81, byte)]))).toBe(false);
        expect(matches(matcher, Buffer.concat([id, Buffer.of(0x80, byte ^ 0x80)]))).toBe(false);
      }),
    );
    expect({ groups: matcher.groupCount, named: matcher.namedGroups }).toEqual({ groups: 3, named: { id: 1 } });
  });

  test('on an expression for bytes matches every byte by its number, and by no other', async () => {
    for (let byte = 0; byte < 256; byte += 1) {
      const hex = byte.toString(16).padStart(2, '0');
      for (const source of [`(?i)^\\x${hex}$`, `(?i)^\\x{${hex}}$`, `(?i)^[\\x${hex}]$`]) {
        const matcher = await matchRegexBytes(source);
        const met = Array.from({ length: 256 }, (_, other) => other).filter((other) =>
          matches(matcher, Buffer.of(other)),
        );
        const isLetter = /[a-z]/i.test(String.fromCharCode(byte));
        expect(met).toEqual(isLetter ? [byte & ~0x20, byte | 0x20] : [byte]);
      }
    }
  });

  test('on an expression for bytes leaves a backslash before an x as it is', async () => {
    expect(matches(await matchRegexBytes('^\\\\xe9$'), '\\xe9')).toBe(true);
    expect(matches(await matchRegexBytes('^(a)?b$'), 'b')).toBe(true);
    expect((await matchRegexBytes('^(a)?b$')).match(requestOf('b'))).toEqual([Buffer.from('b'), undefined]);
  });

  test.each([
    ['caf\u00e9', '"\u00e9" is no byte; the bytes of its UTF-8 are written \\xc3\\xa9'],
    ['(', 'error parsing regexp'],
  ])('on an expression for bytes that is none is told so: %s', async (source, message) => {
    await expect(matchRegexBytes(source)).rejects.toThrow(message);
  });

  test('on an expression gives what it captures', async () => {
    const matcher = await matchRegex('(?i)^get (?P<what>\\w+)(!)?');
    expect(matcher.match(requestOf('GET lamp'))).toEqual(['GET lamp', 'lamp', undefined]);
    expect(matcher.match(requestOf('set lamp'))).toBeUndefined();
    expect(matcher).toMatchObject({ groupCount: 2, namedGroups: { what: 1 } });
  });

  test('on an expression takes junk of any size, and nested repetition, without harm', async () => {
    const matcher = await matchRegex('^(a+)+$');
    for (const data of ['', randomBytes(65_507), Buffer.alloc(65_507, 'a'), Buffer.from(`${'a'.repeat(65_506)}!`)]) {
      matcher.match(requestOf(data));
    }
    expect(matches(matcher, `${'a'.repeat(65_506)}!`)).toBe(false);
  });

  test('on an expression finds ASCII wherever it stands among whatever bytes', async () => {
    const matcher = await matchRegex('\\x07example\\x03com\\x00');
    await holdsAsync(
      fc.asyncProperty(payloads, payloads, async (before, after) => {
        const request = Buffer.concat([before, Buffer.from('\x07example\x03com\0'), after]);
        expect(matches(matcher, request)).toBe(true);
      }),
    );
  });
});
