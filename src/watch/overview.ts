import type { WriteStream } from 'node:tty';
import { createPalette, PLAIN, type Palette, wantsColor } from '../output/palette.js';
import type { Context } from '../run/context.js';
import { fold, SUMMARY_COLUMNS } from '../text/fold.js';
import type { WatchSummaryEvent } from './events.js';
import type { WatchPlan } from './plan.js';
import { describeSummary, summarize } from './summary.js';
import { drawTable } from './table.js';
import type { TargetWatch } from './target-watch.js';

/** The size of a terminal that does not tell its size. */
const DEFAULT_SIZE = { rows: 24, columns: 80 };
/** The width of a report, which may go to a file. */
const REPORT_COLUMNS = 180;
/** The terminal echoes Ctrl-C as `^C` behind the last row. The echo must not go on in the next row. */
const RESERVED = '^C'.length;

/** Shows on stderr how all targets are: the table at a terminal, the report that a signal asks for, and the summary at the end. */
export class Overview {
  readonly #plan: Pick<WatchPlan, 'stats' | 'quiet' | 'color' | 'logFormat'>;
  readonly #context: Context;
  readonly #targets: () => readonly TargetWatch[];
  readonly #startMs = performance.now();
  #palette: Palette = PLAIN;

  /** @param targets returns the targets that are checked now */
  constructor(
    plan: Pick<WatchPlan, 'stats' | 'quiet' | 'color' | 'logFormat'>,
    context: Context,
    targets: () => readonly TargetWatch[],
  ) {
    this.#plan = plan;
    this.#context = context;
    this.#targets = targets;
  }

  /** Loads the colours of the table. */
  async prepare(): Promise<void> {
    const { env, terminals } = this.#context;
    this.#palette = await createPalette(wantsColor(this.#plan.color, env, terminals.stderr));
  }

  /** Draws the table in place of the one before. Only several targets at a terminal have a table. */
  draw(): void {
    const { log } = this.#context;
    if (!log.hasStatus || !this.#tellsTotals || this.#targets().length < 2) return;
    log.status(() => {
      const { rows = 0, columns = 0 } = this.#context.stderr as Partial<WriteStream>;
      return drawTable(this.#targets(), {
        // One row is left for lines above the table.
        maxRows: Math.max(2, (rows > 0 ? rows : DEFAULT_SIZE.rows) - 1),
        columns: (columns > 0 ? columns : DEFAULT_SIZE.columns) - RESERVED,
        palette: this.#palette,
        nowMs: performance.now(),
      });
    });
  }

  /** Writes the table once, below a line with the totals. */
  report(): void {
    const size = { maxRows: Infinity, columns: REPORT_COLUMNS };
    const rows = drawTable(this.#targets(), { ...size, palette: PLAIN, nowMs: performance.now() });
    const lines = rows.map((row) => row.map(({ text }) => text).join(''));
    const summary = this.#summarize();
    const { line } = describeSummary(summary);
    this.#context.log.report(
      line,
      { targets: summary.targets },
      lines.map((text) => text.trimEnd()),
    );
  }

  /** Takes the table away, writes the summary if the user wants it, and returns the summary. */
  finish(): WatchSummaryEvent {
    const { log } = this.#context;
    log.status(undefined);
    const summary = this.#summarize();
    if (this.#tellsTotals) {
      const { line, details } = describeSummary(summary);
      const isShown = this.#context.terminals.stderr && this.#plan.logFormat === 'pretty';
      const lines = isShown ? details.flatMap((detail) => fold(detail, SUMMARY_COLUMNS)) : details;
      log.announce(line, { targets: summary.targets, durationMs: summary.durationMs }, lines);
    }
    return summary;
  }

  #summarize(): WatchSummaryEvent {
    return summarize(this.#targets(), performance.now() - this.#startMs);
  }

  get #tellsTotals(): boolean {
    const { stats, quiet } = this.#plan;
    return stats ?? (this.#context.terminals.stderr && quiet !== true);
  }
}
