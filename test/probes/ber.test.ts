import { describe, expect, test } from '@jest/globals';
import {
  decodeInteger,
  decodeObjectIdentifier,
  encodeObjectIdentifier,
  INTEGER,
  OCTET_STRING,
  openRest,
  readContent,
  readInteger,
  readRest,
  SEQUENCE,
  writeElement,
  writeInteger,
} from '../../src/probes/ber.js';
import { ByteReader } from '../../src/probes/byte-reader.js';
import { MalformedReply } from '../../src/probes/probe.js';
import { fc, holds } from '../support/property.js';
import { hex } from './fixtures/fixture.js';

const reader = (text: string): ByteReader => new ByteReader(hex(text));

describe('a length', () => {
  test('is read as it was written, however long the content is', () => {
    for (const length of [0, 1, 0x7f, 0x80, 0xff, 0x100, 65_535]) {
      const element = writeElement(OCTET_STRING, Buffer.alloc(length, 'x'));
      expect(readRest(new ByteReader(element))).toEqual({ tag: OCTET_STRING, content: Buffer.alloc(length, 'x') });
    }
  });

  test('may have more octets than it needs, up to four', () => {
    expect(readContent(reader('04 8400000001 61'), OCTET_STRING).toString()).toBe('a');
  });

  test.each([
    ['is indefinite', '30 80 0500 0000', 'a length in it is indefinite'],
    ['has five octets', '04 850000000001 61', 'a length in it has 5 octets'],
    ['has 127 octets', `04 ff ${'00'.repeat(127)}`, 'a length in it has 127 octets'],
    ['leads beyond the end', '04 8300ffff 61', 'it ends after 6 bytes'],
    ['is not there', '04', 'it ends after 1 bytes'],
  ])('is malformed if it %s', (_, text, message) => {
    expect(() => readRest(reader(text))).toThrow(new MalformedReply(message));
  });
});

describe('an element', () => {
  test('is malformed if its tag has several octets, is another, or something follows', () => {
    expect(() => readRest(reader('3f81 00'))).toThrow(new MalformedReply('a tag in it has more than one octet'));
    expect(() => readContent(reader('0400'), INTEGER)).toThrow(
      new MalformedReply('the tag 0x04 stands where 0x02 belongs'),
    );
    expect(() => openRest(reader('3000 00'), SEQUENCE)).toThrow(new MalformedReply('1 bytes are left over'));
  });
});

describe('an integer', () => {
  test('of 32 bits is read as it was written, in the fewest octets', () => {
    holds(
      fc.property(fc.integer(), (value) => {
        expect(readInteger(new ByteReader(writeInteger(value)))).toBe(value);
      }),
    );
    expect(writeInteger(127)).toEqual(hex('0201 7f'));
    expect(writeInteger(128)).toEqual(hex('0202 0080'));
    expect(writeInteger(-128)).toEqual(hex('0201 80'));
    expect(writeInteger(-129)).toEqual(hex('0202 ff7f'));
  });

  test('of 64 bits without a sign fills nine octets', () => {
    expect(decodeInteger(hex('00ffffffffffffffff'), 0n, 2n ** 64n - 1n)).toBe(2n ** 64n - 1n);
  });

  test.each([
    ['has no octets', '', 'an integer in it has 0 octets'],
    ['has ten octets', '01'.repeat(10), 'an integer in it has 10 octets'],
    ['begins with a zero for nothing', '007f', 'an integer in it has more octets than it needs'],
    ['repeats its sign', 'ff80', 'an integer in it has more octets than it needs'],
    ['is too small', 'fe', 'an integer in it is not from -1 to 255'],
    ['is too large', '0100', 'an integer in it is not from -1 to 255'],
  ])('is malformed if it %s', (_, text, message) => {
    expect(() => decodeInteger(hex(text), -1n, 255n)).toThrow(new MalformedReply(message));
  });
});

describe('an object identifier', () => {
  const arc = fc.integer({ min: 0, max: 0xffff_ffff });

  test('is read as it was written', () => {
    const roots = fc.oneof(
      fc.tuple(fc.constantFrom(0, 1), fc.nat(39)),
      fc.tuple(fc.constant(2), fc.integer({ min: 0, max: 0xffff_ffff - 80 })),
    );
    holds(
      fc.property(roots, fc.array(arc, { maxLength: 126 }), (root, rest) => {
        const arcs = [...root, ...rest];
        expect(decodeObjectIdentifier(encodeObjectIdentifier(arcs))).toEqual(arcs);
      }),
    );
  });

  test.each([
    ['has no arcs', '', 'it ends after 0 bytes'],
    ['ends within an arc', '2b 81', 'it ends after 2 bytes'],
    ['has an arc with leading zeros', '2b 8001', 'an arc in it has more octets than it needs'],
    ['has an arc of 33 bits', '2b 9080808000', 'an arc in it has more than 32 bits'],
    ['has an arc without end', `2b ${'ff'.repeat(60_000)}`, 'an arc in it has more than 32 bits'],
    ['has 129 arcs', '2b'.repeat(128), 'an object identifier in it has more than 128 arcs'],
  ])('is malformed if it %s', (_, text, message) => {
    expect(() => decodeObjectIdentifier(hex(text))).toThrow(new MalformedReply(message));
  });
});
