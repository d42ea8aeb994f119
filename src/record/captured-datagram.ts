import type { Endpoint } from '../net/index.js';

/** One whole datagram of a recording, with both of its ends. */
export interface CapturedDatagram {
  /**
   * When it was captured, in milliseconds since the epoch, to the microsecond. For a datagram in fragments this is the
   * time of the fragment that completed it. NaN if the capture has no time, or an impossible one.
   */
  readonly timeMs: number;
  /** The sender. Captures of packets have no zones: a link-local address from a capture has none. */
  readonly source: Endpoint;
  /** The receiver. Its address is the wildcard (`::`, `0.0.0.0`) if only its port is known. */
  readonly destination: Endpoint;
  /** The payload: 0 to 65507 bytes over IPv4, 0 to 65527 over IPv6. */
  readonly data: Uint8Array;
  /**
   * Set if this may be several datagrams that segmentation offload had joined when they were captured. It is set if the
   * packet is larger than Ethernet's 1500 bytes, is no fragment, and has a wrong checksum. On an interface with a
   * larger MTU such a packet can still be one datagram.
   */
  readonly mayBeJoined?: true;
}
