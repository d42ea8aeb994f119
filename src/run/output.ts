import type { Context } from './context.js';
import { describeFailure } from '../text/failure.js';
import type { RunPlan } from './plan.js';
import type { PreparedRecording } from './prepared-recording.js';
import { DatagramWriter } from '../output/datagram-writer.js';
import { createFormat } from '../output/formats/table.js';
import type { JsonEvent, SummaryFields } from '../output/json-lines.js';
import type { LogFields } from '../output/log.js';
import { describeRoundTrips, drawHistogram } from '../stats/round-trip-lines.js';
import { describeSystemError } from '../net/errors.js';
import { isMulticast } from '../net/address/endpoint.js';
import { type Datagram, type DatagramError, type Endpoint, formatEndpoint, type Outgoing } from '../net/index.js';
import type { Direction, Recording } from '../record/recording.js';
import type { Totals } from '../stats/totals.js';
import { Alarm } from '../timing/alarm.js';

/** How often drops are reported while they go on, and the kernel is asked for its own. */
const DROP_REPORT_MS = 250;

/** What is told besides the totals: to JSON as fields, to people as lines of their own. */
export interface Details {
  readonly fields: LogFields;
  readonly lines: readonly string[];
}

/** Counts what the kernel drops: a socket, or several as one. */
export interface KernelCounter {
  /** How many there were so far; undefined where that cannot be known. */
  readonly kernelDropped: number | undefined;
  /** Whether there may have been more than was told last. */
  readonly kernelDropsAreLowerBound: boolean;
}

const NO_DETAILS: Details = { fields: {}, lines: [] };

/** What a command says of its run, on stdout and stderr, the same for all three. */
export class Output {
  readonly writer: DatagramWriter;
  readonly totals: Totals;
  readonly #plan: RunPlan;
  readonly #context: Context;
  readonly #details: () => Details;
  readonly #unreportedDrops = { kernel: 0, queue: 0 };
  #queueDropsWereSaid = false;
  #kernelDropsWereSaid = false;
  readonly #onEnd: () => void;
  #preparedRecording: PreparedRecording | undefined;
  #recording: Recording | undefined;
  #recordingClosed: Promise<void> | undefined;
  #kernelCounter: KernelCounter | undefined;
  #kernelWasAsked = false;
  #kernelPoll: NodeJS.Timeout | undefined;
  readonly #dropReport = new Alarm(() => {
    // Behind a reader that does not read, one event after the other would fill the memory.
    if (this.#context.stdout.writableLength > 0) this.#dropReport.set(DROP_REPORT_MS);
    else this.#reportDrops();
  });

  /**
   * @param onEnd called when stdout, or the file of the recording, takes no more
   * @param details what the summary and reports tell besides the totals. Default: nothing.
   */
  constructor(plan: RunPlan, context: Context, totals: Totals, onEnd: () => void, details = (): Details => NO_DETAILS) {
    this.#plan = plan;
    this.#context = context;
    this.#details = details;
    this.#onEnd = onEnd;
    this.totals = totals;
    const { log, terminals } = context;
    this.writer = new DatagramWriter(context.stdout, {
      events: plan.output === 'json',
      onEnd,
      beforeWrite: terminals.stdout && log.hasStatus ? () => log.putStatusAside() : undefined,
    });
    context.force.addEventListener('abort', this.abandon, { once: true });
  }

  /**
   * Looks at the file of the recording, if there is one, before a socket is opened.
   *
   * @param replayed The file that the run reads, if it replays one: it is neither written to nor removed.
   * @throws {UsageError} if it holds something else; {@link RecordError} if it cannot be read and written
   */
  async prepare(replayed?: string): Promise<void> {
    const { record } = this.#plan;
    if (record === undefined) return;
    const { prepareRecording } = await import('./prepared-recording.js');
    this.#preparedRecording = await prepareRecording(record, this.#plan, this.#context, replayed);
  }

  /**
   * Says what the datagrams look like, once the socket is open: before it there are none. Opens the recording.
   *
   * @throws as {@link prepare} does, which comes before
   */
  async begin({ bound, meta }: { readonly bound: Endpoint; readonly meta: boolean }): Promise<void> {
    this.#recording = await this.#preparedRecording?.open(bound);
    this.writer.format = createFormat(this.#plan.output, {
      meta: this.#plan.meta ?? meta,
      terminal: this.#context.terminals.stdout,
      palette: this.#context.palette,
      bound,
    });
  }

  /**
   * Datagrams were taken: for the recording, if there is one. Resolves to those that it kept; the others are counted as
   * dropped, and are not to be written elsewhere, so that each is counted once.
   */
  async recordReceived(batch: readonly Datagram[]): Promise<readonly Datagram[]> {
    if (this.#recording === undefined) return batch;
    const kept = await this.#record(this.#recording, batch, 'in');
    return kept === batch.length ? batch : batch.slice(0, kept);
  }

  /** Datagrams were sent: for the recording, if there is one. @param timesMs when the kernel was given each of them */
  async recordSent(batch: readonly Outgoing[], timesMs: Float64Array): Promise<void> {
    if (this.#recording === undefined) return;
    const sent = batch.map(({ data, remote, local: from }, index) => {
      // What was asked of a group is answered from an address of this host's own.
      const local = from === undefined || isMulticast(from.address) ? undefined : from;
      return { data, remote, local, timeMs: timesMs[index] as number };
    });
    await this.#record(this.#recording, sent, 'out');
  }

  async #record(recording: Recording, batch: readonly Datagram[], direction: Direction): Promise<number> {
    const kept = await recording.write(batch, direction);
    if (this.recordingFailed) this.#onEnd();
    return kept;
  }

  /** Whether the recording takes no more, and the run is about to end. */
  get recordingFailed(): boolean {
    return this.#recording?.failure !== undefined;
  }

  /**
   * Waits until what was recorded is written, or dropped.
   *
   * @throws {RecordError} if the recording took no more
   */
  async recorded(): Promise<void> {
    await this.#recording?.settled();
    if (this.#recording?.failure !== undefined) throw this.#recording.failure;
  }

  /** Whether datagrams that are sent are recorded. */
  get records(): boolean {
    return this.#plan.record !== undefined;
  }

  /** Waits for whoever reads stdout no more: what is under way, and anything that follows, counts as lost. */
  readonly abandon = (): void => {
    this.writer.abandon();
    this.#recording?.abandon();
  };

  event(event: JsonEvent): void {
    this.writer.event(event);
  }

  /** An error of one peer or datagram, which ends nothing. */
  peerError(error: DatagramError, how: 'debug' | 'warn' = 'warn'): void {
    const details = { code: error.code, ...(error.peer && { peer: formatEndpoint(error.peer) }) };
    this.#context.log[how](error.message, details);
    this.event({ type: 'error', message: error.message, ...details });
  }

  /** The system had no memory to receive with: counted, and told the first time. */
  receiveError(error: DatagramError): void {
    this.totals.receiveErrors += 1;
    if (this.totals.receiveErrors > 1) return;
    const message = `${error.message}; it is tried again`;
    this.#context.log.warn(message, { code: error.code });
    this.event({ type: 'error', code: error.code, message });
  }

  /**
   * The failure that ends the run, told on stderr and as an event.
   *
   * @throws what is no failure but a mistake in this program
   */
  failure(error: unknown): void {
    const failure = describeFailure(error);
    if (failure === undefined) throw error;
    this.#context.log.error(failure.message, { code: failure.code });
    this.event({ type: 'error', ...failure });
  }

  /** Says why stdout took no more. */
  writerFailure(): string {
    const message = `cannot write to stdout: ${describeSystemError(this.writer.failure)}`;
    this.#context.log.error(message);
    return message;
  }

  /** Datagrams were dropped because the queue was full. */
  queueDropped(count: number): void {
    this.totals.queueDropped += count;
    if (!this.#queueDropsWereSaid) {
      this.#queueDropsWereSaid = true;
      this.#context.log.warn(`the queue of ${this.#plan.queueSize} is full, and datagrams are dropped (--queue-size)`);
    }
    this.#toBeReported('queue', count);
  }

  /** Datagrams are left in the queue at the end. */
  queueLeft(count: number): void {
    this.totals.queueDropped += count;
    this.#context.log.warn(`the time is over, and ${count} replies that had arrived are dropped without being judged`);
    this.#toBeReported('queue', count);
  }

  /**
   * Has what the kernel dropped told while the run goes on, and, if it was asked for at least once, counted at the end.
   *
   * @param counter {@link finish} asks it a last time
   */
  watchKernel(counter: KernelCounter): void {
    this.#kernelCounter = counter;
    this.#kernelPoll = setInterval(() => {
      this.askKernel();
    }, DROP_REPORT_MS).unref();
  }

  /** Whether the counts are written or judged at the end. */
  get countsAreRead(): boolean {
    return this.#plan.failOnDrop === true || this.#plan.output === 'json' || this.#tellsTotals;
  }

  get #tellsTotals(): boolean {
    const { stats, quiet } = this.#plan;
    return stats ?? (this.#context.terminals.stderr && quiet !== true);
  }

  /** Counts what the kernel has dropped, see {@link watchKernel}. */
  askKernel(): void {
    this.#kernelWasAsked = true;
    const dropped = this.#kernelCounter?.kernelDropped;
    if (dropped === undefined) return;
    this.totals.kernelIsLowerBound = this.#kernelCounter?.kernelDropsAreLowerBound === true;
    const count = dropped - (this.totals.kernelDropped ?? 0);
    this.totals.kernelDropped = dropped;
    if (count === 0) return;
    if (!this.#kernelDropsWereSaid) {
      this.#kernelDropsWereSaid = true;
      this.#context.log.warn("the kernel's receive buffer is full, and datagrams are dropped (--recv-buffer)");
    }
    this.#toBeReported('kernel', count);
  }

  #toBeReported(where: 'kernel' | 'queue', count: number): void {
    const { kernel, queue } = this.#unreportedDrops;
    if (kernel + queue === 0) this.#dropReport.set(DROP_REPORT_MS);
    this.#unreportedDrops[where] += count;
  }

  #reportDrops(): void {
    this.#dropReport.stop();
    for (const where of ['kernel', 'queue'] as const) {
      const count = this.#unreportedDrops[where];
      if (count > 0) this.event({ type: 'drop', where, count });
      this.#unreportedDrops[where] = 0;
    }
  }

  get #outputDropped(): number {
    return this.writer.dropped + (this.#recording?.dropped('in') ?? 0);
  }

  /** The totals so far, as in the summary. */
  fields(): SummaryFields & LogFields {
    this.totals.outputDropped = this.#outputDropped;
    this.totals.unrecorded = this.#recording?.dropped('out') ?? 0;
    return this.totals.fields();
  }

  /** Says on stderr how far the run is, whatever else is said there: somebody asked. */
  report(more = NO_DETAILS): void {
    if (this.#kernelWasAsked) this.askKernel();
    const fields = this.fields();
    const details = this.#details();
    const all = { ...fields, ...more.fields, ...details.fields };
    this.#context.log.report(this.totals.describe(), all, [...more.lines, ...details.lines]);
  }

  /** Waits until a file of the recording has what was being written to it at the end; call it after {@link finish}. */
  async recordingClosed(): Promise<void> {
    await this.#recordingClosed;
  }

  /** Waits until stdout has taken the summary, too, or takes no more; call it after {@link finish}. */
  async written(): Promise<void> {
    await this.recordingClosed();
    await this.writer.finish();
    this.#context.force.removeEventListener('abort', this.abandon);
  }

  /** The end of the run: drops not yet told, `last` if there is more to say, and the summary, always the last line. */
  finish(last?: JsonEvent): void {
    clearInterval(this.#kernelPoll);
    if (this.#kernelWasAsked) this.askKernel();
    this.#reportDrops();
    this.#recordingClosed = this.#recording?.close();
    if (this.#outputDropped > 0) this.event({ type: 'drop', where: 'output', count: this.#outputDropped });
    if (last !== undefined) this.event(last);
    const details = this.#details();
    const fields = { ...this.fields(), ...details.fields };
    this.event({ type: 'summary', ...fields });
    if (!this.#tellsTotals) return;
    this.#context.log.announce(this.totals.describe(), fields, [...this.#roundTripLines(), ...details.lines]);
  }

  /** The round-trip times, for people: JSON has them in the fields of the summary. */
  #roundTripLines(): readonly string[] {
    const { measurement } = this.totals;
    const times = measurement?.roundTrips.summary();
    if (measurement === undefined || times === undefined) return [];
    return [describeRoundTrips(times, measurement.matchedBy), ...drawHistogram(measurement.roundTrips.buckets())];
  }

  /** Whether the user asked to be told by the status that datagrams were dropped, and they were; says which on stderr. */
  failsOnDrop(): boolean {
    if (this.#plan.failOnDrop !== true) return false;
    const { log } = this.#context;
    if (this.#kernelPoll !== undefined && this.totals.kernelDropped === undefined) {
      log.warn('--fail-on-drop: what the kernel dropped cannot be known here, and does not count');
    }
    if (this.totals.dropped === 0) return false;
    log.error(`${this.totals.describeDrops()} (--fail-on-drop)`);
    return true;
  }
}
