import { SocketAddress } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { addressBytes } from '../../../src/net/address/bytes.js';
import { fc, holds } from '../../support/property.js';

const ipv6Of = (bytes: Uint8Array): string => {
  const groups = Buffer.from(bytes).toString('hex').match(/.{4}/g)!.join(':');
  return new SocketAddress({ address: groups, family: 'ipv6' }).address;
};

/** Random words of IPv6 addresses. Most are zero, so that `::` stands in each place of the text. */
const words = fc.array(fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.nat(0xffff)), {
  minLength: 8,
  maxLength: 8,
});

describe('the bytes of an address', () => {
  test.each<[string, string]>([
    ['192.0.2.1', 'c0000201'],
    ['255.255.255.255', 'ffffffff'],
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['2001:db8::', '20010db8000000000000000000000000'],
    ['2001:db8::1:0:0:1', '20010db8000000000001000000000001'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['::1.2.3.4', '00000000000000000000000001020304'],
    ['fe80::1%eth0', 'fe800000000000000000000000000001'],
    ['ff02::4242%a:b.c', 'ff020000000000000000000000004242'],
  ])('of %s are %s', (address, hex) => {
    expect(Buffer.from(addressBytes(address)).toString('hex')).toBe(hex);
  });

  test('are those that Node writes an IPv6 address of', () => {
    holds(
      fc.property(words, (all) => {
        const bytes = Uint8Array.from(all.flatMap((word) => [word >>> 8, word & 0xff]));
        expect(addressBytes(ipv6Of(bytes))).toEqual(bytes);
      }),
    );
  });

  test('have memory of their own, which begins with them', () => {
    expect(addressBytes('::1').buffer.byteLength).toBe(16);
    expect(addressBytes('127.0.0.1').buffer.byteLength).toBe(4);
  });
});
