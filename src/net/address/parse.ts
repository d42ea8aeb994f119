import { isIPv4 } from 'node:net';
import { isEndpoint, shown } from '../arguments.js';
import { DatagramError } from '../errors.js';
import { type Address, type Host, invalidAddress, isAddress, noAddress } from './address.js';
import type { Endpoint } from './endpoint.js';
import { inBrackets, refuseForeign } from './foreign.js';
import { isOwnAddress } from './interfaces.js';
import { canonicalAddress, isIPv6, noZone, splitZone } from './literal.js';

/**
 * Reads an address without looking names up.
 *
 * | text | host |
 * | --- | --- |
 * | `192.0.2.1:53`, `[2001:db8::1]:53`, `[fe80::1%eth0]:53` | a literal address |
 * | `example.com:53` | a name |
 * | `53` | loopback |
 * | `*:53`, `:53`, `[::]:53` | every interface |
 *
 * Each form may follow `udp://`. The port is 0 to 65535.
 *
 * @throws {DatagramError} `INVALID_ADDRESS`. The message says what is wrong and how to write it.
 */
export function parseAddress(text: string): Address {
  if (typeof text !== 'string') throw noAddress(text);
  return parseWithDefaultPort(text, undefined);
}

/**
 * Reads an address as {@link parseAddress} does. Its port may be missing.
 *
 * @param defaultPort The port of an address without one. Undefined: such an address is an error.
 * @throws {DatagramError} `INVALID_ADDRESS`
 */
export function parseWithDefaultPort(text: string, defaultPort: number | undefined): Address {
  const rest = withoutScheme(text);
  refuseForeign(rest);
  if (/^\d+$/.test(rest)) return { host: { kind: 'loopback' }, port: parsePort(rest, text) };
  const { host, port } = splitHostPort(rest, text);
  if (port !== undefined) return { host, port: parsePort(port, text) };
  if (defaultPort === undefined) throw invalidAddress(text, `it has no port; write ${rest}:PORT`);
  return { host, port: defaultPort };
}

/**
 * Reads the local address of a client. It differs from {@link parseAddress} in two forms: the port may be missing, then
 * the kernel chooses it; and a port alone means every interface, not loopback.
 *
 * @throws {DatagramError} `INVALID_ADDRESS`
 */
export function parseSourceAddress(text: string): Address {
  const rest = withoutScheme(text);
  refuseForeign(rest);
  if (/^\d+$/.test(rest)) return { host: { kind: 'any' }, port: parsePort(rest, text) };
  if (isIPv6(splitZone(rest).bare)) {
    refuseAmbiguous(rest);
    return { host: literalOrAny(rest), port: 0 };
  }
  const { host, port } = splitHostPort(rest, text);
  return { host, port: port === undefined ? 0 : parsePort(port, text) };
}

/**
 * Refuses an address without brackets whose last group may be meant as the port: `::1:5000`. An address of this host passes.
 *
 * @throws {DatagramError} `INVALID_ADDRESS`
 */
function refuseAmbiguous(text: string): void {
  const withPort = inBrackets(text);
  if (withPort === undefined || withPort.endsWith(':PORT') || isOwnAddress(canonicalAddress(text))) return;
  throw invalidAddress(text, `write ${withPort}; the address without a port is [${text}]`);
}

function withoutScheme(text: string): string {
  return /^udp:\/\//i.test(text) ? text.slice('udp://'.length) : text;
}

function splitHostPort(rest: string, text: string): { host: Host; port: string | undefined } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/s.exec(rest);
  if (bracketed !== null) {
    const [, inner = '', port] = bracketed;
    if (!isIPv6(splitZone(inner).bare)) throw invalidAddress(text, `"${inner}" is not an IPv6 address`);
    return { host: literalOrAny(inner, text), port };
  }
  const remedy = inBrackets(rest);
  if (remedy !== undefined) throw invalidAddress(text, `write an IPv6 address in brackets: ${remedy}`);
  const colon = rest.lastIndexOf(':');
  const written = colon < 0 ? rest : rest.slice(0, colon);
  const port = colon < 0 ? undefined : rest.slice(colon + 1);
  if (written.includes(':')) {
    throw invalidAddress(text, 'write an IPv6 address in brackets: [2001:db8::1]:PORT');
  }
  if (written === '' && port === undefined) throw invalidAddress(text, 'write HOST:PORT');
  return { host: written === '' || written === '*' ? { kind: 'any' } : parseHost(written, text), port };
}

/**
 * Returns the host of a literal. Each spelling of `::` is `any`, both families. `0.0.0.0` stays a literal: IPv4 only.
 */
function literalOrAny(literal: string, written = literal): Host {
  const address = canonicalAddress(literal, written);
  return address === '::' ? { kind: 'any' } : { kind: 'literal', address };
}

function parseHost(host: string, text: string): Host {
  if (isIPv4(host)) return { kind: 'literal', address: host };
  const { bare, zone } = splitZone(host);
  if (isIPv4(bare)) throw invalidAddress(text, noZone(bare, zone));
  // The resolver reads digits of other scripts, for example "１", as ASCII digits. NFKC does the same.
  const lastLabel = host.normalize('NFKC').replace(/\.$/, '').split('.').at(-1) ?? '';
  // A host that ends in a number is never a name. inet_aton(3) reads "127.1" as 127.0.0.1 and "010.0.0.1" as 8.0.0.1.
  if (/^(\d+|0x[\da-f]*)$/i.test(lastLabel)) {
    throw invalidAddress(text, `"${host}" is not an IPv4 address in its full decimal form, for example 127.0.0.1`);
  }
  if (host.length > 254 || !/^[\p{L}\p{N}_]([\p{L}\p{N}_.-]*[\p{L}\p{N}_.])?$/u.test(host) || host.includes('..')) {
    throw invalidAddress(text, `"${host}" is not an address or a host name`);
  }
  return { kind: 'name', name: host };
}

/**
 * Checks an address object that a caller made, and brings it into canonical form. `::` becomes every interface.
 *
 * @param what The name of the argument in error messages. Default: `the address`.
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

/** Returns a port. @throws {DatagramError} `INVALID_ADDRESS` if it is not a whole number from 0 to 65535 */
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
