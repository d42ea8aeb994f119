/** One packet of a capture. */
export interface Packet {
  /** Milliseconds since the epoch, with fractions, up to the year 2255; NaN where it is not known. */
  readonly timeMs: number;
  /** Its first header: a number of https://www.ietf.org/archive/id/draft-ietf-opsawg-pcaplinktype-14.html */
  readonly linkType: number;
  /** The bytes that were captured of it. */
  readonly data: Uint8Array;
  /** Bytes that it had when it was captured; no fewer than `data` has. */
  readonly wireBytes: number;
}
