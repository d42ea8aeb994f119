import { types } from 'node:util';
import { type Endpoint, familyOf, formatEndpoint, isBroadcast, MAX_PAYLOAD_BYTES } from '../address/endpoint.js';
import { isLinkLocalGroup, needsInterface } from '../address/group.js';
import { anyInterface } from '../address/interfaces.js';
import type { EngineOutgoing, OpenRequest } from './engine.js';
import { DatagramError, describeMtu, describeSystemError, systemCode } from '../errors.js';
import { formatMembership, type Membership } from '../address/membership.js';

const NO_BROADCAST = 'it is a broadcast address, and broadcasting is not allowed';

/** Makes the error of a failed opening from the system's error. The `syscall` of `cause` says which step failed. */
export function openError(cause: unknown, { remote, fd }: OpenRequest, local: Endpoint): DatagramError {
  if (cause instanceof DatagramError) return cause;
  const code = systemCode(cause);
  const syscall = types.isNativeError(cause) && 'syscall' in cause ? cause.syscall : undefined;
  if (syscall === 'connect' && remote !== undefined) {
    const forbidden = code === 'EACCES' && isBroadcast(remote.address);
    const why = forbidden ? NO_BROADCAST : describeRefusedAddress(cause, remote);
    return new DatagramError(
      forbidden ? 'BROADCAST_FORBIDDEN' : 'OPEN_FAILED',
      `cannot send to ${formatEndpoint(remote)}: ${why}`,
      { cause, peer: remote },
    );
  }
  const opening = fd === undefined ? 'bind' : `adopt descriptor ${fd} as`;
  const what = syscall === 'bind' || code === 'ERR_INVALID_FD_TYPE' ? opening : 'set the options of a socket on';
  const lacksOption = syscall === 'setsockopt' && code === 'ENOPROTOOPT';
  const why = lacksOption ? `the system lacks one (${code})` : describeRefusedAddress(cause, local);
  return new DatagramError('OPEN_FAILED', `cannot ${what} ${formatEndpoint(local)}: ${why}`, { cause });
}

function describeRefusedAddress(cause: unknown, { address }: Endpoint): string {
  if (systemCode(cause) === 'EINVAL' && isLinkLocalGroup(address)) return needsInterface(address);
  return describeSystemError(cause);
}

/** Makes the error of a group that the system did not let the socket join. */
export function joinError(cause: unknown, membership: Membership): DatagramError {
  const what = `cannot join ${formatMembership(membership)}`;
  return new DatagramError('OPEN_FAILED', `${what}: ${describeRefusedJoin(cause, membership)}`, { cause });
}

function describeRefusedJoin(cause: unknown, { group, interface: name }: Membership): string {
  switch (systemCode(cause)) {
    case 'EADDRINUSE':
      return 'it is joined already, on the interface that the system chose';
    case 'ENODEV':
      if (name !== undefined) break;
      return `no route says on which interface; name one, for example ${group}%${anyInterface()}`;
    case 'ENOBUFS':
    case 'ENOMEM':
      return 'the system allows no more for one socket (on Linux, net.ipv4.igmp_max_memberships is a limit)';
    default:
  }
  return describeSystemError(cause);
}

/** Whether the memory of a payload was detached or resized since the caller gave the datagram. */
export function isChanged({ data, bytes = data.length }: EngineOutgoing): boolean {
  return data.length !== bytes;
}

/** The socket of a datagram that the system refused to send. */
interface RefusingSocket {
  readonly remote: Endpoint | undefined;
  readonly local: Endpoint;
  readonly closed: boolean;
  /** The MTU of the path in bytes, if the system refused the datagram because it is larger. Default: not known. */
  readonly mtu?: number | undefined;
}

/** Makes the error of a datagram that the system refused to send. */
export function sendError(cause: unknown, outgoing: EngineOutgoing, socket: RefusingSocket): DatagramError {
  if (cause instanceof DatagramError) return cause;
  const { data } = outgoing;
  const { remote, local, closed, mtu } = socket;
  const whom = remote === undefined ? '' : ` to ${formatEndpoint(remote)}`;
  const details = { cause, peer: remote };
  const code = systemCode(cause);
  if (closed) return new DatagramError('CLOSED', `cannot send${whom}: the socket was closed`, details);
  if (isChanged(outgoing)) {
    const why = 'its memory was detached or changed its size while it waited';
    return new DatagramError('INVALID_PAYLOAD', `cannot send the payload${whom}: ${why}`, { peer: remote });
  }
  if (code === 'EMSGSIZE') {
    const family = familyOf(remote?.address ?? local.address);
    const limit = MAX_PAYLOAD_BYTES[family];
    const known = mtu === undefined ? 'does not carry that much' : `carries ${describeMtu(mtu, family)}`;
    const why = data.length > limit ? `the limit is ${limit}` : `the path or the interface ${known}`;
    return new DatagramError('TOO_LARGE', `cannot send ${data.length} bytes${whom}: ${why}`, details);
  }
  if (code === 'EACCES' && remote !== undefined && isBroadcast(remote.address)) {
    return new DatagramError('BROADCAST_FORBIDDEN', `cannot send${whom}: ${NO_BROADCAST}`, details);
  }
  return new DatagramError('SEND_FAILED', `cannot send${whom}: ${describeSystemError(cause)}`, details);
}

/** Makes the error of a failed reception. */
export function receiveError(cause: unknown, local: Endpoint): DatagramError {
  return new DatagramError(
    'RECEIVE_FAILED',
    `cannot receive on ${formatEndpoint(local)}: ${describeSystemError(cause)}`,
    { cause },
  );
}
