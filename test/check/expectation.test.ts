import { describe, expect, test } from '@jest/globals';
import { expectContains, expectExact, expectRegex, expectSize } from '../../src/check/expectation.js';
import { EncodingError, ENCODINGS } from '../../src/text/encoding.js';
import { fc, holds, payloads } from '../support/property.js';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8');
const hexOf = (data: Uint8Array): string => Buffer.from(data).toString('hex');

/** A slice of a payload, written in hex with some bytes as `??`. `fixed` are the places of the other bytes. */
const maskedSlices = fc
  .tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(), fc.nat(), fc.array(fc.boolean(), { minLength: 40 }))
  .map(([payload, from, length, masks]) => {
    const start = from % payload.length;
    const slice = payload.subarray(start, start + 1 + (length % (payload.length - start)));
    const pairs = Array.from(slice, (byte, index) => (masks[index] ? '??' : byte.toString(16).padStart(2, '0')));
    const fixed = pairs.flatMap((pair, index) => (pair === '??' ? [] : [index]));
    return { payload, slice, pattern: pairs.join(' '), fixed };
  });

describe('a reply that must contain bytes', () => {
  test('matches at any place', () => {
    holds(
      fc.property(payloads, payloads, payloads, (before, wanted, after) => {
        const reply = Buffer.concat([before, wanted, after]);
        expect(expectContains(bytes(hexOf(wanted)), 'hex').mismatch(reply)).toBeUndefined();
      }),
    );
  });

  test('matches if and only if the reply has them in one piece', () => {
    const few = fc.uint8Array({ max: 2, maxLength: 12 });
    holds(
      fc.property(few, fc.uint8Array({ max: 2, maxLength: 3 }), (reply, wanted) => {
        const contains = expectContains(wanted, 'utf8').mismatch(reply) === undefined;
        expect(contains).toBe(hexOf(reply).search(new RegExp(`^(..)*${hexOf(wanted)}`)) >= 0);
      }),
    );
  });

  test('matches a slice with any bytes masked', () => {
    holds(
      fc.property(maskedSlices, ({ payload, pattern }) => {
        expect(expectContains(bytes(pattern), 'hex').mismatch(payload)).toBeUndefined();
      }),
    );
  });

  test('matches always, also when empty, if the pattern is empty', () => {
    for (const encoding of ENCODINGS) {
      expect(expectContains(bytes(''), encoding).mismatch(bytes(''))).toBeUndefined();
      expect(expectContains(bytes(''), encoding).mismatch(bytes('a'))).toBeUndefined();
    }
  });

  test('must have as many bytes as are masked', () => {
    expect(expectContains(bytes('????'), 'hex').mismatch(bytes('a'))).toBeDefined();
    expect(expectContains(bytes('????'), 'hex').mismatch(bytes('ab'))).toBeUndefined();
    expect(expectContains(bytes('61??63'), 'hex').mismatch(bytes('xxabc'))).toBeUndefined();
    expect(expectContains(bytes('61??63'), 'hex').mismatch(bytes('xxab'))).toBeDefined();
  });

  test('is compared with the pattern in its encoding', () => {
    expect(expectContains(bytes('\\n'), 'escaped').mismatch(bytes('a\nb'))).toBeUndefined();
    expect(expectContains(bytes('\\n'), 'utf8').mismatch(bytes('a\nb'))).toBeDefined();
    expect(expectContains(bytes('YWI='), 'base64').mismatch(bytes('xaby'))).toBeUndefined();
    expect(expectContains(bytes('??'), 'utf8').mismatch(bytes('ab'))).toBeDefined();
  });

  test('otherwise is told with the pattern as written, cut to a bounded length', () => {
    expect(expectContains(bytes('00 ??'), 'hex').mismatch(bytes(''))).toBe('does not contain "00 ??"');
    expect(expectContains(bytes('x'.repeat(100)), 'utf8').mismatch(bytes(''))).toBe(
      `does not contain "${'x'.repeat(57)}..."`,
    );
  });
});

describe('a reply that must be exactly these bytes', () => {
  test('matches only if it is equal', () => {
    holds(
      fc.property(payloads, payloads, (reply, wanted) => {
        const exact = expectExact(bytes(hexOf(wanted)), 'hex');
        expect(exact.mismatch(wanted)).toBeUndefined();
        expect(exact.mismatch(reply) === undefined).toBe(Buffer.from(reply).equals(Buffer.from(wanted)));
      }),
    );
  });

  test('matches with bytes masked, if all others are equal', () => {
    holds(
      fc.property(
        maskedSlices,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        ({ slice, pattern, fixed }, nth, change) => {
          const exact = expectExact(bytes(pattern), 'hex');
          expect(exact.mismatch(slice)).toBeUndefined();
          const place = fixed[nth % fixed.length];
          if (place === undefined) return;
          const changed = Uint8Array.from(slice);
          changed[place]! ^= change;
          expect(exact.mismatch(changed)).toBeDefined();
        },
      ),
    );
  });

  test('does not match if it is longer or shorter', () => {
    holds(
      fc.property(maskedSlices, ({ slice, pattern }) => {
        const exact = expectExact(bytes(pattern), 'hex');
        expect(exact.mismatch(slice.subarray(1))).toBeDefined();
        expect(exact.mismatch(Buffer.concat([slice, Buffer.of(0)]))).toBeDefined();
      }),
    );
  });

  test('can be empty', () => {
    expect(expectExact(bytes(''), 'utf8').mismatch(bytes(''))).toBeUndefined();
    expect(expectExact(bytes(''), 'utf8').mismatch(bytes('a'))).toBe('is not ""');
  });
});

test.each(['0?', '?', '???', '0x?', '??:', '?? g0', '??\u00a0??'])('%j is no hex pattern', (pattern) => {
  expect(() => expectContains(bytes(pattern), 'hex')).toThrow(EncodingError);
  expect(() => expectExact(bytes(pattern), 'hex')).toThrow(EncodingError);
});

describe('a size', () => {
  test.each([
    [{ min: 5, max: 5 }, [5], [0, 4, 6], '5'],
    [{ min: 5 }, [5, 65_527], [0, 4], '5..'],
    [{ max: 5 }, [0, 5], [6], '0..5'],
    [{ min: 5, max: 7 }, [5, 6, 7], [4, 8], '5..7'],
    [{ min: 0, max: 0 }, [0], [1], '0'],
  ])('of %j has both bounds included, and is told', (range, inside, outside, wanted) => {
    const size = expectSize(range);
    for (const length of inside) expect(size.mismatch(new Uint8Array(length))).toBeUndefined();
    for (const length of outside) {
      expect(size.mismatch(new Uint8Array(length))).toBe(`has ${length} bytes, not ${wanted}`);
    }
  });
});

describe('a regular expression', () => {
  test.each([
    ['^ok', 'ok then', true],
    ['^ok$', 'ok then', false],
    ['ok', 'not ok\n', true],
    ['^$', '', true],
    ['', 'anything', true],
    ['OK', 'ok', false],
    ['(?i)OK', 'ok', true],
    ['a.b', 'a\nb', false],
    ['(?s)a.b', 'a\nb', true],
    ['^b', 'a\nb', false],
    ['(?m)^b', 'a\nb', true],
    ['a$', 'a\n', false],
    ['^.$', '😀', true],
    ['^\\pL+$', 'Grüße', true],
    ['^\ufeffa', '\ufeffa', true],
    ['^\\x00$', '\0', true],
  ])('%j looks at %j as RE2 does: %j', async (source, reply, matches) => {
    expect((await expectRegex(source)).mismatch(bytes(reply)) === undefined).toBe(matches);
  });

  test('sees U+FFFD for each invalid byte, and all other bytes unchanged', async () => {
    expect((await expectRegex('^a\ufffd\ufffdb$')).mismatch(Buffer.of(0x61, 0xff, 0xfe, 0x62))).toBeUndefined();
  });

  test('is quoted if it does not match', async () => {
    expect((await expectRegex('^ok$')).mismatch(bytes('no'))).toBe('does not match "^ok$"');
  });

  test.each([
    ['(a+)+$', `${'a'.repeat(65_000)}!`],
    ['^(a|aa)+$', `${'a'.repeat(65_000)}!`],
    ['(.*)*x', 'a'.repeat(65_507)],
    ['(a?){50}a{50}$', `${'a'.repeat(65_000)}!`],
    ['^(([a-z])+.)+[A-Z]([a-z])+$', 'a'.repeat(65_507)],
  ])('%s cannot be made to run for ever', async (source, reply) => {
    expect((await expectRegex(source)).mismatch(bytes(reply))).toBeDefined();
  });

  test('that is slow for other engines finds a match at the end of 65 kB', async () => {
    expect((await expectRegex('(a+)+b$')).mismatch(bytes(`${'a'.repeat(65_000)}b`))).toBeUndefined();
  });

  test.each([
    ['(', /missing closing \)/],
    ['[z-a]', /invalid character class range.*z-a/],
    ['*', /missing argument to repetition operator.*\*/],
    ['a{1001}', /invalid repeat count|repeat/i],
    ['(?=a)', /\(\?=/],
    ['\\1', /\\1/],
    ['\\', /trailing backslash/],
  ])('%j is refused with its problem named', async (source, problem) => {
    await expect(expectRegex(source)).rejects.toThrow(EncodingError);
    await expect(expectRegex(source)).rejects.toThrow(problem);
  });
});
