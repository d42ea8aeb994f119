import { networkInterfaces } from 'node:os';
import { isEndpoint, noEndpoint, wrongArgument } from '../arguments.js';
import type { Endpoint } from '../datagram.js';

/** The IP version: 4 or 6. */
export type Family = 4 | 6;

export type { Endpoint };

/**
 * The largest payload of a datagram in bytes, by family. It is 65535 less the UDP header (8 bytes) and, for IPv4, less
 * the IP header (20 bytes): RFC 768, RFC 791, RFC 8200.
 */
export const MAX_PAYLOAD_BYTES: Readonly<Record<Family, number>> = { 4: 65_507, 6: 65_527 };

/**
 * Returns the family of a literal address. Text with a colon counts as IPv6; the address is not checked further.
 *
 * @throws {DatagramError} `INVALID_ADDRESS` if the value is not a string
 */
export function familyOf(address: string): Family {
  if (typeof address !== 'string') throw wrongArgument('an address', 'text', address, 'INVALID_ADDRESS');
  return address.includes(':') ? 6 : 4;
}

/**
 * Writes an endpoint so that `parseAddress` can read it: `192.0.2.1:53`, `[2001:db8::1]:53`, `[fe80::1%eth0]:53`.
 *
 * @throws {DatagramError} `INVALID_ADDRESS` if the value is not an endpoint
 */
export function formatEndpoint(endpoint: Endpoint): string {
  if (!isEndpoint(endpoint)) throw noEndpoint(endpoint);
  const { address, port } = endpoint;
  return familyOf(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

/**
 * Whether two endpoints have the same address and port.
 *
 * @throws {DatagramError} `INVALID_ADDRESS` if one of the values is not an endpoint
 */
export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  if (!isEndpoint(a) || !isEndpoint(b)) throw noEndpoint(isEndpoint(a) ? b : a);
  return a.port === b.port && a.address === b.address;
}

/**
 * Whether an address is a multicast group: 224.0.0.0 to 239.255.255.255 (RFC 5771) or ff00::/8 (RFC 4291 section 2.7).
 */
export function isMulticast(address: string): boolean {
  if (familyOf(address) === 6) return /^ff[\da-f]{2}:/.test(address);
  const first = Number.parseInt(address, 10);
  return first >= 224 && first <= 239;
}

/** Whether an address stands for every interface of this host: `0.0.0.0` or `::`. */
export function isWildcard(address: string): boolean {
  return address === '::' || address === '0.0.0.0';
}

/** Whether an address is a loopback address: 127.0.0.0/8 (RFC 1122 section 3.2.1.3) or ::1 (RFC 4291 section 2.5.3). */
export function isLoopback(address: string): boolean {
  return address === '::1' || (familyOf(address) === 4 && address.startsWith('127.'));
}

/** The limited broadcast address of IPv4 (RFC 919). All hosts of a link receive it; routers do not pass it on. */
export const LIMITED_BROADCAST = '255.255.255.255';

/**
 * Whether an address is a broadcast address (RFC 919): the limited one, or that of a network of this host.
 *
 * @param interfaceName Looks only at the networks of this interface. Default: all interfaces.
 */
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
