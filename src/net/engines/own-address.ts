import {
  type Endpoint,
  familyOf,
  formatEndpoint,
  isBroadcast,
  isLoopback,
  isMulticast,
  isWildcard,
  LIMITED_BROADCAST,
} from '../address/endpoint.js';
import { addressesOf, interfaceAddresses, isOwnAddress } from '../address/interfaces.js';
import type { JoinOptions } from '../address/membership.js';
import type { Engine, EngineEvents, EngineSocket, OpenRequest } from './engine.js';
import { DatagramError } from '../errors.js';

/** How often {@link openApart} opens a socket until its port differs from the peer's. */
const MAX_PORT_ATTEMPTS = 64;

/**
 * Opens a socket that does not send to itself. A client may send to a port of this host to which nobody is bound, and
 * the kernel may choose that port for the client. The client would take its own request for the reply. So this opens
 * the socket again until the port differs.
 *
 * @throws {DatagramError} `INVALID_ADDRESS` if the caller chose the port; `OPEN_FAILED` if the system has no other
 * port; errors of the engine
 */
export async function openApart(engine: Engine, request: OpenRequest, events: EngineEvents): Promise<EngineSocket> {
  const { remote, local } = request;
  for (let attempt = 1; ; attempt += 1) {
    const socket = await engine.open(request, events);
    const { port } = socket.local;
    if (remote === undefined || !(isSelf(socket.local, remote) || isSelf({ ...local, port }, remote))) return socket;
    await socket.close();
    if (local.port !== 0) throw sendsToItself(local, remote);
    if (attempt === MAX_PORT_ATTEMPTS) throw noOtherPort(remote);
  }
}

function noOtherPort(remote: Endpoint): DatagramError {
  const range = 'on Linux, net.ipv4.ip_local_port_range has the ports from which it chooses';
  return new DatagramError(
    'OPEN_FAILED',
    `cannot send to ${formatEndpoint(remote)}: the system has no local port but that one; choose another with a local address (${range})`,
    { peer: remote },
  );
}

/** The error of a client whose local address is that of its peer. */
export function sendsToItself(local: Endpoint, remote: Endpoint): DatagramError {
  return new DatagramError(
    'INVALID_ADDRESS',
    `cannot send to ${formatEndpoint(remote)} from ${formatEndpoint(local)}: the socket would hear itself; choose another local port, or none`,
    { peer: remote },
  );
}

/**
 * Refuses a client on a loopback address whose peer is not on this host. Linux refuses such a client for IPv4 (`EINVAL`). For
 * IPv6 it takes the datagrams, and no host accepts them (RFC 4291 section 2.5.3).
 *
 * @throws {DatagramError} `INVALID_ADDRESS`
 */
export function refuseLoopbackSource(
  local: Endpoint,
  remote: Endpoint,
  { multicastInterface: name }: JoinOptions,
): void {
  if (!isLoopback(local.address) || isOwnAddress(remote.address)) return;
  const leaves = isMulticast(remote.address) || remote.address === LIMITED_BROADCAST;
  // Without an interface, IPv4 groups and broadcasts from a loopback address stay on the loopback interface.
  if (leaves && (name === undefined ? familyOf(local.address) === 4 : addressesOf(name).some(isLoopback))) return;
  throw new DatagramError(
    'INVALID_ADDRESS',
    `cannot send to ${formatEndpoint(remote)} from ${local.address}: a loopback address reaches only this host; choose another local address, or none`,
    { peer: remote },
  );
}

/**
 * Whether a socket bound to `local` would receive what it sends to `remote`, and nobody else would. False for a group
 * and a broadcast address: other hosts receive them too, and may reply from the same port.
 */
export function isSelf(local: Endpoint, remote: Endpoint): boolean {
  if (local.port !== remote.port || isMulticast(remote.address) || isBroadcast(remote.address)) return false;
  return local.address === remote.address || (isWildcard(local.address) && isOwnAddress(remote.address));
}

/**
 * Returns the source addresses that a socket's own datagrams may have. It is the bound address. A socket bound to a
 * group or a broadcast address may send from each address of this host, because such an address cannot be a source.
 *
 * @param asked the address that the caller asked to bind
 * @param bound the address to which the socket is bound
 */
export function ownAddresses(asked: Endpoint, bound: Endpoint): ReadonlySet<string> {
  const isSource = isWildcard(asked.address) || !(isMulticast(bound.address) || isBroadcast(bound.address));
  return new Set(isSource ? [bound.address] : interfaceAddresses());
}
