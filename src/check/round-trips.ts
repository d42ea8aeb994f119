/** Values are kept in units of 0.1 microseconds, to three digits, up to an hour. */
const UNITS_PER_MS = 10_000;
const MAX_UNITS = 3_600_000 * UNITS_PER_MS;
const DIGITS = 3;

const MAX_BUCKETS = 12;
/** The least by which a bucket's end is above its beginning: narrower ones would show the resolution, not the times. */
const LEAST_RATIO = 1.2;
const LEAST_BUCKET_MS = 0.001;

/** Round-trip times in milliseconds, to the nearest tenth of a microsecond. */
export interface RoundTripSummary {
  readonly minMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  readonly meanMs: number;
  /** The estimate of RFC 3550 section 6.4.1, of the differences between one round-trip time and the next to arrive. */
  readonly jitterMs: number;
}

/** How many round-trip times lie from `fromMs` on below `toMs`; the last bucket holds its end as well. */
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

/** Takes in round-trip times, and says at any moment what they come to, in memory that does not grow. */
export class RoundTrips {
  #histogram: Histogram | undefined;
  /** Those that came before the histogram was loaded. */
  readonly #early: number[] = [];
  #count = 0;
  #sumMs = 0;
  #minMs = Infinity;
  #maxMs = 0;
  #lastMs: number | undefined;
  #jitterMs = 0;

  /** Loads what counts them; call it before they are many. Twice is fine. */
  async load(): Promise<void> {
    if (this.#histogram !== undefined) return;
    const Histogram = await loadHistogram();
    this.#histogram ??= new Histogram(1, MAX_UNITS, DIGITS);
    for (const ms of this.#early.splice(0)) this.#histogram.recordValue(toUnits(ms));
  }

  /** Whether {@link load} was called, and the rest can be. */
  get loaded(): boolean {
    return this.#histogram !== undefined;
  }

  get count(): number {
    return this.#count;
  }

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

  /** Forgets those that there were so far. */
  clear(): void {
    this.#histogram?.reset();
    this.#early.length = 0;
    this.#count = this.#sumMs = this.#maxMs = this.#jitterMs = 0;
    this.#minMs = Infinity;
    this.#lastMs = undefined;
  }

  /** What they come to so far; undefined where there is none, or before {@link load}. */
  summary(): RoundTripSummary | undefined {
    const histogram = this.#histogram;
    if (histogram === undefined || this.#count === 0) return undefined;
    // The histogram gives the upper end of what it cannot tell apart.
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

  /** Their distribution over the least to the greatest, in up to twelve buckets each wider than the one before by the same factor. */
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
