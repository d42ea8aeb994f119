import { networkInterfaces } from 'node:os';
import { isEndpoint, noEndpoint, wrongArgument } from '../arguments.js';
import type { Endpoint } from '../datagram.js';

/** Which version of the Internet Protocol. */
export type Family = 4 | 6;

export type { Endpoint };

/** The largest payload of one datagram: 65535 less the UDP header and, for IPv4, the IP header (RFC 768, 791, 8200). */
export const MAX_PAYLOAD_BYTES: Readonly<Record<Family, number>> = { 4: 65_507, 6: 65_527 };

/** The family of a literal address. @throws {DatagramError} `INVALID_ADDRESS` for a value that is no text */
export function familyOf(address: string): Family {
  if (typeof address !== 'string') throw wrongArgument('an address', 'text', address, 'INVALID_ADDRESS');
  return address.includes(':') ? 6 : 4;
}

/**
 * Writes an endpoint so that it can be parsed again: `192.0.2.1:53`, `[2001:db8::1]:53`, `[fe80::1%eth0]:53`.
 *
 * @throws {DatagramError} `INVALID_ADDRESS` for a value that is no endpoint
 */
export function formatEndpoint(endpoint: Endpoint): string {
  if (!isEndpoint(endpoint)) throw noEndpoint(endpoint);
  const { address, port } = endpoint;
  return familyOf(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Whether two endpoints are the same peer. @throws {DatagramError} `INVALID_ADDRESS` for a value that is no endpoint */
export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  if (!isEndpoint(a) || !isEndpoint(b)) throw noEndpoint(isEndpoint(a) ? b : a);
  return a.port === b.port && a.address === b.address;
}

/** Whether the address is an IPv4 or IPv6 multicast group (RFC 5771, RFC 4291 section 2.7). */
export function isMulticast(address: string): boolean {
  if (familyOf(address) === 6) return /^ff[\da-f]{2}:/.test(address);
  const first = Number.parseInt(address, 10);
  return first >= 224 && first <= 239;
}

/** Whether a socket that is bound there hears every address of the family, or of both. */
export function isWildcard(address: string): boolean {
  return address === '::' || address === '0.0.0.0';
}

/** Whether the address never leaves this host (RFC 1122 section 3.2.1.3, RFC 4291 section 2.5.3). */
export function isLoopback(address: string): boolean {
  return address === '::1' || (familyOf(address) === 4 && address.startsWith('127.'));
}

/** The limited broadcast address of IPv4 (RFC 919), which every host of a link hears, and no router passes on. */
export const LIMITED_BROADCAST = '255.255.255.255';

/** Whether it is the limited broadcast address, or that of a network of this host, or of the interface named (RFC 919). */
export function isBroadcast(address: string, interfaceName?: string): boolean {
  if (familyOf(address) === 6) return false;
  if (address === LIMITED_BROADCAST) return true;
  const all = networkInterfaces();
  return (interfaceName === undefined ? Object.values(all) : [all[interfaceName]])
    .flatMap((entries) => entries ?? [])
    .some(({ family, address: own, netmask }) => {
      if (family !== 'IPv4' || netmask === '255.255.255.255' || netmask === '255.255.255.254') return false;
      return (toUint32(own) | ~toUint32(netmask)) >>> 0 === toUint32(address);
    });
}

function toUint32(ipv4: string): number {
  return ipv4.split('.').reduce((value, octet) => value * 256 + Number(octet), 0);
}
