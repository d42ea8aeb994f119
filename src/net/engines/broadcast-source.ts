import { type Endpoint, isBroadcast } from '../address/endpoint.js';
import { ipv4Of } from '../address/interfaces.js';
import type { OpenRequest } from './engine.js';
import { DatagramError } from '../errors.js';

/**
 * Returns the address to which a socket is bound. It is the requested one, except for a client that broadcasts by the
 * interface of the option `multicastInterface`: that client is bound to an IPv4 address of the interface. On every
 * system the source address then decides by which interface a broadcast leaves, even without a route to the
 * destination.
 *
 * @throws {DatagramError} `INVALID_OPTION` if the peer is the broadcast address of another interface; `OPEN_FAILED` if
 * the interface is down or has no IPv4 address
 */
export function broadcastSource({ local, remote, options }: OpenRequest): Endpoint {
  const { multicastInterface: name } = options;
  if (remote === undefined || name === undefined || !isBroadcast(remote.address)) return local;
  if (!isBroadcast(remote.address, name)) {
    throw new DatagramError(
      'INVALID_OPTION',
      `cannot send to ${remote.address} by the interface "${name}": it is the broadcast address of another interface`,
    );
  }
  return local.address === '0.0.0.0' ? { address: ipv4Of(name), port: local.port } : local;
}
