import { prefersJson } from '../../http/accepts.js';
import { jsonReply, type Reply, textReply } from '../../http/reply.js';
import { escapeText } from '../../text/escape.js';
import { formatDuration } from '../../text/time.js';
import type { TargetWatch } from '../target-watch.js';

/** A target is not alive if its last check is older than so many of its intervals. */
const ALIVE_INTERVALS = 3;

/** Replies with 200 if all targets are up, or there are none; otherwise with 503, and a line for each that is not up. */
export function replyWithHealth(targets: readonly TargetWatch[], accept: string | undefined): Reply {
  const failing = targets.filter(({ health }) => health.state !== 'up');
  const status = failing.length === 0 ? 200 : 503;
  if (prefersJson(accept)) {
    const counts = { healthy: failing.length === 0, targets: targets.length };
    return jsonReply(status, { ...counts, failing: failing.map(describeFailing) });
  }
  if (failing.length === 0) return textReply(status, `${targets.length} of ${targets.length} targets are up\n`);
  const lines = failing.map(describeFailing).map(({ target, state, says }) => `${target} ${state}: ${says}`);
  return textReply(status, `${lines.map(escapeText).join('\n')}\n`);
}

function describeFailing({
  plan,
  health,
  history,
}: TargetWatch): Readonly<Record<'target' | 'state' | 'says', string>> {
  return { target: plan.name, state: health.state, says: history.last?.says ?? 'it was not checked yet' };
}

/** Replies with 200 while every target is checked; otherwise with 503, and a line for each that is not. */
export function replyWithLiveness(targets: readonly TargetWatch[], nowMs: number): Reply {
  const late = targets.filter(
    ({ plan, checkedMs, isDone }) => !isDone && nowMs - checkedMs > ALIVE_INTERVALS * plan.intervalMs,
  );
  if (late.length === 0) return textReply(200, 'checks are made\n');
  const lines = late.map(({ plan: { name, intervalMs }, checkedMs }) => {
    const age = formatDuration(Math.round(nowMs - checkedMs));
    return `${escapeText(name)} was not checked for ${age}, and its interval is ${formatDuration(intervalMs)}\n`;
  });
  return textReply(503, lines.join(''));
}
