import type { Bucket, RoundTripSummary } from '../check/round-trips.js';
import { formatMs } from '../text/time.js';

/** The length of the longest bar in characters. */
const BAR_CHARACTERS = 40;

/**
 * Round-trip times in one line, without a newline.
 *
 * @param matchedBy how replies were matched to requests, see {@link Measurement.matchedBy}
 */
export function describeRoundTrips(times: RoundTripSummary, matchedBy: 'content' | 'order'): string {
  const { minMs, p50Ms, p90Ms, p99Ms, p999Ms, maxMs, meanMs, jitterMs } = times;
  const values = Object.entries({
    min: minMs,
    p50: p50Ms,
    p90: p90Ms,
    p99: p99Ms,
    'p99.9': p999Ms,
    max: maxMs,
    mean: meanMs,
    jitter: jitterMs,
  }).map(([name, ms]) => `${name} ${formatMs(ms)}`);
  return `round-trip time: ${values.join(', ')} ms; matched by ${matchedBy}`;
}

/** Draws a histogram: one line for each bucket, with its bounds, its count and a bar. The fullest bucket has the longest bar. */
export function drawHistogram(buckets: readonly Bucket[]): readonly string[] {
  const most = Math.max(...buckets.map(({ count }) => count));
  const column = (texts: readonly string[]): readonly string[] => {
    const width = Math.max(...texts.map(({ length }) => length));
    return texts.map((text) => text.padStart(width));
  };
  const from = column(buckets.map(({ fromMs }) => formatMs(fromMs)));
  const to = column(buckets.map(({ toMs }) => formatMs(toMs)));
  const counts = column(buckets.map(({ count }) => String(count)));
  return buckets.map(({ count }, index) => {
    // Rounded up, so that a bucket with a single value has a bar.
    const bar = '#'.repeat(Math.ceil((count / most) * BAR_CHARACTERS));
    return `  ${from[index] ?? ''} to ${to[index] ?? ''} ms ${counts[index] ?? ''} ${bar}`.trimEnd();
  });
}
