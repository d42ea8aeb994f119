import { isMulticast } from '../net/address/endpoint.js';
import type { Datagram, Endpoint, Outgoing } from '../net/index.js';
import { DatagramWriter } from '../output/datagram-writer.js';
import { createFormat, FORMATS } from '../output/formats/table.js';
import type { JsonEvent } from '../output/json-lines.js';
import type { Direction, Recording } from '../record/recording.js';
import type { Context } from './context.js';
import type { RunPlan } from './plan.js';
import type { PreparedRecording } from './prepared-recording.js';

/**
 * The places that a run writes to: stdout, and the recording if there is one. Events can be written from the start.
 * Datagrams pass through a {@link Tap}, which comes of {@link prepare} before the socket is opened and
 * {@link PreparedTap.open} after.
 */
export class RunOutput {
  readonly #plan: RunPlan;
  readonly #context: Context;
  readonly #onEnd: () => void;
  readonly #writer: DatagramWriter;
  #recording: Recording | undefined;

  /** @param onEnd called when stdout, or the file of the recording, takes no more */
  constructor(plan: RunPlan, context: Context, onEnd: () => void) {
    this.#plan = plan;
    this.#context = context;
    this.#onEnd = onEnd;
    const { log, terminals } = context;
    this.#writer = new DatagramWriter(context.stdout, {
      events: FORMATS[plan.output].hasEvents === true,
      onEnd,
      beforeWrite: terminals.stdout && log.hasStatus ? () => log.putStatusAside() : undefined,
    });
    context.force.addEventListener('abort', this.abandon, { once: true });
  }

  /** Writes an event to stdout, in order with the datagrams. Formats other than `json` have no events. */
  event(event: JsonEvent): void {
    this.#writer.event(event);
  }

  /**
   * Looks at the file of the recording, if there is one.
   *
   * @param replayed The file that the run reads, if it replays one: it is neither written to nor removed.
   * @throws {UsageError} if the file holds something else
   * @throws {RecordError} if the file cannot be read and written
   */
  async prepare(replayed?: string): Promise<PreparedTap> {
    const { record } = this.#plan;
    if (record === undefined) return { open: (socket) => Promise.resolve(this.#open(socket)) };
    const { prepareRecording } = await import('./prepared-recording.js');
    const prepared = await prepareRecording(record, this.#plan, this.#context, replayed);
    return { open: (socket) => this.#openRecording(prepared, socket) };
  }

  async #openRecording(prepared: PreparedRecording, socket: TappedSocket): Promise<Tap> {
    this.#recording = await prepared.open(socket.bound);
    return this.#open(socket);
  }

  #open({ bound, meta }: TappedSocket): Tap {
    this.#writer.format = createFormat(this.#plan.output, {
      meta: this.#plan.meta ?? meta,
      terminal: this.#context.terminals.stdout,
      palette: this.#context.palette,
      bound,
    });
    return new Tap(this.#writer, this.#recording, this.#onEnd);
  }

  /** Received datagrams that could be neither written nor recorded, as far as it is known now. */
  get dropped(): number {
    return this.#writer.dropped + (this.#recording?.dropped('in') ?? 0);
  }

  /** Sent datagrams that could not be recorded. */
  get unrecorded(): number {
    return this.#recording?.dropped('out') ?? 0;
  }

  /** Why stdout took no more; undefined if it takes more, or its reader closed it. */
  get failure(): Error | undefined {
    return this.#writer.failure;
  }

  /** Waits no longer for the reader of stdout: datagrams that are being written, and all later ones, count as dropped. */
  readonly abandon = (): void => {
    this.#writer.abandon();
    this.#recording?.abandon();
  };

  /** Ends the recording. Events are still written to stdout. */
  close(): ClosedOutput {
    const recordingClosed = this.#recording?.close() ?? Promise.resolve();
    return {
      recordingClosed,
      written: async () => {
        await recordingClosed;
        await this.#writer.finish();
        this.#context.force.removeEventListener('abort', this.abandon);
      },
    };
  }
}

/** The socket whose datagrams a tap writes. */
export interface TappedSocket {
  /** The local address of datagrams whose own is not known. */
  readonly bound: Endpoint;
  /** Whether time and addresses stand before each datagram unless the user says otherwise. */
  readonly meta: boolean;
}

/** Stdout and a recording that are ready for a socket. */
export interface PreparedTap {
  /**
   * Opens the recording, once the socket is bound.
   *
   * @throws {UsageError} and {@link RecordError}, as {@link RunOutput.prepare} does
   */
  open(socket: TappedSocket): Promise<Tap>;
}

/** An output that takes no more datagrams. */
export interface ClosedOutput {
  /** Resolves when the file of the recording has the write that was under way. */
  readonly recordingClosed: Promise<void>;
  /** Waits until the recording is closed, and stdout has taken every event so far, or takes no more. */
  written(): Promise<void>;
}

/** Writes each datagram once: to the recording, and what that kept to stdout. */
export class Tap {
  readonly #writer: DatagramWriter;
  readonly #recording: Recording | undefined;
  readonly #onEnd: () => void;

  /** @param onEnd called when the file of the recording takes no more */
  constructor(writer: DatagramWriter, recording: Recording | undefined, onEnd: () => void) {
    this.#writer = writer;
    this.#recording = recording;
    this.#onEnd = onEnd;
  }

  /**
   * Records datagrams that were received. Resolves to those that the recording kept, which are to be given to
   * {@link write}. The others are counted as dropped.
   */
  async recordReceived(batch: readonly Datagram[]): Promise<readonly Datagram[]> {
    if (this.#recording === undefined) return batch;
    const kept = await this.#record(this.#recording, batch, 'in');
    return kept === batch.length ? batch : batch.slice(0, kept);
  }

  /** Records datagrams that were sent. @param timesMs when the kernel was given each of them */
  async recordSent(batch: readonly Outgoing[], timesMs: Float64Array): Promise<void> {
    if (this.#recording === undefined) return;
    const sent = batch.map(({ data, remote, local: from }, index) => {
      // The response to a request of a multicast group leaves from an address of this host.
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

  /** Writes datagrams to stdout, one batch at a time. Resolves when stdout has taken them, or takes no more. */
  write(batch: readonly Datagram[]): Promise<void> {
    return this.#writer.write(batch);
  }

  /** Whether there is a recording. */
  get records(): boolean {
    return this.#recording !== undefined;
  }

  /** Whether the recording takes no more, and the run is about to end. */
  get recordingFailed(): boolean {
    return this.#recording?.failure !== undefined;
  }

  /**
   * Waits until all that was recorded is written, or dropped.
   *
   * @throws {RecordError} if the recording took no more
   */
  async recorded(): Promise<void> {
    await this.#recording?.settled();
    if (this.#recording?.failure !== undefined) throw this.#recording.failure;
  }
}
