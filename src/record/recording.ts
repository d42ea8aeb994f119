import type { Datagram } from '../net/index.js';
import type { RecordError } from './record-error.js';

export type Direction = 'in' | 'out';

/** Keeps datagrams as they pass. */
export interface Recording {
  /**
   * Resolves, once they are written, to how many of the first are kept: all, unless the file takes no more, whose reader
   * is gone, or too many wait already. The others are dropped.
   */
  write(batch: readonly Datagram[], direction: Direction): Promise<number>;
  /** Datagrams that could not be written. */
  dropped(direction: Direction): number;
  /** Why a file takes no more, if it does not; what it holds is whole. */
  readonly failure: RecordError | undefined;
  /** Resolves once all that was given is written, or dropped. */
  settled(): Promise<void>;
  /** Waits for whoever reads no more. */
  abandon(): void;
  /** No more will come; what still waits is dropped. Resolves once a file has what is being written to it. */
  close(): Promise<void>;
}

/** More than this is not kept in memory while what came before is written: strays and typed lines do not wait for that. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** What a datagram takes besides its payload, about. */
const DATAGRAM_BYTES = 256;

/** Received and sent datagrams come from several sides, and are written one batch after the other. */
export abstract class OrderedRecording implements Recording {
  abstract readonly failure: RecordError | undefined;
  readonly #dropped = { in: 0, out: 0 };
  /** What was not begun to be written. */
  readonly #waiting = { in: 0, out: 0 };
  #waitingBytes = 0;
  #closed = false;
  #writing = Promise.resolve(0);

  /**
   * Writes a batch, once those before it are done; resolves to how many of the first are kept. It calls {@link begins}
   * before it begins to write, and then answers for what is not written.
   */
  protected abstract put(batch: readonly Datagram[], direction: Direction): Promise<number>;

  abstract abandon(): void;

  /** So many of the datagrams no longer wait. */
  protected begins(count: number, direction: Direction): void {
    this.#waiting[direction] -= count;
  }

  protected drop(count: number, direction: Direction): void {
    this.#dropped[direction] += count;
  }

  protected get isClosed(): boolean {
    return this.#closed;
  }

  dropped(direction: Direction): number {
    return this.#dropped[direction];
  }

  write(batch: readonly Datagram[], direction: Direction): Promise<number> {
    if (this.#closed || this.#waitingBytes > MAX_WAITING_BYTES) {
      this.drop(batch.length, direction);
      return Promise.resolve(0);
    }
    const bytes = batch.reduce((sum, { data }) => sum + data.length + DATAGRAM_BYTES, 0);
    this.#waiting[direction] += batch.length;
    this.#waitingBytes += bytes;
    this.#writing = this.#writing.then(() => {
      this.#waitingBytes -= bytes;
      return this.#closed ? 0 : this.put(batch, direction);
    });
    return this.#writing;
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
