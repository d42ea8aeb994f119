import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseCidr } from '../../src/guard/access-list.js';
import { EncodingError } from '../../src/text/encoding.js';
import { matchExact, matchHex, type Matcher, matchPeer, matchRegex, matchSize } from '../../src/rules/matcher.js';
import { RuleRequest } from '../../src/rules/rule-request.js';
import { holds, holdsAsync, payloads } from '../support/property.js';

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
