import { isIPv4, isIPv6 as isIPv6InFull, SocketAddress } from 'node:net';
import { invalidAddress } from './address.js';
import { isMulticast } from './endpoint.js';
import { anyInterface, interfaceExists } from './interfaces.js';

export const ONLY_LINK_LOCAL = 'only a link-local address has a zone';

/** As Node's own, whose pattern takes milliseconds to compile: it is asked only about what can be one. */
export function isIPv6(text: string): boolean {
  return text.indexOf(':') !== text.lastIndexOf(':') && isIPv6InFull(text);
}

/**
 * Brings a literal into the canonical form of {@link Endpoint}: lower case, compressed, IPv4-mapped as IPv4.
 *
 * @param written What an error shows as the address. Default: the literal.
 * @throws {DatagramError} `INVALID_ADDRESS` if it is no literal, or its zone is missing, misplaced or no interface of this host.
 */
export function canonicalAddress(literal: string, written = literal): string {
  if (isIPv4(literal)) return literal;
  const { bare, zone } = splitZone(literal);
  if (isIPv4(bare)) throw invalidAddress(written, ONLY_LINK_LOCAL);
  if (!isIPv6(bare)) throw invalidAddress(written, 'not an IPv4 or IPv6 address');
  const canonical = new SocketAddress({ address: bare, family: 'ipv6' }).address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(canonical)?.[1];
  if (!needsZone(canonical)) {
    if (zone !== undefined) throw invalidAddress(written, ONLY_LINK_LOCAL);
    return mapped ?? canonical;
  }
  if (zone === undefined) {
    if (isMulticast(canonical)) return canonical;
    throw invalidAddress(written, `a link-local address needs its interface: ${canonical}%${anyInterface()}`);
  }
  if (!interfaceExists(zone)) throw invalidAddress(written, `this host has no interface "${zone}"`);
  return `${canonical}%${zone}`;
}

/** Splits `fe80::1%eth0`. Node's own `isIPv6` knows no zones with an underscore, and interfaces have such names. */
export function splitZone(literal: string): { bare: string; zone: string | undefined } {
  const percent = literal.indexOf('%');
  if (percent < 0) return { bare: literal, zone: undefined };
  return { bare: literal.slice(0, percent), zone: literal.slice(percent + 1) };
}

/** Link-local unicast (fe80::/10) and interface-local or link-local multicast (ff_1, ff_2): RFC 4007. */
function needsZone(canonical: string): boolean {
  return /^(fe[89ab][\da-f]|ff[\da-f][12]):/.test(canonical);
}
