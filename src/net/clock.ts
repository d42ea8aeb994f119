let offsetMs = performance.timeOrigin;
let latestMs = 0;

/**
 * The wall clock in milliseconds since the epoch, with the fractions that `Date.now()` lacks.
 * It runs on the monotonic clock and is set again whenever the system's clock was, so that it is never 1 ms off; it
 * goes back only when that does.
 */
export function wallClockMs(): number {
  const monotonicMs = performance.now();
  const wholeMs = Date.now();
  let timeMs = offsetMs + monotonicMs;
  if (timeMs < wholeMs || timeMs >= wholeMs + 1) {
    timeMs = timeMs < wholeMs ? wholeMs : wholeMs + 0.999;
    offsetMs = timeMs - monotonicMs;
  }
  if (timeMs < latestMs && latestMs < wholeMs + 1) return latestMs;
  latestMs = timeMs;
  return timeMs;
}
