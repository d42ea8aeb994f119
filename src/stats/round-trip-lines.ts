import type { Bucket, RoundTripSummary } from '../check/round-trips.js';
import { formatMs } from '../text/time.js';

/** The least number of round-trip times that a histogram is worth: fewer show no shape. */
export const LEAST_OF_HISTOGRAM = 20;

/** The length of the longest bar in characters, if the line has room for it. */
const BAR_CHARACTERS = 40;
/** The length of a line in characters. With `udpcat: ` before it, it fits 80 columns. */
const LINE_CHARACTERS = 72;

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
    const label = `  ${from[index] ?? ''} to ${to[index] ?? ''} ms ${counts[index] ?? ''} `;
    const longest = Math.min(BAR_CHARACTERS, LINE_CHARACTERS - label.length);
    // Rounded up, so that a bucket with a single value has a bar.
    return `${label}${'#'.repeat(Math.ceil((count / most) * longest))}`.trimEnd();
  });
}
