/** A bucket ends 2 % above its beginning, so that its middle is at most 1 % off. */
const RATIO = 1.02;
const LOG_RATIO = Math.log(RATIO);
/** Shorter round trips share a bucket, in milliseconds. */
const LEAST_MS = 0.001;

/** Round-trip times of a target, in milliseconds. Median and p99 are at most 1 % off; minimum and maximum are exact. */
export interface TallySummary {
  readonly minMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Counts round-trip times in buckets. It keeps only buckets that are not empty: a thousand targets have one each. */
export class Tally {
  readonly #buckets = new Map<number, number>();
  #count = 0;
  #minMs = Infinity;
  #maxMs = 0;

  record(ms: number): void {
    const bucket = Math.floor(Math.log(Math.max(ms, LEAST_MS) / LEAST_MS) / LOG_RATIO);
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1);
    this.#count += 1;
    this.#minMs = Math.min(this.#minMs, ms);
    this.#maxMs = Math.max(this.#maxMs, ms);
  }

  /** Undefined if there is none. */
  summary(): TallySummary | undefined {
    if (this.#count === 0) return undefined;
    const [p50Ms = 0, p99Ms = 0] = this.#quantiles([0.5, 0.99]);
    return { minMs: round(this.#minMs), p50Ms, p99Ms, maxMs: round(this.#maxMs) };
  }

  /** @param shares from the least to the greatest, above 0 to 1 */
  #quantiles(shares: readonly number[]): readonly number[] {
    const sorted = [...this.#buckets].sort(([a], [b]) => a - b);
    let below = 0;
    let index = 0;
    return shares.map((share) => {
      const rank = Math.max(1, Math.ceil(share * this.#count));
      while (index < sorted.length - 1 && below + (sorted[index]?.[1] ?? 0) < rank) {
        below += sorted[index]?.[1] ?? 0;
        index += 1;
      }
      const middle = LEAST_MS * RATIO ** ((sorted[index]?.[0] ?? 0) + 0.5);
      return round(Math.min(Math.max(middle, this.#minMs), this.#maxMs));
    });
  }
}

/** To the nearest microsecond. */
function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
