import type { Datagram } from '../net/index.js';
import type { RecordError } from './record-error.js';

export type Direction = 'in' | 'out';

/** Keeps datagrams as they pass. */
export interface Recording {
  /**
   * Writes a batch. Resolves, when it is written, to the number of datagrams that are kept, the first of the batch. The
   * others are dropped: the file takes no more, the reader of stdout is gone, or too many datagrams wait already.
   */
  write(batch: readonly Datagram[], direction: Direction): Promise<number>;
  /** Datagrams that could not be written. */
  dropped(direction: Direction): number;
  /** Why the file takes no more, or undefined. Its records are whole in either case. */
  readonly failure: RecordError | undefined;
  /** Resolves when every datagram so far is written or dropped. */
  settled(): Promise<void>;
  /** Waits for the reader of stdout no more: datagrams that wait are dropped. */
  abandon(): void;
  /** Ends the recording and drops the datagrams that still wait. Resolves when the write that is under way is done. */
  close(): Promise<void>;
}

/** Datagrams that wait to be written take no more memory: strays and typed lines come without waiting for the file. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** About the memory of a datagram besides its payload. */
const DATAGRAM_BYTES = 256;

/** Received and sent datagrams come from several sides, and are written one batch after the other. */
export abstract class OrderedRecording implements Recording {
  abstract readonly failure: RecordError | undefined;
  readonly #dropped = { in: 0, out: 0 };
  /** Datagrams whose write has not begun. */
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

  /** Notes that the write of so many datagrams begins: they no longer wait. */
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
