import { type Endpoint, formatEndpoint } from '../../address/endpoint.js';
import { DatagramError, describeSystemError, systemCode } from '../../errors.js';

const NO_MEMORY = new Set(['ENOBUFS', 'ENOMEM']);

/**
 * The errors by which a connected socket tells an ICMP error, of both families (icmp_err_convert and icmpv6_err_convert in
 * Linux): port, protocol, host or network unreachable, or prohibited. ECONNRESET is that of Windows.
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

/** Whether the system had no memory for a datagram. It may have some in a moment. */
export function isWantOfMemory(code: string | undefined): boolean {
  return code !== undefined && NO_MEMORY.has(code);
}

/** Whether a connected socket tells by this code that an earlier datagram was refused or did not reach its peer. */
export function isRefusal(code: string | undefined): boolean {
  return code !== undefined && REFUSALS.has(code);
}

/** The event of an ICMP error. */
export function peerError(cause: unknown, peer: Endpoint | undefined): DatagramError {
  const whom = peer === undefined ? 'a peer' : formatEndpoint(peer);
  if (systemCode(cause) === 'EMSGSIZE') {
    return new DatagramError('TOO_LARGE', `a datagram was too large for the path to ${whom}`, { cause, peer });
  }
  return new DatagramError('REFUSED', `${whom} refused: ${describeSystemError(cause)}`, { cause, peer });
}
