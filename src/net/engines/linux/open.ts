import { type Endpoint, type Family, familyOf, isBroadcast, LIMITED_BROADCAST } from '../../address/endpoint.js';
import { broadcastSource } from '../broadcast-source.js';
import type { KernelBuffers, MissingFeature, OpenRequest } from '../engine.js';
import { openError } from '../errors.js';
import { AF_INET, AF_INET6, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK } from './constants.js';
import type { Machinery } from './machinery.js';
import { systemError } from './system-calls.js';
import type { Route } from './transmission.js';

/** A socket that is bound, configured and, if {@link isConnected}, connected. */
export interface OpenedSocket {
  readonly machinery: Machinery;
  readonly request: OpenRequest;
  readonly family: Family;
  readonly fd: number;
  readonly local: Endpoint;
  readonly buffers: KernelBuffers;
  /** Whether the kernel may coalesce datagrams. It counts coalesced datagrams that it drops as one. */
  readonly coalesces: boolean;
  readonly missing: readonly MissingFeature[];
  /** See {@link Route}. */
  readonly broadcasts: Route['broadcasts'];
}

/** Opens a socket. @throws {DatagramError} like `Engine.open`. Then nothing stays open. */
export function openSocket(machinery: Machinery, request: OpenRequest): OpenedSocket {
  const { calls, options } = machinery;
  const fd = createSocket(machinery, request);
  try {
    const source = findSource(machinery, request);
    call('bind', machinery, fd, request.hearStrays ? request.local : broadcastSource(request), request);
    const missing = options.configure(fd, request);
    const coalesces = request.options.exactDrops !== true && !missing.some(({ option }) => option === 'UDP_GRO');
    if (isConnected(request)) call('connect', machinery, fd, request.remote, request);
    const bound = nameOf(machinery, fd, request);
    const local = source === undefined ? bound : { address: source, port: bound.port };
    options.join(fd, request);
    const buffers = options.buffers(fd);
    const family = familyOf(request.local.address);
    const broadcasts = planBroadcasts(request);
    return { machinery, request, family, fd, local, buffers, coalesces, missing, broadcasts };
  } catch (error) {
    calls.close(fd);
    throw openError(error, request, request.local);
  }
}

/**
 * Whether the socket is connected to the peer by connect(2). A client that receives strays is not, because a connected
 * socket receives only from its peer. It needs no connection for ICMP errors: IP_RECVERR reports them without one.
 */
export function isConnected(request: OpenRequest): request is OpenRequest & { readonly remote: Endpoint } {
  return request.remote !== undefined && !request.hearStrays;
}

function createSocket({ calls, options }: Machinery, request: OpenRequest): number {
  const family = familyOf(request.local.address) === 4 ? AF_INET : AF_INET6;
  const fd = calls.socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) throw openError(systemError('socket', calls.errno()), request, request.local);
  try {
    options.beforeBind(fd, request);
  } catch (error) {
    calls.close(fd);
    throw openError(error, request, request.local);
  }
  return fd;
}

/** Calls bind(2) or connect(2). */
function call(
  name: 'bind' | 'connect',
  { calls, names, transmission }: Machinery,
  fd: number,
  endpoint: Endpoint,
  { local }: OpenRequest,
): void {
  const length = transmission.addresses.writeName(names, 0, endpoint, familyOf(local.address));
  if (calls[name](fd, names.address, length) !== 0) throw systemError(name, calls.errno());
}

/**
 * Returns the source address of a client that receives strays; undefined for other sockets. Such a client is not
 * connected, so it does not know which source address the kernel chooses. This connects a second socket to the peer,
 * reads its address and closes it. It fails if there is no route.
 */
function findSource(machinery: Machinery, request: OpenRequest): string | undefined {
  const { remote, hearStrays } = request;
  if (remote === undefined || !hearStrays) return undefined;
  const scout = createSocket(machinery, request);
  try {
    call('bind', machinery, scout, { ...broadcastSource(request), port: 0 }, request);
    machinery.options.configure(scout, request);
    call('connect', machinery, scout, remote, request);
    return nameOf(machinery, scout, request).address;
  } finally {
    machinery.calls.close(scout);
  }
}

function nameOf({ calls, names, reception }: Machinery, fd: number, request: OpenRequest): Endpoint {
  names.view.setUint32(32, 32, true);
  if (calls.getsockname(fd, names.address, names.address + 32) !== 0) {
    throw systemError('getsockname', calls.errno());
  }
  const { address, port } = reception.locals.readName(names.view, 0) ?? request.local;
  return { address, port };
}

/**
 * Returns how broadcasts leave by the interface of `multicastInterface`; undefined without that option. It concerns the
 * limited broadcast address and the peer of a client. The kernel's routes decide for other broadcast addresses.
 */
function planBroadcasts({ local, remote, options }: OpenRequest): Route['broadcasts'] {
  const { multicastInterface } = options;
  if (multicastInterface === undefined) return undefined;
  const own = remote !== undefined && isBroadcast(remote.address) ? [remote.address] : [];
  const from = local.address === '::' ? '0.0.0.0' : local.address;
  return { interface: multicastInterface, addresses: new Set([LIMITED_BROADCAST, ...own]), from };
}
