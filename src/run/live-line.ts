import type { WriteStream } from 'node:tty';
import type { Palette } from '../output/palette.js';
import type { StatusRow, StatusSpan } from '../output/status-line.js';
import { formatCount } from '../text/quantity.js';
import type { Context } from './context.js';

/** The width of a terminal that does not tell its width. */
const DEFAULT_COLUMNS = 80;
/** The terminal echoes Ctrl-C as `^C` behind the line. The echo must not go on in the next row. */
const RESERVED = '^C'.length;

/** The share of the row that the bar takes. The text does not change the length, so that the bar stands still. */
const SHARE_OF_BAR = 1 / 8;
/** In characters. */
const SHORTEST_BAR = 5;
const LONGEST_BAR = 20;

/** A part of a live line, for example `3 peers`. */
export interface LivePart {
  readonly text: string;
  readonly color?: keyof Palette | undefined;
  /** Stands between the part before it and this part. Default: a comma and a space. */
  readonly joint?: string;
  /** Whether the part gives way to the other parts on a narrow terminal. Default: false. */
  readonly isMinor?: boolean;
}

/** The content of a live line. */
export interface LiveLine {
  /** The parts from left to right. The first one is always shown. */
  readonly parts: readonly LivePart[];
  /** The share of the run that is over, from 0 to 1. Undefined while the end is not known: then there is no bar. */
  readonly done: number | undefined;
}

/** Shows a live line at the bottom of the terminal, in place of the one before. It is taken away by `log.status(undefined)`. */
export function showLiveLine(context: Context, line: LiveLine): void {
  // A background job must not write over the output of the shell.
  if (!context.isForeground()) return;
  context.log.status(() => {
    const { columns = 0 } = context.stderr as Partial<WriteStream>;
    return [drawLiveLine(line, columns > 0 ? columns : DEFAULT_COLUMNS, context.stderrPalette)];
  });
}

/** Lays out a live line for a terminal of this width. A part that does not fit is left out as a whole. */
export function drawLiveLine({ parts, done }: LiveLine, columns: number, palette: Palette): StatusRow {
  const room = columns - RESERVED;
  const length = Math.min(LONGEST_BAR, Math.max(SHORTEST_BAR, Math.floor(columns * SHARE_OF_BAR)));
  const roomBesideBar = room - length - 1;
  const hasBar = done !== undefined && (parts[0]?.text.length ?? 0) <= roomBesideBar;
  const row = fit(parts, hasBar ? roomBesideBar : room).flatMap(({ text, color, joint = ', ' }, nth): StatusSpan[] => [
    ...(nth === 0 ? [] : [{ text: joint }]),
    { text, ...(color && { paint: palette[color] }) },
  ]);
  return hasBar ? [...drawBar(done, length, palette), { text: ' ' }, ...row] : row;
}

/** Chooses the parts that fit: the first one always, the minor ones last. */
function fit(parts: readonly LivePart[], room: number): LivePart[] {
  const [first, ...others] = parts;
  const chosen = new Set(first && [first]);
  let left = room - (first?.text.length ?? 0);
  for (const part of [...others.filter(({ isMinor }) => !isMinor), ...others.filter(({ isMinor }) => isMinor)]) {
    const length = (part.joint ?? ', ').length + part.text.length;
    if (length > left) continue;
    left -= length;
    chosen.add(part);
  }
  return parts.filter((part) => chosen.has(part));
}

/** Draws a bar. Its two characters differ, so that it can be read without colour. It is full only when everything is done. */
function drawBar(done: number, length: number, { cyan, dim }: Palette): StatusRow {
  const full = Math.floor(Math.min(1, Math.max(0, done)) * length);
  return [
    { text: '█'.repeat(full), paint: cyan },
    { text: '░'.repeat(length - full), paint: dim },
  ];
}

/** The progress of a run towards its ends: a number of datagrams, a time, or both. The first end that is reached ends the run. */
export interface Extent {
  /** The datagrams so far, and at the end. The end is 1 or more. */
  readonly count?: { readonly now: number; readonly all: number } | undefined;
  /** The milliseconds so far, and at the end. The end is more than 0. */
  readonly time?: { readonly now: number; readonly all: number } | undefined;
}

/** Returns the share of a run that is over, from 0 on. Undefined without an end. */
export function shareOf({ count, time }: Extent): number | undefined {
  const shares = [count, time].flatMap((extent) => (extent === undefined ? [] : [extent.now / extent.all]));
  return shares.length === 0 ? undefined : Math.max(...shares);
}

/** The part with the remaining time. @param leftMs in milliseconds; a negative time counts as 0 */
export function timeLeftPart(leftMs: number): LivePart {
  return { text: `${formatCount(Math.ceil(Math.max(0, leftMs) / 1000))} s left`, color: 'dim' };
}

/** The part with the number of datagrams so far, for example `4 of 10 sent`. @param all undefined if it is not known */
export function countPart(now: number, all: number | undefined, verb: string): LivePart {
  return { text: `${formatCount(now)}${all === undefined ? '' : ` of ${formatCount(all)}`} ${verb}`, color: 'cyan' };
}

/** A part with a number that should be 0. It is magenta otherwise. */
export function troublePart(count: number, verb: string): LivePart {
  return { text: `${formatCount(count)} ${verb}`, color: count > 0 ? 'magenta' : undefined };
}
