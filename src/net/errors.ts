import { types } from 'node:util';
import type { Endpoint } from './datagram.js';

/**
 * What went wrong, as a name that stays the same across releases, systems and Node versions.
 *
 * - `INVALID_ADDRESS`: an address, port, zone or family that cannot be used as written
 * - `INVALID_OPTION`: an option outside its range or of the wrong kind, or an argument that there is not
 * - `INVALID_PAYLOAD`: a payload that is neither text nor memory, or whose memory was detached: nothing was sent
 * - `UNSUPPORTED`: an option that this system or engine cannot carry out together with the others
 * - `NOT_FOUND`: a name that could not be resolved
 * - `OPEN_FAILED`: the socket could not be created, bound, connected or configured
 * - `SEND_FAILED`: the kernel did not take this datagram
 * - `BROADCAST_FORBIDDEN`: the address is a broadcast address, and `broadcast` was not set
 * - `TOO_LARGE`: the payload is larger than UDP, or the path, carries
 * - `REFUSED`: an ICMP error came back for an earlier datagram: nobody listens there, or it is prohibited; with the node
 *   engine, which cannot tell them apart, also where the host or its network cannot be reached
 * - `UNREACHABLE`: an ICMP error came back that refuses nothing: host or network cannot be reached, or the time to live
 *   was over on the way (the linux engine only)
 * - `RECEIVE_FAILED`: the socket can receive no more; in an event `receiveError`, could not this time
 * - `QUEUE_FULL`: the receive queue overflowed under the policy `fail`
 * - `CLOSED`: the object was closed or aborted
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

/** What an ICMP error said, as the linux engine hears it: RFC 792 and RFC 4443. */
export interface IcmpDetail {
  /** Which version of ICMP. */
  readonly family: 4 | 6;
  readonly type: number;
  readonly code: number;
  /** Address of the router or host that reported it. As little as any datagram does it prove who it is. */
  readonly reporter: string | undefined;
  /** For "too big": the largest packet that goes through there, in bytes, IP header included; 0 if it was not said. */
  readonly mtu: number | undefined;
}

/** The one class of error that this module throws: a stable `code`, and the system's own error as `cause`. */
export class DatagramError extends Error {
  override readonly name = 'DatagramError';
  readonly code: DatagramErrorCode;
  /** The peer concerned, where it is known. */
  readonly peer: Endpoint | undefined;
  /** What the ICMP error said that this one tells; with the linux engine only. */
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

/** The code that the operating system or Node gave an error (`EADDRINUSE`, `ENOTFOUND`, …), if it is one of theirs. */
export function systemCode(error: unknown): string | undefined {
  // An error of Node's own is no instance of the Error of another context, such as the one in which jest runs tests.
  if (!types.isNativeError(error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
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
  EPERM: 'not permitted, by a firewall perhaps',
  EPROTO: 'the host did not understand the packet',
};

/** A system error in plain words, with its code: `the port is in use (EADDRINUSE)`; other errors by their message. */
export function describeSystemError(error: unknown): string {
  const code = systemCode(error);
  if (code !== undefined && code in REASONS) return `${REASONS[code] ?? ''} (${code})`;
  return types.isNativeError(error) ? error.message : String(error);
}

/** Text that is not a value of its kind. The message says what is accepted, in one sentence. */
export class ValueError extends Error {}
