import type { Bucket, RoundTripSummary } from '../check/round-trips.js';
import { formatMs } from '../text/time.js';

const BAR_CHARACTERS = 40;

/** Round-trip times in words: one line, without its newline. */
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

/** A histogram in text: a line for each bucket, its bar in proportion to the fullest. */
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
    // What there is at all is seen.
    const bar = '#'.repeat(Math.ceil((count / most) * BAR_CHARACTERS));
    return `  ${from[index] ?? ''} to ${to[index] ?? ''} ms ${counts[index] ?? ''} ${bar}`.trimEnd();
  });
}
