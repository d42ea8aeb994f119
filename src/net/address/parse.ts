import { isIPv4 } from 'node:net';
import { isEndpoint, shown } from '../arguments.js';
import { DatagramError } from '../errors.js';
import { type Address, type Host, invalidAddress, isAddress, noAddress } from './address.js';
import type { Endpoint } from './endpoint.js';
import { canonicalAddress, isIPv6, ONLY_LINK_LOCAL, splitZone } from './literal.js';

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
    throw invalidAddress(text, `it has no port; write ${rest}:PORT`);
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
    if (!isIPv6(splitZone(inner).bare)) throw invalidAddress(text, `"${inner}" is not an IPv6 address`);
    return { host: literalOrAny(inner, text), port };
  }
  if (isIPv6(splitZone(rest).bare)) {
    throw invalidAddress(text, `an IPv6 address stands in brackets: [${rest}]:PORT`);
  }
  const colon = rest.lastIndexOf(':');
  const written = colon < 0 ? rest : rest.slice(0, colon);
  const port = colon < 0 ? undefined : rest.slice(colon + 1);
  if (written.includes(':')) {
    throw invalidAddress(text, 'an IPv6 address stands in brackets: [2001:db8::1]:PORT');
  }
  if (written === '' && port === undefined) throw invalidAddress(text, 'write HOST:PORT');
  return { host: written === '' || written === '*' ? { kind: 'any' } : parseHost(written, text), port };
}

/** `::` is every interface of both families, however it is written; `0.0.0.0` is every one of IPv4. */
function literalOrAny(literal: string, written = literal): Host {
  const address = canonicalAddress(literal, written);
  return address === '::' ? { kind: 'any' } : { kind: 'literal', address };
}

function parseHost(host: string, text: string): Host {
  if (isIPv4(host)) return { kind: 'literal', address: host };
  if (isIPv4(splitZone(host).bare)) throw invalidAddress(text, ONLY_LINK_LOCAL);
  // The resolver reads digits of other scripts as ASCII ones.
  const lastLabel = host.normalize('NFKC').replace(/\.$/, '').split('.').at(-1) ?? '';
  // What ends in a number is an IPv4 address or nothing: inet_aton(3) would read "127.1" and "010.0.0.1" in its own way.
  if (/^(\d+|0x[\da-f]*)$/i.test(lastLabel)) {
    throw invalidAddress(text, `"${host}" is not an IPv4 address in its full decimal form, such as 127.0.0.1`);
  }
  if (host.length > 254 || !/^[\p{L}\p{N}_]([\p{L}\p{N}_.-]*[\p{L}\p{N}_.])?$/u.test(host) || host.includes('..')) {
    throw invalidAddress(text, `"${host}" is not an address or a host name`);
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
    throw invalidAddress(text, `"${port}" is not a port, 0 to 65535`);
  }
  return Number(port);
}
