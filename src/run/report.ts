import { describeSystemError } from '../net/errors.js';
import { type DatagramError, formatEndpoint } from '../net/index.js';
import { FORMATS } from '../output/formats/table.js';
import type { JsonEvent, SummaryFields } from '../output/json-lines.js';
import type { LogFields } from '../output/log.js';
import { describeRoundTrips, drawHistogram } from '../stats/round-trip-lines.js';
import { Totals } from '../stats/totals.js';
import type { Context } from './context.js';
import { DropWatch } from './drop-watch.js';
import { describeFailure } from '../text/failure.js';
import type { RunPlan } from './plan.js';
import type { ClosedOutput, RunOutput } from './tap.js';

/** Things that a report tells besides the totals: to JSON as fields, to people as lines. */
export interface Details {
  readonly fields: LogFields;
  readonly lines: readonly string[];
}

const NO_DETAILS: Details = { fields: {}, lines: [] };

/** Tells of a run, on stdout as events and on stderr as lines: its errors, how far it is, and its summary. */
export class Report {
  readonly totals = new Totals();
  readonly drops: DropWatch;
  readonly #plan: RunPlan;
  readonly #context: Context;
  readonly #output: RunOutput;
  readonly #details: () => Details;

  /** @param details what the summary and reports tell besides the totals. Default: nothing. */
  constructor(plan: RunPlan, context: Context, output: RunOutput, details = (): Details => NO_DETAILS) {
    this.#plan = plan;
    this.#context = context;
    this.#output = output;
    this.#details = details;
    this.drops = new DropWatch(plan, context, this.totals, output);
  }

  event(event: JsonEvent): void {
    this.#output.event(event);
  }

  /** Tells an error of one peer or datagram, after which the run goes on. */
  peerError(error: DatagramError, how: 'debug' | 'warn' = 'warn'): void {
    const details = { code: error.code, ...(error.peer && { peer: formatEndpoint(error.peer) }) };
    this.#context.log[how](error.message, details);
    this.event({ type: 'error', message: error.message, ...details });
  }

  /** Counts that the system had no memory to receive with, and tells it the first time. */
  receiveError(error: DatagramError): void {
    this.totals.receiveErrors += 1;
    if (this.totals.receiveErrors > 1) return;
    const message = `${error.message}; it is tried again`;
    this.#context.log.warn(message, { code: error.code });
    this.event({ type: 'error', code: error.code, message });
  }

  /**
   * Tells the failure that ends the run.
   *
   * @throws the error itself, if it is a mistake in this program
   */
  failure(error: unknown): void {
    const failure = describeFailure(error);
    if (failure === undefined) throw error;
    this.#context.log.error(failure.message, { code: failure.code });
    this.event({ type: 'error', ...failure });
  }

  /** Whether the counts are written or judged at the end. */
  get countsAreRead(): boolean {
    return this.#plan.failOnDrop === true || FORMATS[this.#plan.output].hasEvents === true || this.#tellsTotals;
  }

  get #tellsTotals(): boolean {
    const { stats, quiet } = this.#plan;
    return stats ?? (this.#context.terminals.stderr && quiet !== true);
  }

  /** The totals so far, as in the summary. */
  fields(): SummaryFields & LogFields {
    this.drops.countOutput();
    return this.totals.fields();
  }

  /** Tells on stderr how far the run is, even with `quiet`, because the user asked by a signal. */
  progress(more = NO_DETAILS): void {
    this.drops.askKernelAgain();
    const fields = this.fields();
    const details = this.#details();
    const all = { ...fields, ...more.fields, ...details.fields };
    this.#context.log.report(this.totals.describe(), all, [...more.lines, ...details.lines]);
  }

  /**
   * Ends the run: tells the drops that are not told yet, then `last`, then the summary, which is always the last line.
   *
   * @param output The closed output, to which no datagrams can come any more.
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
      this.#context.log.announce(this.totals.describe(), fields, [...this.#roundTripLines(), ...details.lines]);
    }
    return {
      recordingClosed: output.recordingClosed,
      written: async () => {
        await output.written();
        return { tellWriteFailure: () => this.#tellWriteFailure(), tellFailOnDrop: () => this.#tellFailOnDrop() };
      },
    };
  }

  /** The round-trip times, for people: JSON has them in the fields of the summary. */
  #roundTripLines(): readonly string[] {
    const { measurement } = this.totals;
    const times = measurement?.roundTrips.summary();
    if (measurement === undefined || times === undefined) return [];
    return [describeRoundTrips(times, measurement.matchedBy), ...drawHistogram(measurement.roundTrips.buckets())];
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
      log.warn('--fail-on-drop: what the kernel dropped cannot be known here, and does not count');
    }
    if (this.totals.drops.total === 0) return false;
    log.error(`${this.totals.drops.describe().join(', ')} (--fail-on-drop)`);
    return true;
  }
}

/** A report that has told its summary. */
export interface FinishedReport {
  /** See {@link ClosedOutput.recordingClosed}. */
  readonly recordingClosed: Promise<void>;
  /** Waits until the recording is closed, and stdout has taken the summary, or takes no more. */
  written(): Promise<WrittenReport>;
}

/** A report that is written as far as stdout took it. */
export interface WrittenReport {
  /** Tells, and returns in words, why stdout took no more; undefined if it took all, or its reader closed it. */
  tellWriteFailure(): string | undefined;
  /** Whether datagrams were dropped, and `--fail-on-drop` makes that the status; tells which. */
  tellFailOnDrop(): boolean;
}
