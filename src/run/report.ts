import { describeSystemError } from '../net/errors.js';
import { type DatagramError, formatEndpoint } from '../net/index.js';
import { FORMATS } from '../output/formats/table.js';
import type { JsonEvent, SummaryFields } from '../output/json-lines.js';
import type { LogFields } from '../output/log.js';
import { describeRoundTrips, drawHistogram, LEAST_OF_HISTOGRAM } from '../stats/round-trip-lines.js';
import { Totals } from '../stats/totals.js';
import { fold, SUMMARY_COLUMNS } from '../text/fold.js';
import type { Context } from './context.js';
import { DropWatch } from './drop-watch.js';
import { describeFailure } from '../text/failure.js';
import type { RunPlan } from './plan.js';
import type { ClosedOutput, RunOutput } from './tap.js';

/** The additional content of a report: fields for JSON, and lines for people. */
export interface Details {
  readonly fields: LogFields;
  readonly lines: readonly string[];
}

const NO_DETAILS: Details = { fields: {}, lines: [] };

/** Reports a run: its errors, its progress and its summary. It writes events to stdout, and lines to stderr. */
export class Report {
  readonly totals = new Totals();
  readonly drops: DropWatch;
  readonly #plan: RunPlan;
  readonly #context: Context;
  readonly #output: RunOutput;
  readonly #details: () => Details;

  /** @param details makes the additional content of the summary and of progress reports. Default: none. */
  constructor(plan: RunPlan, context: Context, output: RunOutput, details = (): Details => NO_DETAILS) {
    this.#plan = plan;
    this.#context = context;
    this.#output = output;
    this.#details = details;
    this.drops = new DropWatch(plan, context, this.totals, output);
  }

  /** Writes an event to stdout, if the format has events. */
  event(event: JsonEvent): void {
    this.#output.event(event);
  }

  /** Reports an error of one peer or datagram. The run goes on. @param of the session and the relay, if it is of one */
  peerError(
    error: DatagramError,
    how: 'debug' | 'warn' = 'warn',
    of: { readonly session?: number; readonly relay?: string } = {},
  ): void {
    const { reporter, mtu } = error.icmp ?? {};
    const details = {
      code: error.code,
      ...(error.peer && { peer: formatEndpoint(error.peer) }),
      ...(reporter !== undefined && { reporter }),
      ...(mtu !== undefined && { mtu }),
      ...of,
    };
    this.#context.log[how](error.message, details);
    this.event({ type: 'error', message: error.message, ...details });
  }

  /** Reports an error that came back for an answer. If the client has gone, that is counted, and told with `-v` only. */
  answerError(error: DatagramError): void {
    const isGone = error.code === 'REFUSED' || error.code === 'UNREACHABLE';
    if (isGone) this.totals.refused += 1;
    this.peerError(error, isGone ? 'debug' : 'warn');
  }

  /** Counts a failure of the system to receive, because it had no memory. Reports the first one. */
  receiveError(error: DatagramError): void {
    this.totals.receiveErrors += 1;
    if (this.totals.receiveErrors > 1) return;
    const message = `${error.message}; udpcat tries again`;
    this.#context.log.warn(message, { code: error.code });
    this.event({ type: 'error', code: error.code, message });
  }

  /**
   * Reports the failure that ends the run.
   *
   * @throws the error itself, if it is a bug of this program
   */
  failure(error: unknown): void {
    const failure = describeFailure(error);
    if (failure === undefined) throw error;
    this.#context.log.error(failure.message, { code: failure.code });
    this.event({ type: 'error', ...failure });
  }

  /** Whether the summary is written, or drops decide the exit status. */
  get countsAreRead(): boolean {
    return this.#plan.failOnDrop === true || FORMATS[this.#plan.output].hasEvents === true || this.#tellsTotals;
  }

  get #tellsTotals(): boolean {
    const { stats, quiet } = this.#plan;
    return stats ?? (this.#context.terminals.stderr && quiet !== true);
  }

  /** The totals so far, with the fields of the summary. */
  fields(): SummaryFields & LogFields {
    this.drops.countOutput();
    return this.totals.fields();
  }

  /** Writes a progress report to stderr. It does so even with `quiet`, because the user asked for it by a signal. */
  progress(more = NO_DETAILS): void {
    this.drops.askKernelAgain();
    const fields = this.fields();
    const details = this.#details();
    const all = { ...fields, ...more.fields, ...details.fields };
    const [first = '', ...others] = this.#fit([
      this.totals.describe(),
      ...more.lines,
      ...this.#responderLines(),
      ...details.lines,
    ]);
    this.#context.log.report(first, all, others);
  }

  /**
   * Ends the report. Writes the remaining drops, then `last`, then the summary, which is always the last line.
   *
   * @param output the closed output: no datagram can follow the summary
   */
  finish(output: ClosedOutput, last?: JsonEvent): FinishedReport {
    this.drops.close();
    const { output: count } = this.totals.drops;
    if (count > 0) this.event({ type: 'drop', where: 'output', count });
    if (last !== undefined) this.event(last);
    const details = this.#details();
    const fields = { ...this.fields(), ...details.fields };
    this.event({ type: 'summary', ...fields });
    if (this.#tellsTotals) {
      const lines = [
        this.totals.describe(),
        ...this.totals.describeRates(),
        ...this.#roundTripLines(),
        ...this.#responderLines(),
        ...details.lines,
      ];
      const [first = '', ...others] = this.#fit(lines);
      this.#context.log.announce(first, fields, others);
    }
    return {
      recordingClosed: output.recordingClosed,
      written: async () => {
        await output.written();
        return { tellWriteFailure: () => this.#tellWriteFailure(), tellFailOnDrop: () => this.#tellFailOnDrop() };
      },
    };
  }

  /** The round-trip times for people. JSON has them in the fields of the summary. */
  #roundTripLines(): readonly string[] {
    const { measurement } = this.totals;
    const times = measurement?.roundTrips.summary();
    if (measurement === undefined || times === undefined) return [];
    const { roundTrips, matchedBy } = measurement;
    const histogram = roundTrips.count < LEAST_OF_HISTOGRAM ? [] : drawHistogram(roundTrips.buckets());
    return [describeRoundTrips(times, matchedBy), ...histogram];
  }

  /** The responders for people, if several addresses may reply. */
  #responderLines(): readonly string[] {
    return this.totals.responders?.describe() ?? [];
  }

  /** Breaks the lines of a summary for a terminal. In a file and in JSON each stays whole, so that programs find it. */
  #fit(lines: readonly string[]): readonly string[] {
    const isShown = this.#context.terminals.stderr && this.#plan.logFormat === 'pretty';
    return isShown ? lines.flatMap((line) => fold(line, SUMMARY_COLUMNS)) : lines;
  }

  #tellWriteFailure(): string | undefined {
    const { failure } = this.#output;
    if (failure === undefined) return undefined;
    const message = `cannot write to stdout: ${describeSystemError(failure)}`;
    this.#context.log.error(message);
    return message;
  }

  #tellFailOnDrop(): boolean {
    if (this.#plan.failOnDrop !== true) return false;
    const { log } = this.#context;
    if (this.drops.kernelIsUnknown) {
      log.warn('--fail-on-drop: the drops of the kernel cannot be known here, and do not count');
    }
    if (this.totals.drops.total === 0) return false;
    log.error(`${this.totals.drops.describe().join(', ')} (--fail-on-drop)`);
    return true;
  }
}

/** A report with its summary. */
export interface FinishedReport {
  /** See {@link ClosedOutput.recordingClosed}. */
  readonly recordingClosed: Promise<void>;
  /** Waits until the recording is closed and the summary is written. Stdout may also have failed or been closed. */
  written(): Promise<WrittenReport>;
}

/** A report that was written, as far as stdout took it. */
export interface WrittenReport {
  /** If writing to stdout failed, logs the error and returns it. Returns undefined otherwise, also for a closed pipe. */
  tellWriteFailure(): string | undefined;
  /** If `--fail-on-drop` was given and datagrams were dropped, logs the drops and returns true. */
  tellFailOnDrop(): boolean;
}
