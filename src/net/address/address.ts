import { isRecord, wrongArgument } from '../arguments.js';
import { DatagramError } from '../errors.js';
import { type Family, familyOf, formatEndpoint, isWildcard } from './endpoint.js';

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

/** Whether a value has the shape of an address that may not be resolved yet. */
export function isAddress(value: unknown): value is Address {
  if (!isRecord(value) || typeof value.port !== 'number' || !isRecord(value.host)) return false;
  const { kind, address, name } = value.host;
  if (kind === 'literal') return typeof address === 'string';
  return kind === 'name' ? typeof name === 'string' : kind === 'any' || kind === 'loopback';
}

/** The error about a value that is no address. */
export function noAddress(value: unknown, what = 'the address'): DatagramError {
  return wrongArgument(
    what,
    'text such as 127.0.0.1:8000, { address, port } or { host, port }',
    value,
    'INVALID_ADDRESS',
  );
}

/** The error about an address that cannot be used as written. */
export function invalidAddress(text: string, why: string): DatagramError {
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
    throw invalidAddress(formatAddress(address), `it is not an IPv${family} address`);
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
