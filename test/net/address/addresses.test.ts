import { networkInterfaces } from 'node:os';
import { describe, expect, test } from '@jest/globals';
import { checkDestination, checkFamily } from '../../../src/net/address/address.js';
import { isBroadcast, isMulticast } from '../../../src/net/address/endpoint.js';
import { canonicalAddress } from '../../../src/net/address/literal.js';
import { parseSourceAddress } from '../../../src/net/address/parse.js';
import {
  type Address,
  DatagramError,
  familyOf,
  formatAddress,
  formatEndpoint,
  type Host,
  parseAddress,
  sameEndpoint,
} from '../../../src/net/index.js';
import { resolveAddress } from '../../../src/net/address/resolve.js';
import { fc, holds } from '../../support/property.js';

/** The name of an interface of this host. */
const ZONE = Object.keys(networkInterfaces())[0]!;

const any: Host = { kind: 'any' };
const loopback: Host = { kind: 'loopback' };
const literal = (address: string): Host => ({ kind: 'literal', address });
const name = (written: string): Host => ({ kind: 'name', name: written });

function errorOf(run: () => unknown): DatagramError {
  try {
    run();
  } catch (error) {
    if (error instanceof DatagramError) return error;
    throw error;
  }
  throw new Error('expected a DatagramError');
}

describe('parseAddress', () => {
  test.each<[string, Host, number]>([
    ['127.0.0.1:8000', literal('127.0.0.1'), 8000],
    ['0.0.0.0:8000', literal('0.0.0.0'), 8000],
    ['255.255.255.255:1', literal('255.255.255.255'), 1],
    ['[::1]:8000', literal('::1'), 8000],
    ['[2001:DB8:0:0::1]:53', literal('2001:db8::1'), 53],
    ['[::ffff:192.0.2.1]:53', literal('192.0.2.1'), 53],
    ['[::FFFF:c000:201]:53', literal('192.0.2.1'), 53],
    ['[0:0:0:0:0:0:0:0]:53', any, 53],
    ['[::]:8000', any, 8000],
    ['*:8000', any, 8000],
    [':8000', any, 8000],
    ['8000', loopback, 8000],
    ['0', loopback, 0],
    ['65535', loopback, 65_535],
    ['00080', loopback, 80],
    ['name:8000', name('name'), 8000],
    ['Some-Host_1.example.com.:0', name('Some-Host_1.example.com.'), 0],
    ['1and1.example:53', name('1and1.example'), 53],
    ['bücher.example:53', name('bücher.example'), 53],
    ['udp://name:8000', name('name'), 8000],
    ['udp://[::1]:8000', literal('::1'), 8000],
    ['udp://8000', loopback, 8000],
    ['UDP://8000', loopback, 8000],
    ['udp:8000', name('udp'), 8000],
    ['tcp-echo:8000', name('tcp-echo'), 8000],
    [`[fe80::1%${ZONE}]:8000`, literal(`fe80::1%${ZONE}`), 8000],
    [`[FE80:0::1%${ZONE}]:8000`, literal(`fe80::1%${ZONE}`), 8000],
    [`[ff02::1%${ZONE}]:8000`, literal(`ff02::1%${ZONE}`), 8000],
    ['[ff02::1]:8000', literal('ff02::1'), 8000],
    ['[fe8::1]:53', literal('fe8::1'), 53],
    ['[::1.2.3.4]:53', literal('::1.2.3.4'), 53],
  ])('reads %s', (text, host, port) => {
    expect(parseAddress(text)).toEqual({ host, port });
  });

  test.each<[string, RegExp]>([
    ['', /write HOST:PORT/],
    ['192.0.2.1', /it has no port; write 192\.0\.2\.1:PORT/],
    ['name', /it has no port; write name:PORT/],
    ['*', /it has no port; write \*:PORT/],
    ['[::1]', /it has no port; write \[::1\]:PORT/],
    ['::1', /write an IPv6 address in brackets: \[::1\]:PORT/],
    ['::1:8000', /write an IPv6 address in brackets: \[::1\]:8000$/],
    [':::8000', /write an IPv6 address in brackets: \[::\]:8000$/],
    ['::1:70000', /write an IPv6 address in brackets: \[2001/],
    ['2001:db8::53', /write an IPv6 address in brackets: \[2001:db8::53\]:PORT$/],
    ['2001:db8::1:53', /write an IPv6 address in brackets: \[2001:db8::1\]:53$/],
    ['1:2:3:4:5:6:7:8', /write an IPv6 address in brackets: \[1:2:3:4:5:6:7:8\]:PORT$/],
    ['1:2:3:4:5:6:7:8:53', /write an IPv6 address in brackets: \[1:2:3:4:5:6:7:8\]:53$/],
    ['::ffff:192.0.2.1:53', /write an IPv6 address in brackets: \[::ffff:192\.0\.2\.1\]:53$/],
    ['fe80::1%eth0', /write an IPv6 address in brackets: \[fe80::1%eth0\]:PORT$/],
    ['fe80::1%eth0:7001', /write an IPv6 address in brackets: \[fe80::1%eth0\]:7001$/],
    ['fe80::1%my_if:7001', /write an IPv6 address in brackets: \[fe80::1%my_if\]:7001$/],
    ['[::1]8000', /write an IPv6 address in brackets: \[::1\]:8000$/],
    ['http://192.0.2.1:80', /"http:\/\/" does not belong to an address; write 192\.0\.2\.1:80$/],
    ['https://example.com/a?b=c', /write example\.com:PORT$/],
    ['coap://[::1]:5683/x', /write \[::1\]:5683$/],
    ['http://::1:80/', /write \[::1\]:80$/],
    ['tcp://8000', /write 8000$/],
    ['http://', /write HOST:PORT$/],
    ['UDP4-SENDTO:127.0.0.1:9', /"UDP4-SENDTO:" does not belong to an address; write 127\.0\.0\.1:9$/],
    ['udp:name:9', /write name:9$/],
    ['/dev/udp/127.0.0.1/9', /write 127\.0\.0\.1:9$/],
    ['127.0.0.1#53', /write 127\.0\.0\.1:53$/],
    ['127.0.0.1.53', /write 127\.0\.0\.1:53$/],
    ['127.0.0.1 53', /write 127\.0\.0\.1:53$/],
    ['[::1', /write an IPv6 address in brackets/],
    ['::g:53', /write an IPv6 address in brackets/],
    ['[::g]:53', /"::g" is not an IPv6 address/],
    ['[127.0.0.1]:53', /"127\.0\.0\.1" is not an IPv6 address/],
    ['[]:53', /"" is not an IPv6 address/],
    ['127.1:53', /"127\.1" is not an IPv4 address in its full decimal form/],
    ['0x7f.1:53', /full decimal form/],
    ['0x7f000001:53', /full decimal form/],
    ['010.0.0.1:53', /full decimal form/],
    ['2130706433:53', /full decimal form/],
    ['256.0.0.1:53', /full decimal form/],
    ['1.2.3.4.5:53', /full decimal form/],
    ['example.1.:53', /full decimal form/],
    // Full-width digits: the resolver would read them as 127.1.
    ['１２７.１:53', /full decimal form/],
    ['239.1.2.3%lo:53', /an IPv4 group has no zone; write 239\.1\.2\.3, and --interface lo$/],
    ['127.0.0.1%lo:53', /only a link-local address has a zone/],
    [`[2001:db8::1%${ZONE}]:53`, /only a link-local address has a zone/],
    ['[fe80::1]:53', /a link-local address needs its interface: fe80::1%\S+/],
    ['[fe80::1%no_such]:53', /this host has no interface "no_such"/],
    ['[fe80::1%]:53', /this host has no interface ""/],
    ['[fe80::1%../lo]:53', /this host has no interface "\.\.\/lo"/],
    ['[fe80::1%..]:53', /this host has no interface "\.\."/],
    ['name:65536', /"65536" is not a port, 0 to 65535/],
    ['65536', /"65536" is not a port, 0 to 65535/],
    ['name:-1', /"-1" is not a port/],
    ['name:+1', /"\+1" is not a port/],
    ['name:1e3', /"1e3" is not a port/],
    ['name:0x50', /"0x50" is not a port/],
    ['name: 80', /" 80" is not a port/],
    ['name:80/', /"80\/" is not a port/],
    ['name:http', /"http" is not a port/],
    ['name:', /"" is not a port/],
    [':', /"" is not a port/],
    ['udp://', /write HOST:PORT/],
    ['two words:53', /"two words" is not an address or a host name/],
    ['-name:53', /not an address or a host name/],
    ['name-:53', /not an address or a host name/],
    ['.name:53', /not an address or a host name/],
    ['a..b:53', /not an address or a host name/],
    ['name\n:53', /not an address or a host name/],
    ['na\u0000me:53', /not an address or a host name/],
    ['user@name:53', /not an address or a host name/],
    [`${'a'.repeat(255)}:53`, /not an address or a host name/],
  ])('refuses %j and says why', (text, why) => {
    const error = errorOf(() => parseAddress(text));
    expect(error.code).toBe('INVALID_ADDRESS');
    expect(error.message).toMatch(why);
    expect(error.message).toContain(text);
  });
});

describe('parseSourceAddress', () => {
  test.each<[string, Host, number]>([
    ['8000', any, 8000],
    ['127.0.0.1', literal('127.0.0.1'), 0],
    ['127.0.0.1:53', literal('127.0.0.1'), 53],
    ['::1', literal('::1'), 0],
    ['::', any, 0],
    ['[::1]', literal('::1'), 0],
    ['[::1]:53', literal('::1'), 53],
    [`fe80::1%${ZONE}`, literal(`fe80::1%${ZONE}`), 0],
    ['name', name('name'), 0],
    ['udp://name:53', name('name'), 53],
    ['*:53', any, 53],
  ])('reads %s', (text, host, port) => {
    expect(parseSourceAddress(text)).toEqual({ host, port });
  });

  test.each(['', '65536', '127.1', '[::1]x', '127.0.0.1:', 'fe80::1', 'fe80::1%no_such'])('refuses %j', (text) => {
    expect(errorOf(() => parseSourceAddress(text)).code).toBe('INVALID_ADDRESS');
  });
});

const ports = fc.integer({ min: 0, max: 65_535 });
const hosts: fc.Arbitrary<Host> = fc.oneof(
  fc.constant(any),
  fc.constant(loopback),
  fc.ipV4().map(literal),
  fc
    .ipV6()
    .map(withZone)
    .map(canonicalAddress)
    .map((address) => (address === '::' ? any : literal(address))),
  fc.domain().map(name),
);
const addresses: fc.Arbitrary<Address> = fc.record({ host: hosts, port: ports });

/** Adds a zone to a link-local address, which is not valid without one. */
function withZone(ipv6: string): string {
  return /^fe[89ab][\da-f]:/i.test(ipv6) ? `${ipv6}%${ZONE}` : ipv6;
}

/** Writes an IPv6 address in another way: in upper or lower case, with leading zeros and without `::`. */
function rewritten(ipv6: string, upperCase: boolean): string {
  const [left = '', right] = ipv6.split('::');
  const groupsOf = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const before = groupsOf(left);
  const after = groupsOf(right ?? '');
  const full = [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after];
  const text = full.map((group) => group.padStart(4, '0')).join(':');
  return upperCase ? text.toUpperCase() : text;
}

const groups = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 });
const hexIpv6 = groups.map((all) => all.map((group) => group.toString(16)).join(':'));

describe('the properties of addresses', () => {
  test('what was formatted is parsed as what it was', () => {
    holds(
      fc.property(addresses, (address) => {
        expect(parseAddress(formatAddress(address))).toEqual(address);
      }),
    );
  });

  test('a link-local address keeps its zone through format and parse', () => {
    holds(
      fc.property(
        fc.integer({ min: 0, max: 0xffff }),
        fc.constantFrom('fe80', 'febf', 'ff02', 'ff11'),
        ports,
        (low, high, port) => {
          const address = canonicalAddress(`${high}::${low.toString(16)}%${ZONE}`);
          expect(address.endsWith(`%${ZONE}`)).toBe(true);
          expect(parseAddress(formatEndpoint({ address, port }))).toEqual({ host: literal(address), port });
        },
      ),
    );
  });

  test('the canonical form of a canonical form is itself', () => {
    holds(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), hexIpv6), (text) => {
        const once = canonicalAddress(withZone(text));
        expect(canonicalAddress(once)).toBe(once);
      }),
    );
  });

  test('two writings of one IPv6 address are one peer', () => {
    holds(
      fc.property(hexIpv6, fc.boolean(), ports, (ipv6, upperCase, port) => {
        const one = canonicalAddress(withZone(ipv6));
        const other = canonicalAddress(withZone(rewritten(ipv6, upperCase)));
        expect(sameEndpoint({ address: one, port }, { address: other, port })).toBe(true);
      }),
    );
  });

  test('an IPv4-mapped address is the IPv4 address, in either writing', () => {
    holds(
      fc.property(fc.ipV4(), (ipv4) => {
        const [a = 0, b = 0, c = 0, d = 0] = ipv4.split('.').map(Number);
        const hex = `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
        expect([canonicalAddress(`::ffff:${ipv4}`), canonicalAddress(`::FFFF:${hex}`)]).toEqual([ipv4, ipv4]);
      }),
    );
  });

  test.each([
    ['parseAddress', parseAddress],
    ['parseSourceAddress', parseSourceAddress],
  ])('%s makes of junk an address that can be written again, or says INVALID_ADDRESS', (_name, parse) => {
    const pieces = fc.constantFrom(
      '[',
      ']',
      ':',
      '::',
      '%',
      '.',
      '*',
      'udp://',
      '0x',
      '1',
      '255',
      'fe80',
      'lo',
      'a',
      '-',
    );
    const junk = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.array(pieces, { maxLength: 12 }).map((all) => all.join('')),
    );
    holds(
      fc.property(junk, (text) => {
        let address: Address;
        try {
          address = parse(text);
        } catch (error) {
          expect(error).toBeInstanceOf(DatagramError);
          expect((error as DatagramError).code).toBe('INVALID_ADDRESS');
          return;
        }
        expect(parseAddress(formatAddress(address))).toEqual(address);
      }),
    );
  });

  test('every whole number from 0 to 65535 is a port, and no other is', () => {
    for (let port = 0; port <= 65_535; port += 1) {
      if (parseAddress(`127.0.0.1:${port}`).port !== port) throw new Error(`read ${port} wrongly`);
    }
    holds(
      fc.property(
        fc.oneof(fc.integer({ min: 65_536 }), fc.bigInt({ min: 65_536n }), fc.integer({ max: -1 }), fc.double()),
        (port) => {
          fc.pre(typeof port !== 'number' || !(Number.isInteger(port) && port >= 0 && port <= 65_535));
          expect(() => parseAddress(`127.0.0.1:${port}`)).toThrow(DatagramError);
        },
      ),
    );
  });
});

describe('an address', () => {
  test('tells its family', () => {
    expect(['0.0.0.0', '::', `fe80::1%${ZONE}`].map(familyOf)).toEqual([4, 6, 6]);
  });

  test('is multicast in 224.0.0.0/4 and ff00::/8 only', () => {
    expect(['224.0.0.1', '239.255.255.255', 'ff02::1', 'ffff::'].map(isMulticast)).toEqual([true, true, true, true]);
    expect(['223.255.255.255', '240.0.0.1', 'fe80::1', 'ff::1', 'f::1'].map(isMulticast)).toEqual(Array(5).fill(false));
  });

  test('is broadcast when it is the last of a network of this host, or the limited one', () => {
    expect(['255.255.255.255', '127.255.255.255'].map((address) => isBroadcast(address))).toEqual([true, true]);
    expect(['127.0.0.1', '203.0.113.255', '::1'].map((address) => isBroadcast(address))).toEqual([false, false, false]);
  });

  test('is no destination when it stands for every interface or has port 0', () => {
    for (const text of ['*:53', '[::]:53', '0.0.0.0:53', '[::ffff:0.0.0.0]:53']) {
      expect(errorOf(() => checkDestination(parseAddress(text))).message).toMatch(
        /name one address, for example 127\.0\.0\.1:53/,
      );
    }
    expect(errorOf(() => checkDestination(parseAddress('127.0.0.1:0'))).message).toMatch(
      /the port of a destination is 1 to 65535, not 0/,
    );
    expect(checkDestination(parseAddress('127.0.0.1:1'))).toEqual({ host: literal('127.0.0.1'), port: 1 });
  });

  test('contradicts the other family, and a mapped one is IPv4', () => {
    expect(errorOf(() => checkFamily(parseAddress('127.0.0.1:1'), 6)).message).toMatch(/not an IPv6 address/);
    expect(errorOf(() => checkFamily(parseAddress('[::1]:1'), 4)).message).toMatch(/not an IPv4 address/);
    expect(errorOf(() => checkFamily(parseAddress('[::ffff:127.0.0.1]:1'), 6)).code).toBe('INVALID_ADDRESS');
    expect(() => checkFamily(parseAddress('*:1'), 4)).not.toThrow();
  });
});

describe('resolveAddress', () => {
  test.each<[string, 4 | 6 | undefined, string]>([
    ['53', undefined, '127.0.0.1:53'],
    ['53', 4, '127.0.0.1:53'],
    ['53', 6, '[::1]:53'],
    ['*:53', undefined, '[::]:53'],
    ['*:53', 4, '0.0.0.0:53'],
    ['[::]:53', 6, '[::]:53'],
    ['192.0.2.1:53', undefined, '192.0.2.1:53'],
    ['[2001:db8::1]:53', 6, '[2001:db8::1]:53'],
  ])('of %s with family %s is %s', async (text, family, endpoint) => {
    expect((await resolveAddress(parseAddress(text), family)).map(formatEndpoint)).toEqual([endpoint]);
  });

  test('looks a name up, each of its addresses once, and only those of the family asked for', async () => {
    const all = await resolveAddress(parseAddress('localhost:53'));
    expect(all.map(formatEndpoint)).toContain('127.0.0.1:53');
    expect(new Set(all.map(formatEndpoint)).size).toBe(all.length);
    expect((await resolveAddress(parseAddress('localhost:53'), 4)).map(formatEndpoint)).toEqual(['127.0.0.1:53']);
  });

  test('rejects a name that cannot be one with NOT_FOUND, the name and the cause', async () => {
    const label = 'a'.repeat(64);
    const error = (await resolveAddress(parseAddress(`${label}.invalid:53`)).catch((e: unknown) => e)) as DatagramError;
    expect(error).toBeInstanceOf(DatagramError);
    expect(error.code).toBe('NOT_FOUND');
    expect(error.message).toMatch(`cannot resolve ${label}.invalid: `);
    expect(error.cause).toMatchObject({ hostname: `${label}.invalid` });
  });

  test('rejects with the reason of a signal that is aborted before or while it looks up', async () => {
    const address = parseAddress('localhost:53');
    await expect(resolveAddress(address, undefined, AbortSignal.abort('before'))).rejects.toBe('before');
    const during = new AbortController();
    const found = resolveAddress(address, undefined, during.signal);
    during.abort('while');
    await expect(found).rejects.toBe('while');
  });
});
