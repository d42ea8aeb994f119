import type { Context } from './context.js';
import { type LivePart, shareOf, showLiveLine, timeLeftPart } from './live-line.js';

/** How often the line is written anew, in milliseconds. */
const TICK_MS = 250;
/** The line shows rates over this number of ticks: with fewer the numbers would change too fast to read. */
const TICKS_OF_RATE = 4;

/** The traffic of a service until a moment. */
interface Sample {
  /** The datagrams that count towards the end. */
  readonly received: number;
  /** The moment, by `performance.now()`. */
  readonly timeMs: number;
}

/** When a service ends: after a number of datagrams, or a time in milliseconds. */
interface Ends {
  readonly count?: number | undefined;
  readonly duration?: number | undefined;
}

/** What a live line shows. */
interface Shown<Traffic> {
  readonly sample: () => Traffic;
  /**
   * Returns the parts of the line.
   *
   * @param earlier the traffic about a second before `now`; the same as `now` at first
   * @param timeLeft the part with the time that is left, if the end is known
   */
  readonly parts: (now: Traffic, earlier: Traffic, timeLeft: readonly LivePart[]) => readonly LivePart[];
}

/**
 * Shows the traffic of a service at the bottom of the terminal, with a bar if the end is known. Returns a function that removes
 * the line.
 */
export function showTraffic<Traffic extends Sample>(
  context: Context,
  { count, duration }: Ends,
  { sample, parts }: Shown<Traffic>,
): () => void {
  const startMs = performance.now();
  /** The traffic at the last ticks, the oldest first. */
  const ticks: Traffic[] = [];
  const tick = (): void => {
    const now = sample();
    ticks.push(now);
    if (ticks.length > TICKS_OF_RATE + 1) ticks.shift();
    const elapsedMs = now.timeMs - startMs;
    const timeLeft = duration === undefined ? [] : [timeLeftPart(duration - elapsedMs)];
    const done = shareOf({
      count: count === undefined ? undefined : { now: now.received, all: count },
      time: duration === undefined ? undefined : { now: elapsedMs, all: duration },
    });
    showLiveLine(context, { parts: parts(now, ticks[0] ?? now, timeLeft), done });
  };
  tick();
  const ticker = setInterval(tick, TICK_MS).unref();
  return () => {
    clearInterval(ticker);
    context.log.status(undefined);
  };
}
