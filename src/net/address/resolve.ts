import { isRecord, wrongArgument } from '../arguments.js';
import { type Address, checkDestination, checkFamily, formatAddress } from './address.js';
import { type Endpoint, type Family, familyOf, isWildcard } from './endpoint.js';
import { canonicalAddress } from './literal.js';
import { DatagramError, describeSystemError } from '../errors.js';

/**
 * Looks a name up: its addresses, in the order in which they are to be tried, or a rejection with the system's error.
 * `family` is 0 for both.
 */
export type Lookup = (name: string, family: Family | 0) => Promise<readonly { readonly address: string }[]>;

const systemLookup: Lookup = async (name, family) => {
  const { lookup } = await import('node:dns/promises');
  return lookup(name, { all: true, family, order: 'verbatim' });
};

/**
 * The endpoints that an address stands for, in the resolver's order, at least one. Only a name asks the resolver, once.
 *
 * @param family Restricts the answer; without it a bare port is IPv4 loopback, and every interface is `::`.
 * @param signal Gives the wait up; the look-up itself cannot be stopped and ends by itself.
 * @param lookup Asks the resolver. Default: the system's, within this process.
 * @throws {DatagramError} `NOT_FOUND`, or `INVALID_ADDRESS` where the family contradicts the address; `INVALID_OPTION` where
 * `lookup` gives something else than addresses; the reason of an aborted `signal`.
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
 * As {@link resolveAddress}, for an address to send to. A name may be resolved to every interface (`0.0.0.0`, `::`), as
 * some filters do with names that they block: its other addresses are left.
 *
 * @throws {DatagramError} as {@link resolveAddress}; `INVALID_ADDRESS` where nothing can be sent to the address
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
 * The endpoint that an address stands for without asking the resolver; undefined for a name.
 *
 * @throws {DatagramError} `INVALID_ADDRESS` where the family contradicts the address.
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

/** The resolver gives link-local addresses without their zone, which are of no use; another address of the name may be. */
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
