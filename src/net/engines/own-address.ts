import { networkInterfaces } from 'node:os';
import {
  type Endpoint,
  formatEndpoint,
  isBroadcast,
  isLoopback,
  isMulticast,
  isWildcard,
} from '../address/endpoint.js';
import type { Engine, EngineEvents, EngineSocket, OpenRequest } from './engine.js';
import { DatagramError } from '../errors.js';

/** How often a socket is bound anew whose port turned out to be the one that it sends to. */
const MAX_PORT_ATTEMPTS = 64;

/**
 * Opens a socket that does not send to itself. The kernel may choose the very port that a client is to send to, where
 * nobody else has it. Such a socket would take its own question for an answer, so it is bound anew.
 *
 * @throws {DatagramError} `INVALID_ADDRESS` where the local port was asked for; `OPEN_FAILED` where the system has no
 * other; whatever the engine throws
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
  const range = 'on Linux, net.ipv4.ip_local_port_range says which ports it chooses from';
  return new DatagramError(
    'OPEN_FAILED',
    `cannot send to ${formatEndpoint(remote)}: the system has no other local port than that one; name one (${range})`,
    { peer: remote },
  );
}

/** The error of a socket that would send to itself. */
export function sendsToItself(local: Endpoint, remote: Endpoint): DatagramError {
  return new DatagramError(
    'INVALID_ADDRESS',
    `cannot send to ${formatEndpoint(remote)} from ${formatEndpoint(local)}: the socket would hear itself; choose another local port, or none`,
    { peer: remote },
  );
}

/**
 * Whether a socket that is bound to `local` would hear itself, and nobody else, by what it sends to `remote`. A group or
 * a broadcast address is heard by others as well, who may answer from the same port.
 */
export function isSelf(local: Endpoint, remote: Endpoint): boolean {
  if (local.port !== remote.port || isMulticast(remote.address) || isBroadcast(remote.address)) return false;
  return local.address === remote.address || (isWildcard(local.address) && isOwnAddress(remote.address));
}

/** Whether an address is one of this host, zone included. */
function isOwnAddress(address: string): boolean {
  return isLoopback(address) || interfaceAddresses().includes(address);
}

/** The addresses of this host's interfaces, as {@link Endpoint} has them. */
function interfaceAddresses(): string[] {
  return Object.entries(networkInterfaces()).flatMap(([name, entries = []]) =>
    entries.map(({ address, scopeid = 0 }) =>
      scopeid === 0 || address.includes('%') ? address : `${address}%${name}`,
    ),
  );
}

/**
 * The addresses from which a socket may send: its own, and any of this host where it is bound to a group or a broadcast
 * address, which are no source.
 *
 * @param asked where it was to be bound
 * @param bound where it is bound
 */
export function ownAddresses(asked: Endpoint, bound: Endpoint): ReadonlySet<string> {
  const isSource = isWildcard(asked.address) || !(isMulticast(bound.address) || isBroadcast(bound.address));
  return new Set(isSource ? [bound.address] : interfaceAddresses());
}
