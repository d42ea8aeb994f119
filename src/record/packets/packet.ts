/** One packet of a capture. */
export interface Packet {
  /** Milliseconds since the epoch, with fractions, from 1970 to 2255. NaN if the capture has no time. */
  readonly timeMs: number;
  /** The kind of its first header: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcaplinktype-14.html */
  readonly linkType: number;
  /** The captured bytes. */
  readonly data: Uint8Array;
  /** Size of the packet on the wire, in bytes: at least the size of `data`. */
  readonly wireBytes: number;
}
