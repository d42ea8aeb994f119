import { type Endpoint, formatEndpoint } from '../../address/endpoint.js';
import { DatagramError, describeSystemError, systemCode } from '../../errors.js';

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
    return new DatagramError('TOO_LARGE', `a datagram was too large for the path to ${whom}`, { cause, peer });
  }
  return new DatagramError('REFUSED', `${whom} refused: ${describeSystemError(cause)}`, { cause, peer });
}
