/** The histogram counts in units of 0.1 microseconds, with three significant digits, up to an hour. */
const UNITS_PER_MS = 10_000;
const MAX_UNITS = 3_600_000 * UNITS_PER_MS;
const DIGITS = 3;

const MAX_BUCKETS = 12;
/** The end of a bucket is at least 1.2 times its beginning. Narrower buckets would show the resolution of the histogram. */
const LEAST_RATIO = 1.2;
const LEAST_BUCKET_MS = 0.001;

/** Round-trip times in milliseconds, rounded to 0.1 microseconds. */
export interface RoundTripSummary {
  readonly minMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  readonly meanMs: number;
  /** The mean difference between the round-trip times of successive replies, as RFC 3550 section 6.4.1 estimates it. */
  readonly jitterMs: number;
}

/** The number of round-trip times from `fromMs` to below `toMs`. The last bucket includes its end. */
export interface Bucket {
  readonly fromMs: number;
  readonly toMs: number;
  readonly count: number;
}

const loadHistogram = async () => {
  const { default: module } = await import('hdr-histogram-js/dist/Float64Histogram.js');
  return module.default;
};
type Histogram = InstanceType<Awaited<ReturnType<typeof loadHistogram>>>;

/**
 * Collects round-trip times, and summarises them at any moment. The memory does not grow with their number. The code of the
 * histogram is loaded by {@link load}, because few runs need it.
 */
export class RoundTrips {
  #histogram: Histogram | undefined;
  /** The times that came before the histogram was loaded. */
  readonly #early: number[] = [];
  #count = 0;
  #sumMs = 0;
  #minMs = Infinity;
  #maxMs = 0;
  #lastMs: number | undefined;
  #jitterMs = 0;

  /** Loads the histogram. Until then, the memory grows with each round-trip time. Further calls do nothing. */
  async load(): Promise<void> {
    if (this.#histogram !== undefined) return;
    const Histogram = await loadHistogram();
    this.#histogram ??= new Histogram(1, MAX_UNITS, DIGITS);
    for (const ms of this.#early.splice(0)) this.#histogram.recordValue(toUnits(ms));
  }

  /** Whether the histogram is loaded. */
  get loaded(): boolean {
    return this.#histogram !== undefined;
  }

  get count(): number {
    return this.#count;
  }

  /** Adds a round-trip time in milliseconds. It must not be below 0. */
  record(ms: number): void {
    this.#count += 1;
    this.#sumMs += ms;
    this.#minMs = Math.min(this.#minMs, ms);
    this.#maxMs = Math.max(this.#maxMs, ms);
    if (this.#lastMs !== undefined) this.#jitterMs += (Math.abs(ms - this.#lastMs) - this.#jitterMs) / 16;
    this.#lastMs = ms;
    if (this.#histogram === undefined) this.#early.push(ms);
    else this.#histogram.recordValue(toUnits(ms));
  }

  /** Removes all times. */
  clear(): void {
    this.#histogram?.reset();
    this.#early.length = 0;
    this.#count = this.#sumMs = this.#maxMs = this.#jitterMs = 0;
    this.#minMs = Infinity;
    this.#lastMs = undefined;
  }

  /** The median so far, also before {@link load}; undefined if there is none. */
  get medianMs(): number | undefined {
    if (this.#histogram !== undefined) return this.summary()?.p50Ms;
    const sorted = this.#early.toSorted((a, b) => a - b);
    return sorted[(sorted.length - 1) >> 1];
  }

  /** The summary so far; undefined without a time, and before {@link load}. */
  summary(): RoundTripSummary | undefined {
    const histogram = this.#histogram;
    if (histogram === undefined || this.#count === 0) return undefined;
    // The histogram returns the upper end of its resolution, which may be above the maximum.
    const percentile = (p: number): number =>
      round(Math.min(Math.max(histogram.getValueAtPercentile(p) / UNITS_PER_MS, this.#minMs), this.#maxMs));
    return {
      minMs: round(this.#minMs),
      p50Ms: percentile(50),
      p90Ms: percentile(90),
      p99Ms: percentile(99),
      p999Ms: percentile(99.9),
      maxMs: round(this.#maxMs),
      meanMs: round(this.#sumMs / this.#count),
      jitterMs: round(this.#jitterMs),
    };
  }

  /**
   * The distribution in at most twelve buckets, from the minimum to the maximum. Each bucket is wider than the one before by
   * the same factor. Empty without a time, and before {@link load}.
   */
  buckets(): readonly Bucket[] {
    const histogram = this.#histogram;
    if (histogram === undefined || this.#count === 0) return [];
    const fromMs = Math.max(this.#minMs, LEAST_BUCKET_MS);
    const span = Math.log(Math.max(this.#maxMs, fromMs) / fromMs);
    const size = Math.min(Math.max(Math.ceil(span / Math.log(LEAST_RATIO)), 1), MAX_BUCKETS);
    const counts = new Array<number>(size).fill(0);
    for (let index = 0; index < histogram.countsArrayLength; index += 1) {
      const count = histogram.getCountAtIndex(index);
      if (count === 0) continue;
      const ms = histogram.medianEquivalentValue(histogram.valueFromIndex(index)) / UNITS_PER_MS;
      const bucket = span === 0 ? 0 : Math.floor((Math.log(ms / fromMs) / span) * size);
      const at = Math.min(Math.max(bucket, 0), size - 1);
      counts[at] = (counts[at] ?? 0) + count;
    }
    const edge = (index: number): number => round(fromMs * Math.exp((span * index) / size));
    return counts.map((count, index) => ({
      fromMs: index === 0 ? round(this.#minMs) : edge(index),
      toMs: index === size - 1 ? round(this.#maxMs) : edge(index + 1),
      count,
    }));
  }
}

function toUnits(ms: number): number {
  return Math.min(Math.round(ms * UNITS_PER_MS), MAX_UNITS);
}

function round(ms: number): number {
  return Math.round(ms * UNITS_PER_MS) / UNITS_PER_MS;
}
