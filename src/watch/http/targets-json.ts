import { MARKS } from '../table.js';
import type { TargetWatch } from '../target-watch.js';
import type { WatchedRun } from '../watcher.js';

/** Writes `/targets`, part by part. */
export function* describeTargets({ context, targets }: WatchedRun): Generator<string> {
  yield `{"version":${JSON.stringify(context.version)},"time":"${new Date().toISOString()}","targets":[`;
  for (const [index, target] of targets.entries()) {
    yield `${index === 0 ? '' : ','}\n${JSON.stringify(describeTarget(target, performance.now()))}`;
  }
  yield '\n]}\n';
}

/** @param nowMs now, by `performance.now()` */
function describeTarget({ plan, address, health, history, skipped }: TargetWatch, nowMs: number): object {
  const { last, loss, roundTrips } = history;
  return {
    target: plan.name,
    address,
    labels: plan.labels,
    health: plan.health,
    state: health.state,
    sinceMs: Math.round(nowMs - health.sinceMs),
    checks: history.checks,
    skipped,
    verdict: last?.verdict ?? null,
    says: last?.says ?? null,
    rttMs: last?.rttMs === undefined ? null : Math.round(last.rttMs * 1000) / 1000,
    medianMs: roundTrips.summary()?.p50Ms ?? null,
    loss: loss ?? null,
    history: history
      .latest()
      .map((verdict) => MARKS[verdict])
      .join(''),
  };
}
