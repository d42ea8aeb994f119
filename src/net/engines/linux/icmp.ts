import type { Endpoint } from '../../datagram.js';
import { formatEndpoint } from '../../address/endpoint.js';
import { DatagramError, describeSystemError, describeTooBig, type IcmpDetail } from '../../errors.js';
import {
  EMSGSIZE,
  IP_RECVERR,
  IPV6_RECVERR,
  SO_EE_ORIGIN_ICMP,
  SO_EE_ORIGIN_ICMP6,
  SO_EE_ORIGIN_TIMESTAMPING,
  SO_TIMESTAMPNS,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
} from './constants.js';
import { aligned, CMSGHDR, type Messages } from './messages.js';
import type { EndpointReader } from './addresses.js';
import { readTimespec } from './system-clock.js';
import { systemError } from './system-calls.js';

/** Offsets and size, in bytes, of `struct sock_extended_err` (ip(7)). The address of the reporter follows it. */
const EXTENDED_ERROR = { errno: 0, origin: 4, type: 5, code: 6, info: 8, bytes: 16 } as const;

/** An entry of a socket's error queue about a sent datagram: when the kernel gave it to the device. */
export interface QueuedTime {
  /** In milliseconds since the epoch. */
  readonly sentMs: number;
}

/** An entry of a socket's error queue about an error. */
export interface QueuedError {
  readonly errno: number;
  /** The ICMP message. Undefined for an error of this host. */
  readonly icmp: IcmpDetail | undefined;
  /** Of an error of this host, which refused a datagram as too large: the MTU of the path in bytes. */
  readonly mtu?: number | undefined;
  /** The destination of the datagram that caused the error. */
  readonly peer: Endpoint | undefined;
}

/** Reads message `nth` of an error queue. Returns undefined if it has no control message IP_RECVERR or IPV6_RECVERR. */
export function readQueued(
  messages: Messages,
  nth: number,
  endpoints: EndpointReader,
): QueuedError | QueuedTime | undefined {
  const { view } = messages.memory;
  let stampMs: number | undefined;
  let at = messages.controlOffset(nth);
  const end = at + messages.controlLength(nth);
  while (at + CMSGHDR.bytes <= end) {
    const level = view.getInt32(at + CMSGHDR.level, true);
    const type = view.getInt32(at + CMSGHDR.type, true);
    if (level === SOL_SOCKET && type === SO_TIMESTAMPNS) stampMs = readTimespec(view, at + CMSGHDR.bytes);
    if ((level === SOL_IP && type === IP_RECVERR) || (level === SOL_IPV6 && type === IPV6_RECVERR)) {
      const isTime = view.getUint8(at + CMSGHDR.bytes + EXTENDED_ERROR.origin) === SO_EE_ORIGIN_TIMESTAMPING;
      if (isTime) return stampMs === undefined ? undefined : { sentMs: stampMs };
      const peer = messages.nameLength(nth) === 0 ? undefined : endpoints.readName(view, messages.nameOffset(nth));
      return readExtendedError(view, at + CMSGHDR.bytes, peer, endpoints);
    }
    at += aligned(view.getUint32(at + CMSGHDR.length, true));
  }
  return undefined;
}

function readExtendedError(
  view: DataView,
  at: number,
  peer: Endpoint | undefined,
  endpoints: EndpointReader,
): QueuedError {
  const errno = view.getUint32(at + EXTENDED_ERROR.errno, true);
  const origin = view.getUint8(at + EXTENDED_ERROR.origin);
  const mtu = errno === EMSGSIZE ? view.getUint32(at + EXTENDED_ERROR.info, true) : undefined;
  if (origin !== SO_EE_ORIGIN_ICMP && origin !== SO_EE_ORIGIN_ICMP6) return { errno, icmp: undefined, peer, mtu };
  const icmp: IcmpDetail = {
    family: origin === SO_EE_ORIGIN_ICMP ? 4 : 6,
    type: view.getUint8(at + EXTENDED_ERROR.type),
    code: view.getUint8(at + EXTENDED_ERROR.code),
    reporter: endpoints.readName(view, at + EXTENDED_ERROR.bytes)?.address,
    mtu,
  };
  return { errno, icmp, peer };
}

/** Codes of "destination unreachable" that mean a refusal: protocol unreachable, port unreachable or prohibited. */
const REFUSING = {
  // RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1
  4: { type: 3, codes: [2, 3, 9, 10, 13] },
  // RFC 4443 section 3.1
  6: { type: 1, codes: [1, 4, 5, 6] },
} as const;

/** Meanings of ICMP errors, by family, type and code, where `errno` says less. */
const MEANINGS: Readonly<Record<string, string>> = {
  '4:3:0': 'its network is unreachable',
  '4:3:1': 'the host is unreachable',
  '4:3:5': 'the route that it asks for failed',
  '4:3:6': 'a router knows no such network',
  '4:3:7': 'a router knows no such host',
  '4:3:8': 'this host is isolated',
  '4:3:9': 'its network is administratively prohibited',
  '4:3:10': 'it is administratively prohibited',
  '4:3:11': 'its network is unreachable for this DSCP',
  '4:3:12': 'the host is unreachable for this DSCP',
  '4:3:13': 'it is administratively prohibited',
  '4:3:14': 'a router does not allow this precedence',
  '4:3:15': 'a router asks for a higher precedence',
  '4:11:0': 'the time to live ran out on the way',
  '6:1:0': 'there is no route to it',
  '6:1:1': 'it is administratively prohibited',
  '6:1:2': 'it is beyond the scope of the source address',
  '6:1:3': 'the host is unreachable',
  '6:1:5': 'its address policy prohibits it',
  '6:1:6': 'the route to it rejects it',
  '6:3:0': 'the hop limit ran out on the way',
  '6:3:1': 'a fragment of a datagram was lost on the way',
};

/**
 * Makes the error of the event `peerError` from an entry of the error queue.
 *
 * @param local The address of the socket. This host itself reports an error, for example if no neighbour has the address.
 */
export function icmpError(
  { errno, icmp, peer }: QueuedError & { readonly icmp: IcmpDetail },
  local: Endpoint | undefined,
): DatagramError {
  const cause = systemError('recvmsg', errno);
  const whom = peer === undefined ? 'a peer' : formatEndpoint(peer);
  const details = { cause, peer, icmp };
  const { family, type, code, reporter } = icmp;
  if (errno === EMSGSIZE) {
    return new DatagramError('TOO_LARGE', describeTooBig(`a datagram to ${whom}`, icmp), details);
  }
  const by = reporter === local?.address ? 'this host' : reporter;
  const router = by === undefined || reporter === peer?.address ? '' : `, as ${by} reports`;
  const meaning = MEANINGS[`${family}:${type}:${code}`];
  const system = describeSystemError(cause);
  const why = meaning === undefined ? system : `${meaning} (${String(cause.code)})`;
  const refusing = REFUSING[family];
  const refuses = type === refusing.type && (refusing.codes as readonly number[]).includes(code);
  return refuses
    ? new DatagramError('REFUSED', `${whom} refused: ${why}${router}`, details)
    : new DatagramError('UNREACHABLE', `${whom} cannot be reached: ${why}${router}`, details);
}
