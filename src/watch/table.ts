import type { Palette } from '../output/palette.js';
import type { StatusRow } from '../output/status-line.js';
import { formatMs } from '../text/time.js';
import type { State } from './health.js';
import { formatSince, paintVerdict } from './lines.js';
import type { TargetWatch } from './target-watch.js';
import type { Verdict } from './verdict.js';

/** Each verdict as one character, in the table of the terminal and in `/targets`. */
export const MARKS: Readonly<Record<Verdict, string>> = {
  ok: '.',
  slow: '~',
  late: 'L',
  silent: '-',
  refused: 'R',
  mismatch: 'M',
  stray: 'S',
  error: 'E',
};

/** Names are cut to so many characters. */
const MAX_NAME = 32;
const ORDER: Readonly<Record<State, number>> = { down: 0, unknown: 1, up: 2 };

/** How a table is drawn. */
export interface TableOptions {
  /** The most rows, from 2. */
  readonly maxRows: number;
  /** The width in characters. The marks of the latest checks fill what the other cells leave of it. */
  readonly columns: number;
  readonly palette: Palette;
  /** Now, by `performance.now()`. */
  readonly nowMs: number;
}

/**
 * The table of targets: name, state and since when, last and median round-trip time, loss of the last 100 checks, the last
 * checks as one character each. Targets that are not up come first if there are more than rows, and the others are counted.
 */
export function drawTable(
  targets: readonly TargetWatch[],
  { maxRows, columns, palette, nowMs }: TableOptions,
): readonly StatusRow[] {
  const fits = targets.length <= maxRows;
  const sorted = fits
    ? targets
    : [...targets].sort((a, b) => ORDER[a.health.state] - ORDER[b.health.state]).slice(0, maxRows - 1);
  const rows = sorted.map((target) => cellsOf(target, nowMs));
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...rows.map((row) => row.cells[column]?.length ?? 0)));
  const drawn = rows.map(({ cells, target }): StatusRow => {
    const { state } = target.health;
    const paintState = state === 'up' ? palette.green : state === 'down' ? palette.red : palette.magenta;
    const pad = (column: number): string => (cells[column] ?? '').padEnd(widths[column] ?? 0);
    const padStart = (column: number): string => (cells[column] ?? '').padStart(widths[column] ?? 0);
    const [name, times] = [`${pad(0)}  `, `  ${padStart(2)}  ${padStart(3)}  ${padStart(4)}  `];
    // The last column stays empty: a character there would take the cursor to the next row.
    const left = columns - 1 - name.length - pad(1).length - times.length;
    return [{ text: name }, { text: pad(1), paint: paintState }, { text: times }, ...marksOf(target, left, palette)];
  });
  return fits ? drawn : [...drawn, [{ text: describeRest(targets, sorted), paint: palette.dim }]];
}

/** The texts of a row: name, state, last and median round-trip time, loss. */
function cellsOf(target: TargetWatch, nowMs: number): { readonly target: TargetWatch; readonly cells: string[] } {
  const { plan, health, history } = target;
  const { state, sinceMs } = health;
  const { last, loss, roundTrips } = history;
  const letters = Array.from(plan.name);
  const name = letters.length > MAX_NAME ? `${letters.slice(0, MAX_NAME - 1).join('')}…` : plan.name;
  const ms = (time: number | undefined): string => (time === undefined ? '-' : `${formatMs(time)} ms`);
  return {
    target,
    cells: [
      name,
      `${state} ${formatSince(nowMs - sinceMs)}`,
      `last ${ms(last?.rttMs)}`,
      `median ${ms(roundTrips.summary()?.p50Ms)}`,
      `loss ${loss === undefined ? '-' : `${Math.round(loss * 100)}%`}`,
    ],
  };
}

/** The last checks, at most `count`, each in its colour; neighbours of one verdict are one text. */
function marksOf({ history }: TargetWatch, count: number, palette: Palette): StatusRow {
  const spans: { text: string; readonly verdict: Verdict }[] = [];
  for (const verdict of history.latest(Math.max(0, count))) {
    const before = spans.at(-1);
    if (before?.verdict === verdict) before.text += MARKS[verdict];
    else spans.push({ text: MARKS[verdict], verdict });
  }
  return spans.map(({ text, verdict }) => ({ text, paint: paintVerdict(verdict, palette) }));
}

function describeRest(targets: readonly TargetWatch[], shown: readonly TargetWatch[]): string {
  const rest = targets.filter((target) => !shown.includes(target));
  const counts = (['down', 'unknown', 'up'] as const).flatMap((state) => {
    const count = rest.filter(({ health }) => health.state === state).length;
    return count === 0 ? [] : [`${count} ${state}`];
  });
  return `and ${rest.length} more: ${counts.join(', ')}`;
}
