import { type Endpoint, familyOf } from '../../address/endpoint.js';
import { AF_INET, AF_INET6, SOCK_CLOEXEC, SOCK_DGRAM } from './constants.js';
import type { Machinery } from './machinery.js';

/**
 * Returns the MTU of the path to a peer, as far as the kernel has learned it, in bytes with headers. Undefined if there is no
 * route. It connects a socket for that, which sends nothing (`IP_MTU` of ip(7), `IPV6_MTU` of ipv6(7)).
 */
export function readPathMtu({ calls, names, options, transmission }: Machinery, peer: Endpoint): number | undefined {
  const family = familyOf(peer.address);
  const fd = calls.socket(family === 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return undefined;
  try {
    const length = transmission.addresses.writeName(names, 0, peer, family);
    const mtu = calls.connect(fd, names.address, length) === 0 ? options.pathMtu(fd, family) : 0;
    return mtu === 0 ? undefined : mtu;
  } finally {
    calls.close(fd);
  }
}
