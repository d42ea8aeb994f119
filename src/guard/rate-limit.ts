import { type Endpoint, formatEndpoint } from '../net/index.js';
import { Recent } from './recent.js';
import { MAX_REMEMBERED } from './limits.js';

/** Limits the responses to each peer: a token bucket that holds the tokens of one second, and at least one. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #buckets: Recent<{ tokens: number; filledMs: number }>;

  /**
   * @param perSecond responses a second, above 0; 0.1 is one response in 10 s
   * @param maxPeers how many peers are remembered, see {@link Recent}
   */
  constructor(perSecond: number, maxPeers = MAX_REMEMBERED) {
    this.#perSecond = perSecond;
    this.#burst = Math.max(1, perSecond);
    // After this time without use a bucket is full again. A new one is full, too: so nothing is lost with the old one.
    this.#buckets = new Recent(maxPeers, (this.#burst / perSecond) * 1000);
  }

  /** Whether the peer may get a response at `nowMs`. If so, it costs one token. */
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
