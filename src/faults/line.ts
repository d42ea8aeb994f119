import { type Endpoint, familyOf } from '../net/index.js';

/** How long a datagram waits at most for a line, in milliseconds, unless `--line-queue` sets another time. */
export const MOST_QUEUE_MS = 100;

/** Bytes of the IP header and the UDP header, by family (RFC 791, RFC 8200, RFC 768). */
const HEADER_BYTES = { 4: 28, 6: 48 } as const;

/** A line that carries one datagram after another. Moments are those of `performance.now()`, in milliseconds. */
export class Line {
  readonly bitsPerSecond: number;
  readonly #carriesHeaders: boolean;
  /** When the last datagram has left the line. */
  #freeMs = -Infinity;

  /** @param carriesHeaders whether headers take time, too. Default: they do. */
  constructor(bitsPerSecond: number, carriesHeaders = true) {
    this.bitsPerSecond = bitsPerSecond;
    this.#carriesHeaders = carriesHeaders;
  }

  /**
   * Returns when a datagram has left the line. Undefined if it would wait longer than `mostQueueMs` for those before it.
   *
   * @param bytes the size of its payload
   * @param remote its receiver, whose family decides the size of the headers
   */
  pass(bytes: number, { address }: Endpoint, nowMs: number, mostQueueMs: number): number | undefined {
    const fromMs = Math.max(nowMs, this.#freeMs);
    if (fromMs - nowMs > mostQueueMs) return undefined;
    const headerBytes = this.#carriesHeaders ? HEADER_BYTES[familyOf(address)] : 0;
    this.#freeMs = fromMs + (8000 * (bytes + headerBytes)) / this.bitsPerSecond;
    return this.#freeMs;
  }
}
