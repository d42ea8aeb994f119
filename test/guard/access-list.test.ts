import { describe, expect, test } from '@jest/globals';
import { AccessList, type Cidr, parseCidr } from '../../src/guard/access-list.js';
import { canonicalAddress } from '../../src/net/address/literal.js';
import { fc, holds } from '../support/property.js';

const admits = (address: string, allow: readonly string[], deny: readonly string[] = []): boolean =>
  new AccessList(
    allow.map((text) => parseCidr(text)!),
    deny.map((text) => parseCidr(text)!),
  ).admits({ address, port: 1 });

test.each<[string, Cidr]>([
  ['192.0.2.0/24', { address: '192.0.2.0', prefixBits: 24 }],
  ['192.0.2.7', { address: '192.0.2.7', prefixBits: 32 }],
  ['0.0.0.0/0', { address: '0.0.0.0', prefixBits: 0 }],
  ['2001:DB8::/32', { address: '2001:db8::', prefixBits: 32 }],
  ['::1', { address: '::1', prefixBits: 128 }],
  ['::/0', { address: '::', prefixBits: 0 }],
  ['fe80::/10', { address: 'fe80::', prefixBits: 10 }],
  ['ff02::1', { address: 'ff02::1', prefixBits: 128 }],
  ['::ffff:192.0.2.0/120', { address: '192.0.2.0', prefixBits: 24 }],
  ['::ffff:192.0.2.7', { address: '192.0.2.7', prefixBits: 32 }],
  ['::ffff:c000:207', { address: '192.0.2.7', prefixBits: 32 }],
  ['::ffff:0:0/96', { address: '0.0.0.0', prefixBits: 0 }],
])('%s is a block', (text, block) => {
  expect(parseCidr(text)).toEqual(block);
});

test.each([
  '',
  '/24',
  '192.0.2.0/',
  '192.0.2.0/33',
  '192.0.2.0/-1',
  '192.0.2.0/024',
  '192.0.2.0/2 4',
  '192.0.2.0/24/24',
  '192.0.2.0/255.255.255.0',
  '192.0.2',
  '127.1',
  '010.0.0.1',
  '::/129',
  '[::1]',
  'fe80::1%lo',
  'localhost',
  '192.0.2.1:53',
  '::ffff:192.0.2.0/95',
])('%j is none', (text) => {
  expect(parseCidr(text)).toBeUndefined();
});

describe('an access list', () => {
  test.each([
    ['with nothing on it', '192.0.2.1', [], [], true],
    ['that allows the block', '192.0.2.1', ['192.0.2.0/24'], [], true],
    ['that allows another block', '192.0.3.1', ['192.0.2.0/24'], [], false],
    ['that allows one of several blocks', '10.9.9.9', ['192.0.2.0/24', '10.0.0.0/8'], [], true],
    ['that denies the block', '192.0.2.1', [], ['192.0.2.0/24'], false],
    ['that denies another block', '192.0.3.1', [], ['192.0.2.0/24'], true],
    ['that allows a block and denies a part of it', '10.0.0.5', ['10.0.0.0/8'], ['10.0.0.5'], false],
    ['that allows a block and denies another part of it', '10.0.0.6', ['10.0.0.0/8'], ['10.0.0.5'], true],
    ['that denies all and allows a part, where denial wins', '10.0.0.5', ['10.0.0.5'], ['0.0.0.0/0'], false],
    ['of host bits that mean the block around them', '192.0.2.200', ['192.0.2.7/24'], [], true],
    ['of all IPv4, to IPv4', '192.0.2.1', ['0.0.0.0/0'], [], true],
    ['of all IPv4, to IPv6', '2001:db8::1', ['0.0.0.0/0'], [], false],
    ['of all IPv6, to IPv6', '2001:db8::1', ['::/0'], [], true],
    ['of all IPv6, to IPv4', '192.0.2.1', ['::/0'], [], false],
    ['of mapped IPv4, to IPv4', '192.0.2.1', ['::ffff:192.0.2.0/120'], [], true],
    ['of link-local addresses, to one with a zone', 'fe80::1%eth0', ['fe80::/10'], [], true],
    ['of one link-local address, whatever the zone', 'fe80::1%eth1', [], ['fe80::1'], false],
  ] as const)('%s: %s, allow %j, deny %j, admitted %j', (_name, address, allow, deny, admitted) => {
    expect(admits(address, allow, deny)).toBe(admitted);
  });

  test('is open only without any block', () => {
    const block = parseCidr('::/0')!;
    expect(new AccessList([], []).open).toBe(true);
    expect(new AccessList([block], []).open).toBe(false);
    expect(new AccessList([], [block]).open).toBe(false);
  });

  test('decides the same each time, for more addresses than it remembers', () => {
    const list = new AccessList([parseCidr('10.0.0.0/17')!], []);
    for (const round of [1, 2]) {
      for (let host = 0; host < 10_000; host += 1) {
        const address = `10.0.${((host * 7) % 256).toString()}.${host % 256}`;
        expect([round, address, list.admits({ address, port: round })]).toEqual([
          round,
          address,
          (host * 7) % 256 < 128,
        ]);
      }
    }
  });

  const bits = { 4: 32, 6: 128 } as const;
  const write = (family: 4 | 6, value: bigint): string => {
    const hex = value.toString(16).padStart(bits[family] / 4, '0');
    const groups = hex.match(family === 4 ? /../g : /..../g)!;
    const address = family === 4 ? groups.map((group) => Number.parseInt(group, 16)).join('.') : groups.join(':');
    return address;
  };
  test.each([4, 6] as const)('agrees for IPv%i with the arithmetic of prefixes, host bits or none', (family) => {
    const max = (1n << BigInt(bits[family])) - 1n;
    holds(
      fc.property(
        fc.bigInt({ min: 0n, max }),
        fc.bigInt({ min: 0n, max }),
        fc.nat(bits[family]),
        fc.nat(bits[family]),
        (base, noise, same, prefixBits) => {
          // An address that shares about `same` bits with the base. IPv4-mapped ones belong to the other family.
          const address = base ^ (noise >> BigInt(same));
          fc.pre(family === 4 || (base >> 32n !== 0xffffn && address >> 32n !== 0xffffn && !isLinkLocal(address)));
          const shift = BigInt(bits[family] - prefixBits);
          const inside = base >> shift === address >> shift;
          const canonical = canonicalAddress(write(family, address));
          expect(admits(canonical, [`${write(family, base)}/${prefixBits}`])).toBe(inside);
          expect(admits(canonical, [], [`${write(family, base)}/${prefixBits}`])).toBe(!inside);
        },
      ),
    );
  });
  const isLinkLocal = (address: bigint): boolean => address >> 118n === 0x3fan || address >> 116n === 0xfe8n;
});
