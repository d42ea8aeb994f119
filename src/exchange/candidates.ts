import { UsageError } from '../cli/usage-error.js';
import { endpointOf } from '../net/address/resolve.js';
import { isSelf, sendsToItself } from '../net/engines/own-address.js';
import { type Address, DatagramError, type Endpoint, familyOf } from '../net/index.js';

/**
 * Leaves out addresses of the destination that are the address of the socket itself: the socket would hear only itself.
 *
 * @param source the local address of `--bind`
 * @throws {UsageError} if no address is left
 */
export function withoutSelf(
  found: readonly [Endpoint, ...Endpoint[]],
  source: Address | undefined,
): readonly [Endpoint, ...Endpoint[]] {
  if (source === undefined) return found;
  const localFor = ({ address }: Endpoint): Endpoint | undefined => endpointOf(source, familyOf(address));
  const [first, ...others] = found.filter((remote) => {
    const local = localFor(remote);
    return local === undefined || !isSelf(local, remote);
  });
  if (first !== undefined) return [first, ...others];
  throw blamedOnBind(sendsToItself(localFor(found[0]) ?? found[0], found[0]));
}

/**
 * Returns a usage error about `--bind` if the error says that the destination cannot be reached from the source address.
 * Returns any other error as it is.
 */
export function blamedOnBind(error: unknown): unknown {
  if (!(error instanceof DatagramError) || error.code !== 'INVALID_ADDRESS') return error;
  return new UsageError(`option '-b, --bind': ${error.message}`);
}
