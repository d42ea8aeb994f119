import { isRecord, wrongArgument } from '../arguments.js';
import { type Address, checkDestination, checkFamily, formatAddress } from './address.js';
import { type Endpoint, type Family, familyOf, isWildcard } from './endpoint.js';
import { canonicalAddress } from './literal.js';
import { DatagramError, describeSystemError } from '../errors.js';

/**
 * Looks a name up. Resolves to its addresses, in the order in which to try them; rejects with an error whose `code` is
 * that of the system, for example `ENOTFOUND`. `family` is 4, 6, or 0 for both.
 */
export type Lookup = (name: string, family: Family | 0) => Promise<readonly { readonly address: string }[]>;

const systemLookup: Lookup = async (name, family) => {
  const { lookup } = await import('node:dns/promises');
  return lookup(name, { all: true, family, order: 'verbatim' });
};

/**
 * Returns the endpoints of an address, at least one, in the resolver's order. Looks up only a name, and once.
 *
 * @param family Restricts the result. Default: both; loopback is then `127.0.0.1`, and every interface is `::`.
 * @param signal Ends the wait. The look-up itself goes on until the resolver ends it.
 * @param lookup Looks the name up. Default: the system's resolver in this process.
 * @throws {DatagramError} `NOT_FOUND`; `INVALID_ADDRESS` if a literal has another family; `INVALID_OPTION` if `lookup`
 * returns anything else than addresses
 * @throws The reason of `signal` once it is aborted.
 */
export async function resolveAddress(
  address: Address,
  family?: Family,
  signal?: AbortSignal,
  lookup: Lookup = systemLookup,
): Promise<readonly [Endpoint, ...Endpoint[]]> {
  signal?.throwIfAborted();
  const known = endpointOf(address, family);
  if (known !== undefined) return [known];
  const { host, port } = address;
  return unlessAborted(lookUp(host.kind === 'name' ? host.name : '', port, family, lookup), signal);
}

/**
 * Returns the endpoints of a destination, otherwise like {@link resolveAddress}. Some DNS filters resolve the names
 * that they block to `0.0.0.0` or `::`, which stand for every interface. This leaves such addresses out.
 *
 * @throws {DatagramError} like {@link resolveAddress}; `INVALID_ADDRESS` if no address is left that can be a
 * destination
 */
export async function resolveDestination(
  address: Address,
  family?: Family,
  signal?: AbortSignal,
  lookup?: Lookup,
): Promise<readonly [Endpoint, ...Endpoint[]]> {
  const found = await resolveAddress(checkDestination(address), family, signal, lookup);
  const [first, ...others] = found.filter((endpoint) => !isWildcard(endpoint.address));
  if (first !== undefined) return [first, ...others];
  const why = `it resolves to ${found[0].address}, which stands for every interface`;
  throw new DatagramError('INVALID_ADDRESS', `cannot send to "${formatAddress(address)}": ${why}`);
}

/**
 * Returns the endpoint of an address; undefined for a name, which has to be looked up.
 *
 * @throws {DatagramError} `INVALID_ADDRESS` if a literal has another family
 */
export function endpointOf(address: Address, family?: Family): Endpoint | undefined {
  checkFamily(address, family);
  const { host, port } = address;
  switch (host.kind) {
    case 'loopback':
      return { address: family === 6 ? '::1' : '127.0.0.1', port };
    case 'any':
      return { address: family === 4 ? '0.0.0.0' : '::', port };
    case 'literal':
      return { address: host.address, port };
    case 'name':
      return undefined;
  }
}

async function lookUp(
  name: string,
  port: number,
  family: Family | undefined,
  lookup: Lookup,
): Promise<[Endpoint, ...Endpoint[]]> {
  const kind = family === undefined ? '' : ` as IPv${family}`;
  const what = `cannot resolve ${name}${kind}`;
  let found: unknown;
  try {
    found = await lookup(name, family ?? 0);
  } catch (cause) {
    throw new DatagramError('NOT_FOUND', `${what}: ${describeSystemError(cause)}`, { cause });
  }
  if (!areAddresses(found)) throw wrongArgument(`the result of lookup for ${name}`, 'an array of { address }', found);
  if (found.length === 0) throw new DatagramError('NOT_FOUND', `${what}: lookup found no address`);
  const usable = found.flatMap(({ address }) => usableAddress(address, family));
  const [first, ...others] = [...new Set(usable)].map((address) => ({ address, port }));
  if (first === undefined) throw new DatagramError('NOT_FOUND', `${what}: it has no address that can be used`);
  return [first, ...others];
}

function areAddresses(found: unknown): found is readonly { readonly address: string }[] {
  return Array.isArray(found) && Array.from(found).every((each) => isRecord(each) && typeof each.address === 'string');
}

/**
 * Returns an address of a look-up in canonical form, or nothing if it cannot be used: it has another family, or it is a
 * link-local address, which resolvers return without the zone.
 */
function usableAddress(found: string, family: Family | undefined): string[] {
  try {
    const address = canonicalAddress(found);
    return family === undefined || familyOf(address) === family ? [address] : [];
  } catch {
    return [];
  }
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise<T>((resolve, reject) => {
    const giveUp = (): void => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    work.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', giveUp);
    });
  });
}
