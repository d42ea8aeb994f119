import { readFileSync } from 'node:fs';
import { isIPv4, isIPv6 as isIPv6InFull, SocketAddress } from 'node:net';
import { networkInterfaces, platform } from 'node:os';
import { isEndpoint, isRecord, noEndpoint, shown, wrongArgument } from '../arguments.js';
import type { Endpoint } from '../datagram.js';
import { DatagramError } from '../errors.js';

/** Which version of the Internet Protocol. */
export type Family = 4 | 6;

export type { Endpoint };

/**
 * Where an address points before names are resolved:
 * the loopback of either family (only a port was written), every interface of both families, a literal, or a name.
 */
export type Host =
  | { readonly kind: 'loopback' }
  | { readonly kind: 'any' }
  | { readonly kind: 'literal'; readonly address: string }
  | { readonly kind: 'name'; readonly name: string };

/** An address as a person wrote it, validated but not yet resolved. */
export interface Address {
  readonly host: Host;
  /** 0 to 65535; 0 lets the kernel choose. */
  readonly port: number;
}

const ONLY_LINK_LOCAL = 'only a link-local address has a zone';

/** The largest payload of one datagram: 65535 less the UDP header and, for IPv4, the IP header (RFC 768, 791, 8200). */
export const MAX_PAYLOAD_BYTES: Readonly<Record<Family, number>> = { 4: 65_507, 6: 65_527 };

/** As Node's own, whose pattern takes milliseconds to compile: it is asked only about what can be one. */
function isIPv6(text: string): boolean {
  return text.indexOf(':') !== text.lastIndexOf(':') && isIPv6InFull(text);
}

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

/**
 * Writes an address that may not be resolved yet, as {@link formatEndpoint} does.
 *
 * @throws {DatagramError} `INVALID_ADDRESS` for a value that is no address
 */
export function formatAddress(address: Address): string {
  if (!isAddress(address)) throw noAddress(address);
  const { host, port } = address;
  switch (host.kind) {
    case 'loopback':
      return String(port);
    case 'any':
      return `*:${port}`;
    case 'literal':
      return formatEndpoint({ address: host.address, port });
    case 'name':
      return `${host.name}:${port}`;
  }
}

/** Whether two endpoints are the same peer. @throws {DatagramError} `INVALID_ADDRESS` for a value that is no endpoint */
export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  if (!isEndpoint(a) || !isEndpoint(b)) throw noEndpoint(isEndpoint(a) ? b : a);
  return a.port === b.port && a.address === b.address;
}

/** Whether a value has the shape of an address that may not be resolved yet. */
function isAddress(value: unknown): value is Address {
  if (!isRecord(value) || typeof value.port !== 'number' || !isRecord(value.host)) return false;
  const { kind, address, name } = value.host;
  if (kind === 'literal') return typeof address === 'string';
  return kind === 'name' ? typeof name === 'string' : kind === 'any' || kind === 'loopback';
}

function noAddress(value: unknown, what = 'the address'): DatagramError {
  return wrongArgument(
    what,
    'text such as 127.0.0.1:8000, { address, port } or { host, port }',
    value,
    'INVALID_ADDRESS',
  );
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

/**
 * Brings a literal into the canonical form of {@link Endpoint}: lower case, compressed, IPv4-mapped as IPv4.
 *
 * @param written What an error shows as the address. Default: the literal.
 * @throws {DatagramError} `INVALID_ADDRESS` if it is no literal, or its zone is missing, misplaced or no interface of this host.
 */
export function canonicalAddress(literal: string, written = literal): string {
  if (isIPv4(literal)) return literal;
  const { bare, zone } = splitZone(literal);
  if (isIPv4(bare)) throw invalid(written, ONLY_LINK_LOCAL);
  if (!isIPv6(bare)) throw invalid(written, 'not an IPv4 or IPv6 address');
  const canonical = new SocketAddress({ address: bare, family: 'ipv6' }).address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(canonical)?.[1];
  if (!needsZone(canonical)) {
    if (zone !== undefined) throw invalid(written, ONLY_LINK_LOCAL);
    return mapped ?? canonical;
  }
  if (zone === undefined) {
    if (isMulticast(canonical)) return canonical;
    throw invalid(written, `a link-local address needs its interface: ${canonical}%${anyInterface()}`);
  }
  if (!interfaceExists(zone)) throw invalid(written, `this host has no interface "${zone}"`);
  return `${canonical}%${zone}`;
}

/** Splits `fe80::1%eth0`. Node's own `isIPv6` knows no zones with an underscore, and interfaces have such names. */
function splitZone(literal: string): { bare: string; zone: string | undefined } {
  const percent = literal.indexOf('%');
  if (percent < 0) return { bare: literal, zone: undefined };
  return { bare: literal.slice(0, percent), zone: literal.slice(percent + 1) };
}

/** Link-local unicast (fe80::/10) and interface-local or link-local multicast (ff_1, ff_2): RFC 4007. */
function needsZone(canonical: string): boolean {
  return /^(fe[89ab][\da-f]|ff[\da-f][12]):/.test(canonical);
}

/**
 * An IPv4 address of an interface.
 *
 * @throws {DatagramError} `OPEN_FAILED` where it has none, or is down
 */
export function ipv4Of(interfaceName: string): string {
  const own = networkInterfaces()[interfaceName]?.find((entry) => entry.family === 'IPv4');
  if (own !== undefined) return own.address;
  throw new DatagramError('OPEN_FAILED', `the interface "${interfaceName}" is not up or has no IPv4 address`);
}

/** The name of an interface that may stand in an example: one of this host, other than its loopback. */
export function anyInterface(): string {
  return Object.keys(networkInterfaces()).find((name) => name !== 'lo') ?? 'eth0';
}

/** Whether this host has a network interface of that name. */
export function interfaceExists(name: string): boolean {
  return Object.hasOwn(networkInterfaces(), name) || interfacesOfLinux().includes(name);
}

/** os.networkInterfaces() leaves out those that are down or have no address, and /sys may be that of another namespace. */
function interfacesOfLinux(): string[] {
  if (platform() !== 'linux') return [];
  try {
    const [, , ...lines] = readFileSync('/proc/net/dev', 'utf8').trimEnd().split('\n');
    return lines.map((line) => line.slice(0, line.indexOf(':')).trim());
  } catch {
    return [];
  }
}

/**
 * Reads an address: `192.0.2.1:53`, `[2001:db8::1]:53`, `name:53`, `*:53` or `:53` (every interface), `53` (loopback),
 * each also after `udp://`. `[::]:53` is every interface as well.
 *
 * @throws {DatagramError} `INVALID_ADDRESS`, saying what is wrong and how to write it.
 */
export function parseAddress(text: string): Address {
  if (typeof text !== 'string') throw noAddress(text);
  const rest = withoutScheme(text);
  if (/^\d+$/.test(rest)) return { host: { kind: 'loopback' }, port: parsePort(rest, text) };
  const { host, port } = splitHostPort(rest, text);
  if (port === undefined) {
    throw invalid(text, `it has no port; write ${rest}:PORT`);
  }
  return { host, port: parsePort(port, text) };
}

/**
 * Reads a local address for a socket that sends: as {@link parseAddress}, and the port may be missing (the kernel then
 * chooses it). A bare port is any address of the family.
 *
 * @throws {DatagramError} `INVALID_ADDRESS`
 */
export function parseSourceAddress(text: string): Address {
  const rest = withoutScheme(text);
  if (/^\d+$/.test(rest)) return { host: { kind: 'any' }, port: parsePort(rest, text) };
  if (isIPv6(splitZone(rest).bare)) return { host: literalOrAny(rest), port: 0 };
  const { host, port } = splitHostPort(rest, text);
  return { host, port: port === undefined ? 0 : parsePort(port, text) };
}

function withoutScheme(text: string): string {
  return text.startsWith('udp://') ? text.slice('udp://'.length) : text;
}

function splitHostPort(rest: string, text: string): { host: Host; port: string | undefined } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/s.exec(rest);
  if (bracketed !== null) {
    const [, inner = '', port] = bracketed;
    if (!isIPv6(splitZone(inner).bare)) throw invalid(text, `"${inner}" is not an IPv6 address`);
    return { host: literalOrAny(inner, text), port };
  }
  if (isIPv6(splitZone(rest).bare)) {
    throw invalid(text, `an IPv6 address stands in brackets: [${rest}]:PORT`);
  }
  const colon = rest.lastIndexOf(':');
  const written = colon < 0 ? rest : rest.slice(0, colon);
  const port = colon < 0 ? undefined : rest.slice(colon + 1);
  if (written.includes(':')) {
    throw invalid(text, 'an IPv6 address stands in brackets: [2001:db8::1]:PORT');
  }
  if (written === '' && port === undefined) throw invalid(text, 'write HOST:PORT');
  return { host: written === '' || written === '*' ? { kind: 'any' } : parseHost(written, text), port };
}

/** `::` is every interface of both families, however it is written; `0.0.0.0` is every one of IPv4. */
function literalOrAny(literal: string, written = literal): Host {
  const address = canonicalAddress(literal, written);
  return address === '::' ? { kind: 'any' } : { kind: 'literal', address };
}

function parseHost(host: string, text: string): Host {
  if (isIPv4(host)) return { kind: 'literal', address: host };
  if (isIPv4(splitZone(host).bare)) throw invalid(text, ONLY_LINK_LOCAL);
  // The resolver reads digits of other scripts as ASCII ones.
  const lastLabel = host.normalize('NFKC').replace(/\.$/, '').split('.').at(-1) ?? '';
  // What ends in a number is an IPv4 address or nothing: inet_aton(3) would read "127.1" and "010.0.0.1" in its own way.
  if (/^(\d+|0x[\da-f]*)$/i.test(lastLabel)) {
    throw invalid(text, `"${host}" is not an IPv4 address in its full decimal form, such as 127.0.0.1`);
  }
  if (host.length > 254 || !/^[\p{L}\p{N}_]([\p{L}\p{N}_.-]*[\p{L}\p{N}_.])?$/u.test(host) || host.includes('..')) {
    throw invalid(text, `"${host}" is not an address or a host name`);
  }
  return { kind: 'name', name: host };
}

/**
 * Validates an address that a caller made, and brings it into canonical form.
 *
 * @param address Already parsed, or a literal endpoint; `::` is every interface of both families.
 * @param what The address, as an error calls it. Default: the address.
 * @throws {DatagramError} `INVALID_ADDRESS`
 */
export function checkAddress(address: Address | Endpoint, what?: string): Address {
  if (isEndpoint(address)) return { host: literalOrAny(address.address), port: checkPort(address.port) };
  if (!isAddress(address)) throw noAddress(address, what);
  const { host } = address;
  const port = checkPort(address.port);
  switch (host.kind) {
    case 'loopback':
    case 'any':
      return address;
    case 'literal':
      return { host: literalOrAny(host.address), port };
    case 'name':
      return { host: parseHost(host.name, host.name), port };
  }
}

/** @throws {DatagramError} `INVALID_ADDRESS` unless the port is a whole number from 0 to 65535 */
export function checkPort(port: number): number {
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new DatagramError('INVALID_ADDRESS', `a port is a whole number from 0 to 65535, not ${shown(port)}`);
}

function parsePort(port: string, text: string): number {
  if (!/^\d+$/.test(port) || Number(port) > 65_535) {
    throw invalid(text, `"${port}" is not a port, 0 to 65535`);
  }
  return Number(port);
}

function invalid(text: string, why: string): DatagramError {
  return new DatagramError('INVALID_ADDRESS', `invalid address "${text}": ${why}`);
}

/**
 * Checks that an address can be of the family asked for.
 *
 * @throws {DatagramError} `INVALID_ADDRESS` on a contradiction.
 */
export function checkFamily(address: Address, family: Family | undefined): void {
  const { host } = address;
  if (family !== undefined && host.kind === 'literal' && familyOf(host.address) !== family) {
    throw invalid(formatAddress(address), `it is not an IPv${family} address`);
  }
}

/**
 * Checks that an address can be sent to.
 *
 * @throws {DatagramError} `INVALID_ADDRESS` for every interface, and for port 0.
 */
export function checkDestination(address: Address): Address {
  const { host, port } = address;
  const written = formatAddress(address);
  if (host.kind === 'any' || (host.kind === 'literal' && isWildcard(host.address))) {
    const remedy = `name one, such as 127.0.0.1:${port} for this host`;
    throw new DatagramError('INVALID_ADDRESS', `cannot send to "${written}": it stands for every interface; ${remedy}`);
  }
  if (port === 0) {
    throw new DatagramError('INVALID_ADDRESS', `cannot send to "${written}": port 0 is no destination, 1 to 65535 are`);
  }
  return address;
}
