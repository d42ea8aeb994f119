import { percentOf } from '../check/percent.js';
import { escapeText } from '../text/escape.js';
import { formatCount } from '../text/quantity.js';
import { formatMs } from '../text/time.js';
import type { TargetSummary, WatchSummaryEvent } from './events.js';
import type { TargetWatch } from './target-watch.js';
import { VERDICTS, type Verdict } from './verdict.js';

/** The summary of a run, target by target. */
export function summarize(targets: readonly TargetWatch[], durationMs: number): WatchSummaryEvent {
  return { type: 'summary', targets: targets.map(summarizeTarget), durationMs: Math.round(durationMs) };
}

function summarizeTarget({ plan, address, health, history, skipped, hooks }: TargetWatch): TargetSummary {
  const counts = VERDICTS.map((verdict) => [verdict, history.count(verdict)]);
  return {
    target: plan.name,
    address,
    state: health.state,
    checks: history.checks,
    skipped,
    verdicts: Object.fromEntries(counts) as Record<Verdict, number>,
    rtt: history.roundTrips.summary() ?? null,
    ...(plan.hook !== undefined && { hooks: { ...hooks } }),
  };
}

/** The summary in words: a line for all, and one for each target. */
export function describeSummary({ targets }: WatchSummaryEvent): { readonly line: string; readonly details: string[] } {
  const sum = (of: (target: TargetSummary) => number): number => targets.reduce((total, each) => total + of(each), 0);
  const skipped = sum((target) => target.skipped);
  const facts = [
    count(
      sum(({ checks }) => checks),
      'check',
    ),
    `of ${count(targets.length, 'target')}`,
    ...(skipped > 0 ? [`(${formatCount(skipped)} skipped)`] : []),
  ];
  return { line: facts.join(' '), details: targets.map(describeTarget) };
}

function describeTarget({ target, state, checks, skipped, verdicts, rtt, hooks }: TargetSummary): string {
  const shares = VERDICTS.filter((verdict) => verdicts[verdict] > 0).map(
    (verdict) => `${verdict} ${percentOf(verdicts[verdict], checks)}%`,
  );
  const times = rtt && [rtt.minMs, rtt.p50Ms, rtt.p99Ms, rtt.maxMs].map(formatMs).join('/');
  const ran = Object.entries(hooks ?? {}).filter(([, times]) => times > 0);
  return [
    `${escapeText(target)}: ${state}, ${count(checks, 'check')}`,
    ...shares,
    ...(skipped > 0 ? [`${formatCount(skipped)} skipped`] : []),
    ...(times === null ? [] : [`min/median/p99/max ${times} ms`]),
    ...(ran.length > 0 ? [`--on-change ${ran.map(([result, times]) => `${result} ${times}`).join(', ')}`] : []),
  ].join(', ');
}

function count(number: number, what: string): string {
  return `${formatCount(number)} ${what}${number === 1 ? '' : 's'}`;
}
