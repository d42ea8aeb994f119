import type { Endpoint } from '../net/index.js';

/** One datagram as it stands in a recording: whole, with both of its ends. */
export interface CapturedDatagram {
  /**
   * When it was captured: milliseconds since the epoch, with fractions down to about a microsecond. Of a datagram that
   * came in fragments, when the last of them did. NaN where the capture does not say, or says a time that cannot be.
   */
  readonly timeMs: number;
  /** Who sent it. Captures of packets know no zones: a link-local address that was read there has none. */
  readonly source: Endpoint;
  /** Where it went; the wildcard address (`::`, `0.0.0.0`) where only the port that took it is known. */
  readonly destination: Endpoint;
  /** The payload, 0 to 65527 bytes; over IPv4 65507. */
  readonly data: Uint8Array;
  /**
   * Set where these may be several datagrams that the kernel had not cut yet, or had joined already, when they were
   * captured (segmentation offload): the packet is larger than Ethernet's 1500 bytes, came in one piece, and its
   * checksum is not that of its bytes. On an interface of a larger MTU it may as well be one datagram.
   */
  readonly mayBeJoined?: true;
}
