/** The upper bounds of the buckets, in seconds. */
export const BUCKETS_S = [0.00025, 0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1, 2.5, 5] as const;

/** Counts round-trip times in the buckets of a Prometheus histogram. */
export class RoundTripHistogram {
  /** The count of each bucket, and of the times above the last. */
  readonly #counts = new Float64Array(BUCKETS_S.length + 1);
  #sumMs = 0;

  record(ms: number): void {
    const index = BUCKETS_S.findIndex((bound) => ms <= bound * 1000);
    const bucket = index < 0 ? BUCKETS_S.length : index;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sumMs += ms;
  }

  /** How many times were at most each bound. The last number is the count of all. */
  cumulative(): readonly number[] {
    let sum = 0;
    return Array.from(this.#counts, (count) => (sum += count));
  }

  /** The sum of all times, in seconds. */
  get sum(): number {
    return this.#sumMs / 1000;
  }
}
