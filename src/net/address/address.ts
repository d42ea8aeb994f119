import { isRecord, wrongArgument } from '../arguments.js';
import { DatagramError } from '../errors.js';
import { type Family, familyOf, formatEndpoint, isWildcard } from './endpoint.js';

/**
 * The host of an address whose name was not looked up yet.
 *
 * - `loopback`: this host; only a port was written. Resolved to `127.0.0.1`, or to `::1` for IPv6.
 * - `any`: every interface; `*` or `[::]` was written. Resolved to `::`, or to `0.0.0.0` for IPv4.
 * - `literal`: an IPv4 or IPv6 address, in the canonical form of {@link Endpoint}.
 * - `name`: a host name for the resolver.
 */
export type Host =
  | { readonly kind: 'loopback' }
  | { readonly kind: 'any' }
  | { readonly kind: 'literal'; readonly address: string }
  | { readonly kind: 'name'; readonly name: string };

/** An address that was checked, but whose name was not looked up yet. `parseAddress` returns it. */
export interface Address {
  readonly host: Host;
  /** 0 to 65535. With 0 the kernel chooses the port of a local address. */
  readonly port: number;
}

/**
 * Writes an address so that `parseAddress` can read it: `192.0.2.1:53`, `[2001:db8::1]:53`, `name:53`, `*:53` or `53`.
 *
 * @throws {DatagramError} `INVALID_ADDRESS` if the value is not an address
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

/** Whether a value has the shape of an {@link Address}. Does not check its host and port. */
export function isAddress(value: unknown): value is Address {
  if (!isRecord(value) || typeof value.port !== 'number' || !isRecord(value.host)) return false;
  const { kind, address, name } = value.host;
  if (kind === 'literal') return typeof address === 'string';
  return kind === 'name' ? typeof name === 'string' : kind === 'any' || kind === 'loopback';
}

/** The error about a value that is not an address. `what` names the argument. */
export function noAddress(value: unknown, what = 'the address'): DatagramError {
  return wrongArgument(what, 'text (127.0.0.1:8000), { address, port } or { host, port }', value, 'INVALID_ADDRESS');
}

/** The error about an address that cannot be used as written. */
export function invalidAddress(text: string, why: string): DatagramError {
  return new DatagramError('INVALID_ADDRESS', `invalid address "${text}": ${why}`);
}

/**
 * Checks that a literal address has the given family. Other addresses, and `undefined` as the family, pass.
 *
 * @throws {DatagramError} `INVALID_ADDRESS`
 */
export function checkFamily(address: Address, family: Family | undefined): void {
  const { host } = address;
  if (family !== undefined && host.kind === 'literal' && familyOf(host.address) !== family) {
    throw invalidAddress(formatAddress(address), `it is not an IPv${family} address`);
  }
}

/**
 * Checks that an address can be a destination, and returns it.
 *
 * @throws {DatagramError} `INVALID_ADDRESS` if it stands for every interface (`*`, `0.0.0.0`, `::`) or has port 0
 */
export function checkDestination(address: Address): Address {
  const { host, port } = address;
  const written = formatAddress(address);
  if (host.kind === 'any' || (host.kind === 'literal' && isWildcard(host.address))) {
    const remedy = `name one address, for example 127.0.0.1:${port} for this host`;
    throw new DatagramError('INVALID_ADDRESS', `cannot send to "${written}": it stands for every interface; ${remedy}`);
  }
  if (port === 0) {
    throw new DatagramError(
      'INVALID_ADDRESS',
      `cannot send to "${written}": the port of a destination is 1 to 65535, not 0`,
    );
  }
  return address;
}
