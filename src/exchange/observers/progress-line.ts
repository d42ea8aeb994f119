import type { ObservedExchange } from '../events.js';
import { formatMs } from '../../text/time.js';
import type { Measurement } from '../../check/measurement.js';
import type { Context } from '../../run/context.js';
import {
  countPart,
  type LiveLine,
  type LivePart,
  shareOf,
  showLiveLine,
  timeLeftPart,
  troublePart,
} from '../../run/live-line.js';
import type { PacePlan } from '../plan.js';

/** How often the line is updated. A shorter run shows no line. */
const TICK_MS = 250;
const DEFAULT_INTERVAL_MS = 1000;

/** The values that the line shows. */
export interface Progress {
  readonly exchange: ObservedExchange;
  readonly measurement: Measurement | undefined;
  /** The number of messages in a round. Undefined if the run has no rounds. */
  readonly size: number | undefined;
}

/**
 * Shows the progress of a run of `send` at the bottom of the terminal, with the time left and a bar if the end is known.
 * Returns a function that removes the line.
 */
export function showProgress(plan: PacePlan, context: Context, progress: Progress): () => void {
  const { log } = context;
  const startMs = performance.now();
  const ticker = setInterval(() => {
    showLiveLine(context, describeProgress(plan, progress, performance.now() - startMs));
  }, TICK_MS).unref();
  return () => {
    clearInterval(ticker);
    log.status(undefined);
  };
}

function describeProgress(plan: PacePlan, { exchange, measurement, size }: Progress, elapsedMs: number): LiveLine {
  const { sent } = exchange;
  const { count, duration } = plan;
  const all = count === undefined || size === undefined ? undefined : count * size;
  const parts: LivePart[] = [countPart(sent, all, 'sent')];
  const leftMs = timeLeft(plan, { sent, all, size }, elapsedMs);
  if (leftMs !== undefined) parts.push(timeLeftPart(leftMs));
  if (measurement !== undefined) {
    const { replied, requests, roundTrips } = measurement;
    parts.push({ ...countPart(replied, undefined, 'received'), isMinor: true });
    parts.push(troublePart(requests - replied, 'unanswered'));
    const times = roundTrips.summary();
    if (times !== undefined) parts.push({ text: `median ${formatMs(times.p50Ms)} ms` });
  } else if (exchange.listens) {
    parts.push(countPart(exchange.received, undefined, 'received'));
  }
  const done = shareOf({
    count: all === undefined ? undefined : { now: sent, all },
    time: duration === undefined ? undefined : { now: elapsedMs, all: duration },
  });
  return { parts, done };
}

/** The time until everything is sent, in milliseconds. Undefined if it is not known. */
function timeLeft(
  { duration, interval = DEFAULT_INTERVAL_MS, rate }: PacePlan,
  {
    sent,
    all,
    size = 1,
  }: { readonly sent: number; readonly all: number | undefined; readonly size: number | undefined },
  elapsedMs: number,
): number | undefined {
  const untilEnd = duration === undefined ? Infinity : duration - elapsedMs;
  const stepMs = rate === undefined ? interval / size : 1000 / rate;
  // At full speed (stepMs 0) the time is not known.
  const untilSent = all === undefined || stepMs === 0 ? Infinity : (all - sent) * stepMs;
  const leftMs = Math.min(untilEnd, untilSent);
  return leftMs === Infinity ? undefined : leftMs;
}
