import type { Datagram, Run } from '../net/index.js';
import { sizeOf } from '../net/runs.js';
import type { RecordError } from './record-error.js';

/** Received datagrams are `in`, sent ones `out`. */
export type Direction = 'in' | 'out';

/** Writes received and sent datagrams to a file or to stdout. */
export interface Recording {
  /**
   * Writes a batch; runs are received. Resolves when the batch is written or dropped. The result is the number of datagrams that were
   * written, which are the first of the batch. The others are dropped if the file takes no more, if the reader of
   * stdout is gone, or if more than 4 MiB wait already.
   */
  write(batch: readonly (Datagram | Run)[], direction: Direction): Promise<number>;
  /**
   * Writes received runs like {@link write}. It uses the payloads only until it returns. Returns undefined if all datagrams are
   * written or dropped, otherwise a promise that resolves when they are.
   */
  writeRuns(runs: readonly Run[]): Promise<void> | undefined;
  /** Number of datagrams that were dropped. */
  dropped(direction: Direction): number;
  /** Why the file takes no more. Undefined while it does. All records in the file are whole in either case. */
  readonly failure: RecordError | undefined;
  /** Resolves when every datagram so far is written or dropped. */
  settled(): Promise<void>;
  /** Stops waiting for the reader of stdout. Datagrams that wait are dropped. */
  abandon(): void;
  /** Ends the recording and drops the datagrams that wait. Resolves when the current write is done. */
  close(): Promise<void>;
}

/**
 * The maximum number of bytes that wait to be written. Strays and typed lines do not wait for the file, and could fill
 * the memory.
 */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** Estimated memory of a datagram or a run without its payload. */
const DATAGRAM_BYTES = 256;

/** Writes one batch after the other, although several parts of udpcat record at the same time. */
export abstract class OrderedRecording implements Recording {
  abstract readonly failure: RecordError | undefined;
  readonly #dropped = { in: 0, out: 0 };
  /** Number of datagrams whose write has not begun. */
  readonly #waiting = { in: 0, out: 0 };
  #waitingBytes = 0;
  #closed = false;
  /** Number of batches that are being written, or wait for that. */
  #batches = 0;
  #writing = Promise.resolve(0);

  /**
   * Writes a batch. Called when the batch before it is done. Resolves to the number of datagrams that were written,
   * which are the first of the batch. It must call {@link begins} before it writes datagrams, and then count those that
   * it cannot write.
   */
  protected abstract put(batch: readonly (Datagram | Run)[], direction: Direction): Promise<number>;

  abstract abandon(): void;

  /** Notes that the write of datagrams begins. From then on they do not count as waiting. */
  protected begins(count: number, direction: Direction): void {
    this.#waiting[direction] -= count;
  }

  /** Counts dropped datagrams. */
  protected drop(count: number, direction: Direction): void {
    this.#dropped[direction] += count;
  }

  /** Whether every batch so far is written or dropped. */
  protected get isIdle(): boolean {
    return this.#batches === 0;
  }

  protected get isClosed(): boolean {
    return this.#closed;
  }

  dropped(direction: Direction): number {
    return this.#dropped[direction];
  }

  write(batch: readonly (Datagram | Run)[], direction: Direction): Promise<number> {
    let count = 0;
    let bytes = 0;
    for (const item of batch) {
      count += sizeOf(item);
      bytes += DATAGRAM_BYTES + ('bytes' in item ? item.bytes : item.data).length;
    }
    if (this.#closed || this.#waitingBytes > MAX_WAITING_BYTES) {
      this.drop(count, direction);
      return Promise.resolve(0);
    }
    this.#waiting[direction] += count;
    this.#waitingBytes += bytes;
    this.#batches += 1;
    this.#writing = this.#writing
      .then(() => {
        this.#waitingBytes -= bytes;
        return this.#closed ? 0 : this.put(batch, direction);
      })
      .finally(() => {
        this.#batches -= 1;
      });
    return this.#writing;
  }

  writeRuns(runs: readonly Run[]): Promise<void> | undefined {
    const copies = runs.map((run) => ({ ...run, bytes: Uint8Array.from(run.bytes) }));
    return this.write(copies, 'in').then(() => undefined);
  }

  async settled(): Promise<void> {
    await this.#writing;
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#dropped.in += this.#waiting.in;
      this.#dropped.out += this.#waiting.out;
    }
    return Promise.resolve();
  }
}
