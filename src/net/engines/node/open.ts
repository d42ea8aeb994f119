import { createSocket, type Socket } from 'node:dgram';
import {
  type Endpoint,
  type Family,
  familyOf,
  formatEndpoint,
  isWildcard,
  sameEndpoint,
} from '../../address/endpoint.js';
import { isLinkLocalGroup } from '../../address/group.js';
import { ipv4Of } from '../../address/interfaces.js';
import { type Membership, membershipsOf } from '../../address/membership.js';
import { DatagramError } from '../../errors.js';
import type { KernelBuffers, OpenRequest } from '../engine.js';
import { joinError, openError } from '../errors.js';
import { DEFAULT_RECV_BUFFER_BYTES, KERNEL_FACTOR } from '../limits.js';

const TTL_REMEDY = 'the node engine sets it for one family only, IPv4 or IPv6, so restrict the socket to one';

/** A socket of `node:dgram`: bound, configured and, if the request has a peer, connected. It has no listeners yet. */
export class OpenedSocket {
  readonly socket: Socket;
  readonly request: OpenRequest;
  readonly family: Family;
  readonly local: Endpoint;
  /** Whether the socket is bound to every interface. Then it cannot tell to which address a datagram was sent. */
  readonly isWildcard: boolean;
  readonly buffers: KernelBuffers;
  #closing: Promise<void> | undefined;

  constructor(socket: Socket, request: OpenRequest) {
    const { address, port } = socket.address();
    this.socket = socket;
    this.request = request;
    this.family = familyOf(request.local.address);
    // Node leaves out the zone of a group.
    this.local = { address: isLinkLocalGroup(address) ? request.local.address : address, port };
    this.isWildcard = isWildcard(address);
    this.buffers = {
      recvBytes: socket.getRecvBufferSize() / KERNEL_FACTOR,
      sendBytes: socket.getSendBufferSize() / KERNEL_FACTOR,
    };
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Closes the socket. May be called twice. */
  close(): Promise<void> {
    this.#closing ??= close(this.socket);
    return this.#closing;
  }
}

/**
 * Opens a socket of `node:dgram`.
 *
 * @param local the address to bind, instead of that of the request
 * @param shared whether other sockets may be bound to the same address (SO_REUSEADDR)
 * @throws {DatagramError} like `Engine.open`. Then nothing stays open.
 */
export async function openSocket(request: OpenRequest, local: Endpoint, shared: boolean): Promise<OpenedSocket> {
  const socket = createSocketOf(request, shared);
  const { remote, fd, options } = request;
  try {
    await settled(socket, 'listening', () =>
      socket.bind(fd === undefined ? { port: local.port, address: local.address, exclusive: true } : { fd }),
    );
    if (fd !== undefined && !sameEndpoint(socket.address(), local)) throw notBoundTo(local, fd, socket.address());
    configure(socket, request);
    if (remote !== undefined) {
      await settled(socket, 'connect', () => {
        socket.connect(remote.port, remote.address);
      });
    }
    for (const membership of membershipsOf(options)) join(socket, membership);
    return new OpenedSocket(socket, request);
  } catch (error) {
    await close(socket);
    throw openError(error, request, local);
  }
}

function createSocketOf({ local, dualStack }: OpenRequest, shared: boolean): Socket {
  const family = familyOf(local.address);
  return createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    ipv6Only: family === 6 && !dualStack,
    reuseAddr: shared,
    // The addresses are literals. Without this, Node would call the resolver for each datagram.
    lookup: (address, _options, callback) => {
      callback(null, address, family);
    },
  });
}

/** Returns a port of the address of a request that no other socket has now. @throws {DatagramError} like {@link openSocket} */
export async function findFreePort(request: OpenRequest): Promise<number> {
  const { local } = request;
  const socket = createSocketOf(request, false);
  try {
    await settled(socket, 'listening', () =>
      socket.bind({ port: local.port, address: local.address, exclusive: true }),
    );
    return socket.address().port;
  } catch (error) {
    throw openError(error, request, local);
  } finally {
    // Deno frees the port later than Node does.
    await close(socket);
  }
}

async function close(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => socket.close(resolve));
  socket.removeAllListeners();
}

/** Calls `begin` and waits for the event. Rejects if the socket emits an error first. */
function settled(socket: Socket, event: 'listening' | 'connect', begin: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      socket.removeListener('error', failed);
      resolve();
    };
    const failed = (error: Error): void => {
      socket.removeListener(event, done);
      reject(error);
    };
    socket.once(event, done);
    socket.once('error', failed);
    begin();
  });
}

function configure(socket: Socket, { local, dualStack, options }: OpenRequest): void {
  const { recvBufferBytes, sendBufferBytes, ttl, broadcast, multicastInterface } = options;
  if (recvBufferBytes !== undefined) socket.setRecvBufferSize(recvBufferBytes);
  else enlargeRecvBuffer(socket);
  if (sendBufferBytes !== undefined) socket.setSendBufferSize(sendBufferBytes);
  if (ttl !== undefined) {
    // node:dgram sets only the hop limit of IPv6. IPv4 datagrams would have the system's time to live.
    if (dualStack) throw new DatagramError('UNSUPPORTED', `cannot set the TTL: ${TTL_REMEDY}`);
    socket.setTTL(ttl);
    socket.setMulticastTTL(ttl);
  }
  if (broadcast === true) socket.setBroadcast(true);
  if (multicastInterface !== undefined) {
    const families: readonly Family[] = dualStack ? [4, 6] : [familyOf(local.address)];
    for (const family of families) socket.setMulticastInterface(interfaceAddress(multicastInterface, family));
  }
}

/**
 * Asks for the default receive buffer. If the limit of the system is lower, Linux grants a smaller one. Other systems
 * refuse, and this halves the size until the system grants it.
 */
function enlargeRecvBuffer(socket: Socket): void {
  for (let bytes = DEFAULT_RECV_BUFFER_BYTES; bytes > socket.getRecvBufferSize(); bytes /= 2) {
    try {
      socket.setRecvBufferSize(bytes);
      return;
    } catch {
      // The next one is half as large.
    }
  }
}

function join(socket: Socket, membership: Membership): void {
  const { group, source, interface: name } = membership;
  const on = name === undefined ? undefined : interfaceAddress(name, familyOf(group));
  try {
    if (source === undefined) socket.addMembership(group, on);
    else socket.addSourceSpecificMembership(source, group, on);
  } catch (cause) {
    throw joinError(cause, membership);
  }
}

/** Writes an interface for `node:dgram`: one of its addresses for IPv4, `::%name` for IPv6. */
function interfaceAddress(name: string, family: Family): string {
  return family === 6 ? `::%${name}` : ipv4Of(name);
}

function notBoundTo(local: Endpoint, fd: number, bound: Endpoint): DatagramError {
  const message = `cannot adopt descriptor ${fd}: it is bound to ${formatEndpoint(bound)}, not to ${formatEndpoint(local)}`;
  return new DatagramError('OPEN_FAILED', message);
}
