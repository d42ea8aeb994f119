import { escapeText } from '../text/escape.js';
import { formatLongDuration, formatMs, formatTime } from '../text/time.js';
import type { Palette } from '../output/palette.js';
import type { CheckEvent, StateEvent } from './events.js';
import { passes, type Verdict } from './verdict.js';

/** The colour of a verdict. */
export function paintVerdict(verdict: Verdict, palette: Palette): (text: string) => string {
  if (verdict === 'ok') return palette.green;
  return verdict === 'slow' ? palette.magenta : palette.red;
}

/** A check as a line: `2026-11-29T08:00:00.123456Z 192.0.2.1:53 ok 0.41 ms`, or `… silent: did not answer …`. */
export function formatCheck(
  { target, address, verdict, says, rttMs }: CheckEvent,
  timeMs: number,
  palette: Palette,
): string {
  const isTimed = passes(verdict) && rttMs !== undefined;
  const paint = paintVerdict(verdict, palette);
  const why = target === address ? withoutAddress(says, address, verdict) : says;
  const detail = isTimed ? `${paint(verdict)} ${formatMs(rttMs)} ms` : `${paint(verdict)}: ${escapeText(why)}`;
  return `${palette.dim(formatTime(timeMs))} ${escapeText(target)} ${detail}\n`;
}

/** Leaves the address and the verdict out of a verdict in words, for a line that begins with both. */
function withoutAddress(says: string, address: string, verdict: Verdict): string {
  const rest = says.startsWith(`${address} `) ? says.slice(address.length + 1) : says;
  const why = rest.startsWith(`${verdict}: `) ? rest.slice(verdict.length + 2) : rest;
  return why.replace(` from ${address} `, ' ').replace(` (${address})`, '');
}

/**
 * A change as a line: `2026-11-29T08:00:00.123456Z dns-1 192.0.2.1:53 down after 3h2m up: silent, 3 of 3`.
 *
 * @param streak how many checks in a row turned the target
 */
export function formatState(event: StateEvent, streak: number, timeMs: number, palette: Palette): string {
  const { target, address, from, to, verdict, sinceMs } = event;
  const name = target === address ? target : `${target} ${address}`;
  const paint = to === 'up' ? palette.green : palette.red;
  const rest = `after ${formatSince(sinceMs)} ${from}: ${verdict}, ${streak} of ${streak}`;
  return `${palette.dim(formatTime(timeMs))} ${escapeText(name)} ${paint(to)} ${rest}\n`;
}

/** How long a state lasts by its two largest units: `3h2m`, `45s`. */
export function formatSince(ms: number): string {
  return formatLongDuration(ms).replace(' ', '');
}
