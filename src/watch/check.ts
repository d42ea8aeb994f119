import type { Measurement } from '../check/measurement.js';
import { UsageError } from '../cli/usage-error.js';
import { ask, type AskOptions, DeadlineError } from '../exchange/ask.js';
import type { ExchangeObserver } from '../exchange/events.js';
import type { ExchangePlan } from '../exchange/plan.js';
import { type CheckResult, describeResult } from '../exchange/result.js';
import { DatagramError, formatEndpoint } from '../net/index.js';
import { describeFailure } from '../text/failure.js';
import { formatDuration, formatMs } from '../text/time.js';
import type { Abortable } from '../timing/once-signal.js';
import type { CheckPlan } from './plan.js';
import type { Verdict } from './verdict.js';

/** The outcome of one check. */
export interface Outcome {
  readonly verdict: Verdict;
  /** The verdict in words. */
  readonly says: string;
  /** The address that was asked; undefined if the check failed before one was known. */
  readonly address: string | undefined;
  /** The round-trip time in milliseconds; of several datagrams their median; undefined without a matching reply. */
  readonly rttMs: number | undefined;
  /** Requests that the kernel took. */
  readonly sent: number;
  /** Replies that came, matching or not. */
  readonly received: number;
  /** Requests without a matching reply in time. */
  readonly lost: number;
}

/** Options of {@link check}. */
export interface CheckOptions extends Pick<AskOptions, 'io' | 'lookup'> {
  /** Aborted when the check is given up. */
  readonly signal: Abortable;
  /** Called with each event of the exchange. Default: none. */
  readonly observer?: ExchangeObserver | undefined;
}

/** Checks a target once, from a fresh socket. Resolves to undefined if the check was given up. */
export async function check(
  plan: CheckPlan,
  { io, lookup, signal, observer: other }: CheckOptions,
): Promise<Outcome | undefined> {
  let measurement: Measurement | undefined;
  let received = 0;
  const observer = {
    measuring: (event: { readonly measurement: Measurement }): void => {
      ({ measurement } = event);
    },
    replies: ({ batch }: { readonly batch: readonly unknown[] }): void => {
      received += batch.length;
    },
  };
  try {
    const exchange = anew(plan.exchange);
    const { deadlineMs } = plan;
    const options = {
      io,
      lookup: usesName(plan) ? lookup : undefined,
      signal,
      deadlineMs,
      observers: other === undefined ? [observer] : [observer, other],
      wantsMedianOnly: true,
    };
    const result = await ask(exchange, options);
    return signal.aborted ? undefined : judge(plan, result, measurement, received);
  } catch (error) {
    if (signal.aborted) return undefined;
    return failed(error, plan);
  }
}

function usesName({ exchange: { destination, source } }: CheckPlan): boolean {
  return destination.host.kind === 'name' || source?.host.kind === 'name';
}

/** Returns the plan for one more check. Each check has a run of the probe of its own, because no two requests are the same. */
function anew(exchange: ExchangePlan): ExchangePlan {
  const { messages } = exchange;
  return messages.kind === 'probe'
    ? { ...exchange, messages: { kind: 'probe', probe: messages.probe.again() } }
    : exchange;
}

function judge(plan: CheckPlan, result: CheckResult, measurement: Measurement | undefined, received: number): Outcome {
  const { exchange, deadlineMs } = plan;
  const { sent, verdict } = result;
  const lost = lostOf(plan, result, measurement);
  const rttMs = measurement?.roundTrips.medianMs ?? result.rttMs;
  const common = { address: formatEndpoint(result.remote), rttMs, sent, received, lost };
  if (verdict !== 'ok') {
    return { ...common, verdict, says: describeResult(exchange, result, Math.min(exchange.waitMs, deadlineMs)) };
  }
  const says = describeResult(exchange, result, exchange.waitMs);
  return { ...common, ...judgeSpeed(plan, rttMs, says) };
}

function lostOf(
  { exchange }: CheckPlan,
  { sent, matching }: CheckResult,
  measurement: Measurement | undefined,
): number {
  if (!exchange.judged) return 0;
  return Math.max(0, sent - matching, measurement === undefined ? 0 : measurement.lost + measurement.late);
}

function judgeSpeed(
  { warnMs = Infinity, criticalMs = Infinity }: CheckPlan,
  rttMs = 0,
  says: string,
): { readonly verdict: Verdict; readonly says: string } {
  const slower = (limitMs: number): string =>
    `the reply took ${formatMs(rttMs)} ms, slower than ${formatDuration(limitMs)}`;
  if (rttMs > criticalMs) return { verdict: 'late', says: slower(criticalMs) };
  return rttMs > warnMs ? { verdict: 'slow', says: slower(warnMs) } : { verdict: 'ok', says };
}

/** Returns the outcome of a check that failed on this host. @throws the error itself, if it is a mistake in this program */
function failed(error: unknown, { deadlineMs }: CheckPlan): Outcome {
  const says = describe(error, deadlineMs);
  if (says === undefined) throw error;
  const peer = error instanceof DatagramError ? error.peer : undefined;
  return {
    verdict: 'error',
    says,
    address: peer && formatEndpoint(peer),
    rttMs: undefined,
    sent: 0,
    received: 0,
    lost: 0,
  };
}

function describe(error: unknown, deadlineMs: number): string | undefined {
  if (error instanceof DeadlineError) {
    return `the deadline of ${formatDuration(deadlineMs)} came before ${error.milestone}`;
  }
  // Only the check shows some of them: a file that is larger than a datagram, a name that is this host's own address.
  if (error instanceof UsageError) return error.message;
  return describeFailure(error)?.message;
}
