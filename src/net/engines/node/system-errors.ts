import { platform } from 'node:os';
import { type Endpoint, formatEndpoint } from '../../address/endpoint.js';
import { DatagramError, describeSystemError, describeTooBig, systemCode } from '../../errors.js';

const NO_MEMORY = new Set(['ENOBUFS', 'ENOMEM']);

/**
 * The codes with which a connected socket reports an ICMP error: port, protocol, host or network unreachable, or
 * prohibited. Source: icmp_err_convert and icmpv6_err_convert of Linux; ECONNRESET is the code of Windows.
 */
const REFUSALS = new Set([
  'EACCES',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENONET',
  'ENOPROTOOPT',
  'EPROTO',
]);

/**
 * Reasons by code for a connected socket of Linux without IP_RECVERR. Linux does not report to it that a host or a network
 * is unreachable, only that a router prohibits the traffic or knows no such host or network (icmp_err_convert).
 */
const PROHIBITIONS: Readonly<Record<string, string>> = {
  EACCES: 'it is administratively prohibited',
  EHOSTDOWN: 'a router knows no such host',
  EHOSTUNREACH: 'it is administratively prohibited',
  ENETUNREACH: 'a router knows no such network, or prohibits it',
};

/** Whether a code means that the system had no memory for a datagram. That may pass in a moment. */
export function isWantOfMemory(code: string | undefined): boolean {
  return code !== undefined && NO_MEMORY.has(code);
}

/** Whether a code of a connected socket reports an ICMP error for an earlier datagram. */
export function isRefusal(code: string | undefined): boolean {
  return code !== undefined && REFUSALS.has(code);
}

/** Makes the error of the event `peerError`. */
export function peerError(cause: unknown, peer: Endpoint | undefined): DatagramError {
  const whom = peer === undefined ? 'a peer' : formatEndpoint(peer);
  if (systemCode(cause) === 'EMSGSIZE') {
    return new DatagramError('TOO_LARGE', describeTooBig(`a datagram to ${whom}`, { family: 4 }), { cause, peer });
  }
  const why = describeSystemError(cause, platform() === 'linux' ? PROHIBITIONS : {});
  return new DatagramError('REFUSED', `${whom} refused: ${why}`, { cause, peer });
}
