import type { Context } from './context.js';
import { describeFailure } from './failure.js';
import type { SharedValues } from './options.js';
import { DatagramWriter } from '../output/datagram-writer.js';
import { createFormat } from '../output/formats.js';
import type { JsonEvent } from '../output/json-lines.js';
import { describeRoundTrips, drawHistogram } from '../output/round-trip-lines.js';
import { describeSystemError } from '../net/errors.js';
import { type DatagramError, type Endpoint, formatEndpoint } from '../net/index.js';
import type { Totals } from '../stats/totals.js';
import { Alarm } from '../timing/alarm.js';

/** How often drops are reported while they go on. */
const DROP_REPORT_MS = 250;

/** What a command says of its run, on stdout and stderr, the same for all three. */
export class Output {
  readonly writer: DatagramWriter;
  readonly totals: Totals;
  readonly #values: SharedValues;
  readonly #context: Context;
  #unreportedDrops = 0;
  #dropsWereSaid = false;
  readonly #dropReport = new Alarm(() => {
    // Behind a reader that does not read, one event after the other would fill the memory.
    if (this.#context.stdout.writableLength > 0) this.#dropReport.set(DROP_REPORT_MS);
    else this.#reportDrops();
  });

  /** @param onEnd called once when stdout takes no more */
  constructor(values: SharedValues, context: Context, totals: Totals, onEnd: () => void) {
    this.#values = values;
    this.#context = context;
    this.totals = totals;
    this.writer = new DatagramWriter(context.stdout, { events: values.output === 'json', onEnd });
    context.force.addEventListener('abort', this.#abandon, { once: true });
  }

  /** Says what the datagrams look like, once the socket is open: before it there are none. */
  begin({ bound, meta }: { readonly bound: Endpoint; readonly meta: boolean }): void {
    this.writer.format = createFormat(this.#values.output, {
      meta: this.#values.meta ?? meta,
      terminal: this.#context.terminals.stdout,
      palette: this.#context.palette,
      bound,
    });
  }

  readonly #abandon = (): void => {
    this.writer.abandon();
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
    if (!this.#dropsWereSaid) {
      this.#dropsWereSaid = true;
      this.#context.log.warn(
        `the queue of ${this.#values.queueSize} is full, and datagrams are dropped (--queue-size)`,
      );
    }
    if (this.#unreportedDrops === 0) this.#dropReport.set(DROP_REPORT_MS);
    this.#unreportedDrops += count;
  }

  #reportDrops(): void {
    this.#dropReport.stop();
    if (this.#unreportedDrops > 0) this.event({ type: 'drop', where: 'queue', count: this.#unreportedDrops });
    this.#unreportedDrops = 0;
  }

  /** Waits until stdout has taken the summary, too, or takes no more; call it after {@link finish}. */
  async written(): Promise<void> {
    await this.writer.finish();
    this.#context.force.removeEventListener('abort', this.#abandon);
  }

  /** The end of the run: drops not yet told, `last` if there is more to say, and the summary, always the last line. */
  finish(last?: JsonEvent): void {
    this.#reportDrops();
    this.totals.outputDropped = this.writer.dropped;
    if (this.writer.dropped > 0) this.event({ type: 'drop', where: 'output', count: this.writer.dropped });
    if (last !== undefined) this.event(last);
    const fields = this.totals.fields();
    this.event({ type: 'summary', ...fields });
    const { stats, quiet, logFormat } = this.#values;
    if (!(stats ?? (this.#context.terminals.stderr && quiet !== true))) return;
    this.#context.log.announce(this.totals.describe(), fields);
    const { measurement } = this.totals;
    const times = measurement?.roundTrips.summary();
    // As JSON the summary has them in its fields.
    if (measurement === undefined || times === undefined || logFormat === 'json') return;
    this.#context.log.announce(describeRoundTrips(times, measurement.matchedBy));
    for (const line of drawHistogram(measurement.roundTrips.buckets())) this.#context.log.announce(line);
  }
}
