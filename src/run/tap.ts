import { isMulticast } from '../net/address/endpoint.js';
import type { Datagram, Endpoint, Outgoing, Run } from '../net/index.js';
import { countOf, cutRuns } from '../net/runs.js';
import { DatagramWriter } from '../output/datagram-writer.js';
import { createFormat, FORMATS } from '../output/formats/table.js';
import type { JsonEvent, NotedDatagram } from '../output/json-lines.js';
import type { Direction, Recording } from '../record/recording.js';
import type { Context } from './context.js';
import type { RunPlan } from './plan.js';
import type { PreparedRecording } from './prepared-recording.js';

/**
 * The output of a run: stdout, and the recording if there is one. Events can be written from the start. Datagrams are written
 * by a {@link Tap}. To get one, call {@link prepare} before the socket is opened, and {@link PreparedTap.open} afterwards.
 */
export class RunOutput {
  readonly #plan: RunPlan;
  readonly #context: Context;
  readonly #onEnd: () => void;
  readonly #writer: DatagramWriter;
  #recording: Recording | undefined;

  /** @param onEnd called when stdout or the recording takes no more data */
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
   * Checks the file of the recording, if there is one.
   *
   * @param replayed a file that the run replays at the same time. It is neither written to nor removed.
   * @throws {UsageError} if the file is no recording of udpcat
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

  #open({ bound, meta, rttMs }: TappedSocket): Tap {
    this.#writer.format = createFormat(this.#plan.output, {
      meta: this.#plan.meta ?? meta,
      rttMs: this.#plan.meta === false ? undefined : rttMs,
      header: this.#plan.meta,
      terminal: this.#context.terminals.stdout,
      palette: this.#context.palette,
      bound,
    });
    return new Tap(this.#writer, this.#recording, this.#onEnd);
  }

  /** Received datagrams that could not be written or recorded so far. */
  get dropped(): number {
    return this.#writer.dropped + (this.#recording?.dropped('in') ?? 0);
  }

  /** Sent datagrams that could not be recorded so far. */
  get unrecorded(): number {
    return this.#recording?.dropped('out') ?? 0;
  }

  /** The error of a write to stdout. Undefined if there was none, or if the reader closed the pipe. */
  get failure(): Error | undefined {
    return this.#writer.failure;
  }

  /** Gives up writing: datagrams that are being written, and all later ones, count as dropped. */
  readonly abandon = (): void => {
    this.#writer.abandon();
    this.#recording?.abandon();
  };

  /** Closes the recording. Events can still be written to stdout. */
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
  /** The address of the socket. It is written as the local address of datagrams whose own is not known. */
  readonly bound: Endpoint;
  /** The default of `--meta`: whether time and addresses are written before each datagram. */
  readonly meta: boolean;
  /** The round-trip time of a reply, in milliseconds. It is written before the reply, except with `--no-meta`. Default: none. */
  readonly rttMs?: ((datagram: Datagram) => number | undefined) | undefined;
}

/** The output of a run whose recording was checked, before the socket is open. */
export interface PreparedTap {
  /**
   * Opens the recording, once the socket is bound.
   *
   * @throws {UsageError} and {@link RecordError}, as {@link RunOutput.prepare} does
   */
  open(socket: TappedSocket): Promise<Tap>;
}

/** A closed output: it takes no more datagrams. */
export interface ClosedOutput {
  /** Resolves when the file of the recording is closed. */
  readonly recordingClosed: Promise<void>;
  /** Waits until the recording is closed and every event is written. Stdout may also have failed or been closed. */
  written(): Promise<void>;
}

/** Writes each datagram once to the recording, and once to stdout. */
export class Tap {
  readonly #writer: DatagramWriter;
  readonly #recording: Recording | undefined;
  readonly #onEnd: () => void;

  /** @param onEnd called when the recording takes no more data */
  constructor(writer: DatagramWriter, recording: Recording | undefined, onEnd: () => void) {
    this.#writer = writer;
    this.#recording = recording;
    this.#onEnd = onEnd;
  }

  /**
   * Records received datagrams. Resolves to the datagrams that the recording took: give them to {@link write}. The others count
   * as dropped.
   */
  async recordReceived(batch: readonly Datagram[]): Promise<readonly Datagram[]> {
    if (this.#recording === undefined) return batch;
    const kept = await this.#record(this.#recording, batch, 'in');
    return kept === batch.length ? batch : batch.slice(0, kept);
  }

  /** Records received runs, and writes those that the recording took to stdout. The others count as dropped. */
  async takeRuns(runs: readonly Run[]): Promise<void> {
    const kept = this.#recording && (await this.#record(this.#recording, runs, 'in'));
    const taken = kept === undefined || kept === countOf(runs) ? runs : cutRuns(runs).slice(0, kept);
    if (taken.length > 0) await this.write(taken);
  }

  /**
   * Records received runs, if the tap does not write to stdout. It uses the payloads only until it returns. Returns undefined if all
   * is done, otherwise a promise of that. What the recording does not take counts as dropped.
   */
  recordRuns(runs: readonly Run[]): Promise<void> | undefined {
    const writing = this.#recording?.writeRuns(runs);
    if (writing !== undefined) return writing.then(this.#endIfFailed);
    this.#endIfFailed();
    return undefined;
  }

  readonly #endIfFailed = (): void => {
    if (this.recordingFailed) this.#onEnd();
  };

  /** Whether stdout is a file that takes more, and there is no recording: then {@link showNow} can be called. */
  get showsNow(): boolean {
    return this.#recording === undefined && this.#writer.writesNow;
  }

  /** Writes received runs to a file on stdout. It uses the payloads only until it returns. What is not written counts as dropped. */
  showNow(runs: readonly Run[]): void {
    this.#writer.writeNow(runs);
  }

  /** Whether it writes to stdout. */
  get writes(): boolean {
    return this.#writer.format !== undefined;
  }

  /** Records sent datagrams. @param timesMs when each was given to the kernel, in milliseconds since the epoch */
  async recordSent(batch: readonly Outgoing[], timesMs: Float64Array): Promise<void> {
    if (this.#recording === undefined) return;
    await this.recordSentAs(
      batch.map(({ data, remote, local }, index) => ({
        data,
        remote,
        local: sourceOf(local),
        timeMs: timesMs[index] as number,
      })),
    );
  }

  /** Records sent datagrams. Their times are those at which they were given to the kernel. */
  async recordSentAs(batch: readonly NotedDatagram[]): Promise<void> {
    if (this.#recording !== undefined) await this.#record(this.#recording, batch, 'out');
  }

  async #record(recording: Recording, batch: readonly (Datagram | Run)[], direction: Direction): Promise<number> {
    const kept = await recording.write(batch, direction);
    this.#endIfFailed();
    return kept;
  }

  /** Writes a batch to stdout. Resolves when it is written, or given up. Call it for one batch at a time. */
  write(batch: readonly (Datagram | Run)[]): Promise<void> {
    return this.#writer.write(batch);
  }

  /** Whether there is a recording. */
  get records(): boolean {
    return this.#recording !== undefined;
  }

  /** Whether the recording failed. Then `onEnd` was called. */
  get recordingFailed(): boolean {
    return this.#recording?.failure !== undefined;
  }

  /**
   * Waits until all recorded datagrams are written to the file, or dropped.
   *
   * @throws {RecordError} if the recording failed
   */
  async recorded(): Promise<void> {
    await this.#recording?.settled();
    if (this.#recording?.failure !== undefined) throw this.#recording.failure;
  }
}

/** Returns the source of a sent datagram. Undefined for a group: a response leaves from another address, which is not known here. */
export function sourceOf(local: Endpoint | undefined): Endpoint | undefined {
  return local === undefined || isMulticast(local.address) ? undefined : local;
}
