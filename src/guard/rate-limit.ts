import { type Endpoint, formatEndpoint } from '../net/index.js';
import { Recent } from './recent.js';
import { MAX_REMEMBERED } from './limits.js';

/** Lets each peer have so many answers a second: a token bucket that holds one second's worth. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #buckets: Recent<{ tokens: number; filledMs: number }>;

  /**
   * @param perSecond above 0; below 1 it is one answer in more than a second
   * @param maxPeers that are remembered at once, see {@link Recent}
   */
  constructor(perSecond: number, maxPeers = MAX_REMEMBERED) {
    this.#perSecond = perSecond;
    this.#burst = Math.max(1, perSecond);
    // A bucket that was not used for so long is full, as a new one is.
    this.#buckets = new Recent(maxPeers, (this.#burst / perSecond) * 1000);
  }

  /** Whether the peer may be answered at `nowMs`; if so, it counts. */
  admits(peer: Endpoint, nowMs: number): boolean {
    const bucket = this.#buckets.use(formatEndpoint(peer), nowMs, () => ({ tokens: this.#burst, filledMs: nowMs }));
    const earned = ((nowMs - bucket.filledMs) / 1000) * this.#perSecond;
    bucket.tokens = Math.min(this.#burst, bucket.tokens + earned);
    bucket.filledMs = nowMs;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}
