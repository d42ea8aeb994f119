let offsetMs = performance.timeOrigin;

/**
 * The wall clock in milliseconds since the epoch, with the fractions that `Date.now()` lacks.
 * It runs on the monotonic clock and is set again whenever the system's clock was, so that it is never 1 ms off.
 */
export function wallClockMs(): number {
  const monotonicMs = performance.now();
  const wholeMs = Date.now();
  const timeMs = offsetMs + monotonicMs;
  if (timeMs >= wholeMs && timeMs < wholeMs + 1) return timeMs;
  offsetMs = (timeMs < wholeMs ? wholeMs : wholeMs + 0.999) - monotonicMs;
  return offsetMs + monotonicMs;
}
