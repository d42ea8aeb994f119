import { describe, expect, test } from '@jest/globals';
import { decode } from '../../src/text/encoding.js';
import { escapeJson, escapePayload, escapeText } from '../../src/text/escape.js';
import { fc, holds, payloads, textPayloads } from '../support/property.js';

/** Characters that control a terminal or change the direction of writing. */
// eslint-disable-next-line no-control-regex -- the tests look for control characters
const ACTS = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f\ufeff]/;

const hostile = fc
  .array(
    fc.constantFrom('\x1b[2J', '\x9b1m', '\u202e', '\r', '\n', '\0', '\x7f', 'é', '€', '😀', 'a', '\ufeff', '\u2028'),
  )
  .map((parts) => Buffer.from(parts.join(''), 'utf8'));

const anything = fc.oneof(
  payloads,
  textPayloads,
  hostile,
  fc.tuple(hostile, payloads).map((parts) => Buffer.concat(parts)),
);

describe('an escaped payload', () => {
  test('has no character that acts on a terminal', () => {
    holds(
      fc.property(anything, (payload) => {
        expect(escapePayload(payload)).not.toMatch(ACTS);
      }),
    );
  });

  test('is valid text: nothing had to be replaced', () => {
    holds(
      fc.property(
        payloads.map((payload) => payload.filter((byte) => byte >= 0x80)),
        (payload) => {
          expect(escapePayload(payload)).not.toContain('\ufffd');
        },
      ),
    );
  });

  test('is the payload when it is read as -e escaped, if that has no backslash of its own', () => {
    const plain = anything.map((payload) => payload.filter((byte) => byte !== 0x5c));
    holds(
      fc.property(plain, (payload) => {
        const written = Buffer.from(escapePayload(payload), 'utf8');
        expect(Buffer.from(decode(written, 'escaped'))).toEqual(Buffer.from(payload));
      }),
    );
  });

  test('has no NUL that looks like an octal escape', () => {
    expect(escapePayload(Buffer.from('\x000\x007\x008\0'))).toBe('\\x000\\x007\\08\\0');
  });

  test('leaves text as it is that does nothing', () => {
    const text = 'plain, Grüße, 漢字, 👩‍👩‍👧, العربية, \\n';
    expect(escapePayload(Buffer.from(text))).toBe(text);
  });

  test.each([
    ['\n\r\t\0', '\\n\\r\\t\\0'],
    ['\x1b[31m', '\\x1b[31m'],
    ['\x7f', '\\x7f'],
    ['\x9b', '\\xc2\\x9b'],
    ['\u202e', '\\xe2\\x80\\xae'],
    ['\ufeff', '\\xef\\xbb\\xbf'],
  ])('writes %j as %s', (text, escaped) => {
    expect(escapePayload(Buffer.from(text, 'utf8'))).toBe(escaped);
    expect(escapeText(text)).toBe(escaped);
  });

  test.each([
    ['a stray continuation byte', [0x61, 0x80, 0x62], 'a\\x80b'],
    ['a sequence that is cut short', [0x61, 0xe2, 0x82], 'a\\xe2\\x82'],
    ['an overlong form', [0xc0, 0xaf], '\\xc0\\xaf'],
    ['a longer overlong form', [0xe0, 0x9f, 0xbf], '\\xe0\\x9f\\xbf'],
    ['the longest overlong form', [0xf0, 0x8f, 0xbf, 0xbf], '\\xf0\\x8f\\xbf\\xbf'],
    ['an encoded surrogate', [0xed, 0xa0, 0x80], '\\xed\\xa0\\x80'],
    ['what lies beyond Unicode', [0xf4, 0x90, 0x80, 0x80], '\\xf4\\x90\\x80\\x80'],
    ['a byte that begins nothing', [0xff, 0xf5], '\\xff\\xf5'],
    ['a good character after a bad byte', [0xe2, 0xc3, 0xa9], '\\xe2é'],
  ])('writes %s byte by byte', (_name, bytes, escaped) => {
    expect(escapePayload(Uint8Array.from(bytes))).toBe(escaped);
  });
});

test('escaped text means the same read as -e escaped, and acts on no terminal', () => {
  holds(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const plain = text.replaceAll('\\', '');
      expect(escapeText(plain)).not.toMatch(ACTS);
      expect(Buffer.from(decode(Buffer.from(escapeText(plain)), 'escaped')).toString()).toBe(plain);
    }),
  );
});

test('escaped JSON means the same and acts on no terminal, but for the newline that ends it', () => {
  holds(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), hostile.map(String)), (text) => {
      const line = escapeJson(`${JSON.stringify({ text })}\n`);
      expect(line.slice(0, -1)).not.toMatch(ACTS);
      expect(line.endsWith('\n')).toBe(true);
      expect(JSON.parse(line)).toEqual({ text });
    }),
  );
});
