import { type Endpoint, isBroadcast } from '../address/endpoint.js';
import { ipv4Of } from '../address/interfaces.js';
import type { OpenRequest } from './engine.js';
import { DatagramError } from '../errors.js';

/**
 * Where a client's socket is bound that is connected: where it was asked for, but to an address of the interface that a
 * broadcast is to leave by. To every system that says by which it leaves, and there may be no other route.
 *
 * @throws {DatagramError} `INVALID_OPTION` for the broadcast address of another interface's network; `OPEN_FAILED` where
 * the interface is down or has no IPv4 address
 */
export function broadcastSource({ local, remote, options }: OpenRequest): Endpoint {
  const { multicastInterface: name } = options;
  if (remote === undefined || name === undefined || !isBroadcast(remote.address)) return local;
  if (!isBroadcast(remote.address, name)) {
    throw new DatagramError(
      'INVALID_OPTION',
      `cannot send to ${remote.address} by the interface "${name}": it is the broadcast address of another`,
    );
  }
  return local.address === '0.0.0.0' ? { address: ipv4Of(name), port: local.port } : local;
}
