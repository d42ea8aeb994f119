import { isIPv4, isIPv6 as isIPv6InFull, SocketAddress } from 'node:net';
import { invalidAddress } from './address.js';
import { isMulticast } from './endpoint.js';
import { anyInterface, interfaceExists, noInterface } from './interfaces.js';

export const ONLY_LINK_LOCAL = 'only a link-local address has a zone, and an IPv6 group';

/**
 * Whether text is an IPv6 address without a zone. Node's `isIPv6` compiles a pattern for milliseconds at its first
 * call, so this calls it only for text with at least two colons.
 */
export function isIPv6(text: string): boolean {
  return text.indexOf(':') !== text.lastIndexOf(':') && isIPv6InFull(text);
}

/**
 * Brings a literal address into the canonical form of {@link Endpoint}: lower case, compressed, IPv4-mapped as IPv4.
 *
 * @param written The address as the user wrote it, for error messages. Default: the literal.
 * @throws {DatagramError} `INVALID_ADDRESS` if the text is not an address, if a zone is missing, if a zone stands where
 * none belongs, or if the zone is not an interface of this host
 */
export function canonicalAddress(literal: string, written = literal): string {
  if (isIPv4(literal)) return literal;
  const { bare, zone } = splitZone(literal);
  if (isIPv4(bare)) throw invalidAddress(written, noZone(bare, zone));
  if (!isIPv6(bare)) throw invalidAddress(written, 'not an IPv4 or IPv6 address');
  const canonical = new SocketAddress({ address: bare, family: 'ipv6' }).address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(canonical)?.[1];
  const isGroup = isMulticast(canonical);
  if (zone === undefined) {
    if (isGroup || !needsZone(canonical)) return mapped ?? canonical;
    throw invalidAddress(written, `a link-local address needs its interface: ${canonical}%${anyInterface()}`);
  }
  if (!isGroup && !needsZone(canonical)) throw invalidAddress(written, ONLY_LINK_LOCAL);
  if (!interfaceExists(zone)) throw invalidAddress(written, noInterface(zone));
  return `${canonical}%${zone}`;
}

/**
 * Splits `fe80::1%eth0` into address and zone. Names of interfaces may contain an underscore, which Node's `isIPv6`
 * does not accept in a zone.
 */
export function splitZone(literal: string): { bare: string; zone: string | undefined } {
  const percent = literal.indexOf('%');
  if (percent < 0) return { bare: literal, zone: undefined };
  return { bare: literal.slice(0, percent), zone: literal.slice(percent + 1) };
}

/** Says that an IPv4 address has no zone, and for a group how its interface is named. */
export function noZone(ipv4: string, zone = ''): string {
  return isMulticast(ipv4) ? `an IPv4 group has no zone; write ${ipv4}, and --interface ${zone}` : ONLY_LINK_LOCAL;
}

/** Whether an address is valid on one link only: unicast fe80::/10, or multicast ff_1 and ff_2 (RFC 4007). */
export function needsZone(canonical: string): boolean {
  return /^(fe[89ab][\da-f]|ff[\da-f][12]):/.test(canonical);
}
