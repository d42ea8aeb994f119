let offsetMs = performance.timeOrigin;
let latestMs = 0;
let readSystemClock: (() => number) | undefined;

/**
 * The wall clock in milliseconds since the epoch, with the fractions that `Date.now()` lacks; it goes back only when the
 * system's clock does. It runs on the monotonic clock and is set again whenever the system's clock was, so that it is never
 * 1 ms off, unless {@link useSystemClock} has it read that clock itself.
 */
export function wallClockMs(): number {
  if (readSystemClock !== undefined) return readSystemClock();
  const beforeMs = performance.now();
  const wholeMs = Date.now();
  const afterMs = performance.now();
  // However long this process was held up between the readings, they are no reason to set it as long as they can agree.
  if (offsetMs + afterMs < wholeMs) offsetMs = wholeMs - afterMs;
  else if (offsetMs + beforeMs >= wholeMs + 1) offsetMs = wholeMs + 0.999 - beforeMs;
  const timeMs = Math.max(offsetMs + beforeMs, wholeMs);
  if (timeMs < latestMs && latestMs < wholeMs + 1) return latestMs;
  latestMs = timeMs;
  return timeMs;
}

/**
 * Has the wall clock read the system's own from now on, in milliseconds since the epoch: that by which the kernel stamps
 * what it receives, so that such times can be compared with those taken here to the last fraction.
 */
export function useSystemClock(read: () => number): void {
  readSystemClock = read;
}
