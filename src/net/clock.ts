let offsetMs = performance.timeOrigin;
let latestMs = 0;
let readSystemClock: (() => number) | undefined;

/**
 * The time in milliseconds since the epoch, with fractions. `Date.now()` has none.
 *
 * It adds the monotonic clock to an offset, and corrects the offset when the system's clock was set. So it is less than
 * 1 ms off, and goes back only if the system's clock goes back. After {@link useSystemClock} it reads the system's
 * clock.
 */
export function wallClockMs(): number {
  if (readSystemClock !== undefined) return readSystemClock();
  const beforeMs = performance.now();
  const wholeMs = Date.now();
  const afterMs = performance.now();
  // The process may be interrupted between the readings. So the offset changes only if no moment between them fits it.
  if (offsetMs + afterMs < wholeMs) offsetMs = wholeMs - afterMs;
  else if (offsetMs + beforeMs >= wholeMs + 1) offsetMs = wholeMs + 0.999 - beforeMs;
  const timeMs = Math.max(offsetMs + beforeMs, wholeMs);
  if (timeMs < latestMs && latestMs < wholeMs + 1) return latestMs;
  latestMs = timeMs;
  return timeMs;
}

/**
 * Makes {@link wallClockMs} call `read`, which returns the system's clock in milliseconds since the epoch. The kernel
 * stamps received datagrams by that clock, so times of both sources can be compared to the microsecond.
 */
export function useSystemClock(read: () => number): void {
  readSystemClock = read;
}
