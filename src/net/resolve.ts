import { type Address, canonicalAddress, checkFamily, type Endpoint, type Family } from './endpoint.js';
import { DatagramError, describeSystemError } from './errors.js';

/**
 * The endpoints that an address stands for, in the resolver's order, at least one. Only a name asks the resolver, once.
 *
 * @param family Restricts the answer; without it a bare port is IPv4 loopback, and every interface is `::`.
 * @throws {DatagramError} `NOT_FOUND`, or `INVALID_ADDRESS` where the family contradicts the address.
 */
export async function resolveAddress(address: Address, family?: Family): Promise<readonly [Endpoint, ...Endpoint[]]> {
  checkFamily(address, family);
  const { host, port } = address;
  switch (host.kind) {
    case 'loopback':
      return [{ address: family === 6 ? '::1' : '127.0.0.1', port }];
    case 'any':
      return [{ address: family === 4 ? '0.0.0.0' : '::', port }];
    case 'literal':
      return [{ address: host.address, port }];
    case 'name':
      return lookUp(host.name, port, family);
  }
}

async function lookUp(name: string, port: number, family: Family | undefined): Promise<[Endpoint, ...Endpoint[]]> {
  try {
    const { lookup } = await import('node:dns/promises');
    const found = await lookup(name, { all: true, family: family ?? 0, order: 'verbatim' });
    const addresses = new Set(found.map(({ address }) => canonicalAddress(address)));
    const [first, ...others] = [...addresses].map((address) => ({ address, port }));
    if (first !== undefined) return [first, ...others];
  } catch (cause) {
    if (cause instanceof DatagramError) throw cause;
    const kind = family === undefined ? '' : ` as IPv${family}`;
    throw new DatagramError('NOT_FOUND', `cannot resolve ${name}${kind}: ${describeSystemError(cause)}`, { cause });
  }
  throw new DatagramError('NOT_FOUND', `cannot resolve ${name}: it has no address`);
}
