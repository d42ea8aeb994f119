import type { ObservedExchange } from '../events.js';
import { formatCount } from '../../text/quantity.js';
import { formatMs } from '../../text/time.js';
import type { Measurement } from '../../check/measurement.js';
import type { Context } from '../../run/context.js';
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
 * Shows the progress of a run of `send` at the bottom of the terminal, with the time left if the end is known. Returns a
 * function that removes the line.
 */
export function showProgress(plan: PacePlan, context: Context, progress: Progress): () => void {
  const { log } = context;
  const startMs = performance.now();
  const ticker = setInterval(() => {
    // A background job must not write over the output of the shell.
    if (context.isForeground()) log.status(describeProgress(plan, progress, startMs));
  }, TICK_MS).unref();
  return () => {
    clearInterval(ticker);
    log.status(undefined);
  };
}

function describeProgress(plan: PacePlan, { exchange, measurement, size }: Progress, startMs: number): string {
  const { sent } = exchange;
  const { count } = plan;
  const all = count === undefined || size === undefined ? undefined : count * size;
  const parts = [`${formatCount(sent)}${all === undefined ? '' : ` of ${formatCount(all)}`} sent`];
  // The time left comes early in the line, because a narrow terminal cuts off the end.
  const leftMs = timeLeft(plan, { sent, all, size }, startMs);
  if (leftMs !== undefined) parts.push(`${Math.ceil(leftMs / 1000)} s left`);
  if (measurement !== undefined) {
    const { replied, requests, roundTrips } = measurement;
    parts.push(`${formatCount(replied)} received, ${formatCount(requests - replied)} unanswered`);
    const times = roundTrips.summary();
    if (times !== undefined) parts.push(`median ${formatMs(times.p50Ms)} ms`);
  } else if (exchange.listens) {
    parts.push(`${formatCount(exchange.received)} received`);
  }
  return parts.join(', ');
}

/** The time until everything is sent, in milliseconds. Undefined if it is not known. */
function timeLeft(
  { duration, interval = DEFAULT_INTERVAL_MS, rate }: PacePlan,
  {
    sent,
    all,
    size = 1,
  }: { readonly sent: number; readonly all: number | undefined; readonly size: number | undefined },
  startMs: number,
): number | undefined {
  const untilEnd = duration === undefined ? Infinity : startMs + duration - performance.now();
  const stepMs = rate === undefined ? interval / size : 1000 / rate;
  // At full speed (stepMs 0) the time is not known.
  const untilSent = all === undefined || stepMs === 0 ? Infinity : (all - sent) * stepMs;
  const leftMs = Math.min(untilEnd, untilSent);
  return leftMs === Infinity ? undefined : Math.max(0, leftMs);
}
