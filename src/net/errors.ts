import { types } from 'node:util';
import type { Endpoint } from './datagram.js';

/**
 * The cause of a {@link DatagramError}. The names stay the same across releases, systems and Node versions.
 *
 * - `INVALID_ADDRESS`: an address, port, zone or family cannot be used as written.
 * - `INVALID_OPTION`: an option has a wrong type or is outside its range, or a call has too many arguments.
 * - `INVALID_PAYLOAD`: a payload is not a string, a view of memory or a buffer, or its memory was detached or resized.
 *   The datagram was not sent.
 * - `UNSUPPORTED`: this system or this engine does not support an option.
 * - `NOT_FOUND`: a name could not be resolved.
 * - `OPEN_FAILED`: the socket could not be created, bound, connected or configured.
 * - `SEND_FAILED`: the kernel did not take the datagram.
 * - `BROADCAST_FORBIDDEN`: the destination is a broadcast address, and the option `broadcast` is not set.
 * - `TOO_LARGE`: the payload is larger than UDP allows, or the datagram is larger than the path allows.
 * - `REFUSED`: an ICMP error came back for an earlier datagram: nobody listens on the port, or the traffic is
 *   prohibited. The node engine cannot tell refusals from unreachable hosts, so it uses this code for both.
 * - `UNREACHABLE`: an ICMP error came back for an earlier datagram: the host or its network cannot be reached, or the
 *   time to live ran out on the way. Linux engine only.
 * - `RECEIVE_FAILED`: the socket can receive no more. In the event `receiveError`: one attempt to receive failed.
 * - `QUEUE_FULL`: the receive queue was full under the overflow policy `fail`.
 * - `CLOSED`: the socket was closed or aborted.
 */
export type DatagramErrorCode =
  | 'INVALID_ADDRESS'
  | 'INVALID_OPTION'
  | 'INVALID_PAYLOAD'
  | 'UNSUPPORTED'
  | 'NOT_FOUND'
  | 'OPEN_FAILED'
  | 'SEND_FAILED'
  | 'BROADCAST_FORBIDDEN'
  | 'TOO_LARGE'
  | 'REFUSED'
  | 'UNREACHABLE'
  | 'RECEIVE_FAILED'
  | 'QUEUE_FULL'
  | 'CLOSED';

/** The fields of an ICMP error message (RFC 792, RFC 4443). */
export interface IcmpDetail {
  /** 4 for ICMP, 6 for ICMPv6. */
  readonly family: 4 | 6;
  /** The type, 0 to 255, for example 3 (destination unreachable) of ICMP. */
  readonly type: number;
  /** The code within the type, 0 to 255, for example 3 (port unreachable) of ICMP type 3. */
  readonly code: number;
  /** Address of the router or host that sent the ICMP message. The source address can be forged. */
  readonly reporter: string | undefined;
  /**
   * Of "fragmentation needed" and "packet too big": the largest packet in bytes, IP header included, that the next link
   * carries; 0 if the router did not say. Undefined for other ICMP errors.
   */
  readonly mtu: number | undefined;
}

/**
 * The only class of error that this module throws. It has a stable `code`, a `message` in plain words, and the error of
 * the operating system, if there is one, as `cause`.
 */
export class DatagramError extends Error {
  override readonly name = 'DatagramError';
  readonly code: DatagramErrorCode;
  /** The peer that the error concerns, where it is known. */
  readonly peer: Endpoint | undefined;
  /** The ICMP message behind `REFUSED`, `UNREACHABLE` or `TOO_LARGE`. Linux engine only. */
  readonly icmp: IcmpDetail | undefined;

  constructor(
    code: DatagramErrorCode,
    message: string,
    details: { cause?: unknown; peer?: Endpoint | undefined; icmp?: IcmpDetail | undefined } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.peer = details.peer;
    this.icmp = details.icmp;
  }
}

/**
 * The code of an error of the operating system or of Node (`EADDRINUSE`, `ENOTFOUND`, …); undefined for other errors.
 */
export function systemCode(error: unknown): string | undefined {
  // `instanceof Error` fails across realms: jest runs tests in a realm of their own, with another `Error` class.
  if (!types.isNativeError(error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Sizes of an IP header without options and a UDP header together, in bytes (RFC 791, RFC 8200, RFC 768). */
const HEADER_BYTES = { 4: 28, 6: 48 } as const;

/** Describes the MTU of a path, in bytes with headers: `1300 bytes (1272 of payload)`. */
export function describeMtu(mtu: number, family: 4 | 6): string {
  return `${mtu} bytes (${mtu - HEADER_BYTES[family]} of payload)`;
}

/**
 * Describes an ICMP error "too big": `a datagram was too big for the path, which carries …, as 192.0.2.1 reports`.
 *
 * @param what the datagram in words
 * @param path its MTU in bytes with headers, 0 or undefined if it is not known; and the address of the router that reported it
 */
export function describeTooBig(
  what: string,
  { family, mtu = 0, reporter }: { readonly family: 4 | 6 } & Partial<Pick<IcmpDetail, 'mtu' | 'reporter'>>,
): string {
  const limit = mtu === 0 ? '' : `, which carries ${describeMtu(mtu, family)}`;
  const router = reporter === undefined ? '' : `, as ${reporter} reports`;
  return `${what} was too big for the path${limit}${router}`;
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EADDRINUSE: 'the port is in use',
  EADDRNOTAVAIL: 'no interface of this host has the address',
  EAFNOSUPPORT: 'this host does not support the address family',
  EAI_AGAIN: 'the resolver did not answer',
  ECONNREFUSED: 'nobody listens there',
  EISDIR: 'it is a directory',
  EHOSTDOWN: 'the host is down',
  EHOSTUNREACH: 'the host is unreachable',
  EINVAL: 'the kernel does not accept the address',
  EMFILE: 'too many open files',
  EMSGSIZE: 'the datagram is too large',
  ENETUNREACH: 'the network is unreachable',
  ENOBUFS: 'the system has no buffers left',
  ENODATA: 'the name has no address',
  ENODEV: 'no such interface',
  ENOENT: 'no such file',
  ENOMEM: 'the system has no memory left',
  ENONET: 'the host is not on the network',
  ENOPROTOOPT: 'the host does not speak UDP',
  ENOSPC: 'the disk is full',
  ENOTFOUND: 'no such name',
  ENOTDIR: 'a part of the path is a file, not a folder',
  ENOTSUP: 'the route that it asks for failed',
  EPERM: 'not permitted, perhaps by a firewall',
  EPROTO: 'the host did not understand the packet',
};

/**
 * Describes a system error with its code: `the port is in use (EADDRINUSE)`. Returns the message of any other error.
 *
 * @param reasons Other words for codes that have a narrower meaning here. Default: none.
 */
export function describeSystemError(error: unknown, reasons: Readonly<Record<string, string>> = {}): string {
  const code = systemCode(error);
  const reason = code === undefined ? undefined : (reasons[code] ?? REASONS[code]);
  if (code !== undefined && reason !== undefined) return `${reason} (${code})`;
  return types.isNativeError(error) ? error.message : String(error);
}

/** Thrown by functions that read a value from text. The message says in one sentence which values are accepted. */
export class ValueError extends Error {}
