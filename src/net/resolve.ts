import { type Address, canonicalAddress, checkFamily, type Endpoint, type Family, familyOf } from './endpoint.js';
import { DatagramError, describeSystemError } from './errors.js';

/**
 * The endpoints that an address stands for, in the resolver's order, at least one. Only a name asks the resolver, once.
 *
 * @param family Restricts the answer; without it a bare port is IPv4 loopback, and every interface is `::`.
 * @param signal Gives the wait up; the look-up itself cannot be stopped and ends by itself.
 * @throws {DatagramError} `NOT_FOUND`, or `INVALID_ADDRESS` where the family contradicts the address; the reason of an
 * aborted `signal`.
 */
export async function resolveAddress(
  address: Address,
  family?: Family,
  signal?: AbortSignal,
): Promise<readonly [Endpoint, ...Endpoint[]]> {
  signal?.throwIfAborted();
  const known = endpointOf(address, family);
  if (known !== undefined) return [known];
  const { host, port } = address;
  return unlessAborted(lookUp(host.kind === 'name' ? host.name : '', port, family), signal);
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

async function lookUp(name: string, port: number, family: Family | undefined): Promise<[Endpoint, ...Endpoint[]]> {
  const kind = family === undefined ? '' : ` as IPv${family}`;
  const what = `cannot resolve ${name}${kind}`;
  let found: readonly { readonly address: string }[];
  try {
    const { lookup } = await import('node:dns/promises');
    found = await lookup(name, { all: true, family: family ?? 0, order: 'verbatim' });
  } catch (cause) {
    throw new DatagramError('NOT_FOUND', `${what}: ${describeSystemError(cause)}`, { cause });
  }
  const usable = found.flatMap(({ address }) => usableAddress(address, family));
  const [first, ...others] = [...new Set(usable)].map((address) => ({ address, port }));
  if (first === undefined) throw new DatagramError('NOT_FOUND', `${what}: it has no address that can be used`);
  return [first, ...others];
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
