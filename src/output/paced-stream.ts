import type { Writable } from 'node:stream';
import { FileStream } from './file-stream.js';
import { type Progress, progressOf } from './progress.js';

/** Errors of a stream whose reader is gone: of a pipe, of a socket, and of a stream that Node has destroyed since. */
const READER_CLOSED: ReadonlySet<string | undefined> = new Set(['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED']);

/**
 * Writes chunks to a stream, one after the other, at the pace of its reader. It ends when the reader closes the stream,
 * which is a normal end; when a write fails ({@link failure}); or when the caller stops waiting ({@link abandon}).
 */
export class PacedStream {
  readonly #stream: Writable;
  readonly #onEnd: () => void;
  readonly #beforeWrite: (() => void) | undefined;
  /** Ends the wait for the chunk that is being written. */
  #giveUp: (() => void) | undefined;
  #abandoned = false;
  #closed = false;
  #failure: Error | undefined;
  /** The progress of the stream when it closed. */
  #lastProgress: Progress | undefined;

  /**
   * @param onEnd Called once, when the stream takes no more.
   * @param beforeWrite Called before each write. Something else on the terminal may have to make room.
   */
  constructor(stream: Writable, onEnd: () => void, beforeWrite?: () => void) {
    this.#stream = stream;
    this.#onEnd = onEnd;
    this.#beforeWrite = beforeWrite;
    stream.on('error', this.#onError);
  }

  /** Whether nobody waits for the stream any more: it is closed, or {@link abandon} was called. */
  get isAbandoned(): boolean {
    return this.#abandoned;
  }

  /** Whether the stream takes no more. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Why a write failed. Undefined if none failed, or because the reader closed the stream. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Bytes that the stream has not passed on to the system yet. */
  get waitingBytes(): number {
    return this.#stream.writableLength;
  }

  /** The bytes given to the stream and taken by the system. Undefined where that cannot be known. */
  get progress(): Progress | undefined {
    return this.#closed ? this.#lastProgress : progressOf(this.#stream);
  }

  /**
   * Writes a chunk. The chunk must not change until the promise has settled, and never again if it resolves to false.
   *
   * @returns true when the stream has taken the chunk; false when the stream takes no more, or was abandoned
   */
  write(chunk: Uint8Array): Promise<boolean> {
    return new Promise((resolve) => {
      this.#giveUp = () => {
        resolve(false);
      };
      this.#beforeWrite?.();
      this.#stream.write(chunk, (error) => {
        if (!this.#failed(error)) resolve(true);
      });
    });
  }

  /** Whether {@link writeNow} can write: the stream is a file, and takes more. */
  get writesNow(): boolean {
    const stream = this.#stream;
    return stream instanceof FileStream && !this.#abandoned && stream.errored === null && stream.writableLength === 0;
  }

  /** Writes a chunk to a file before it returns. Returns whether the file has taken all of it. */
  writeNow(chunk: Uint8Array): boolean {
    this.#beforeWrite?.();
    this.#stream.write(chunk, (error) => {
      this.#failed(error);
    });
    return this.#stream.errored === null;
  }

  /** Writes a text behind everything written so far, and does not wait. */
  writeBehind(text: string): void {
    this.#beforeWrite?.();
    this.#stream.write(text, (error) => {
      this.#failed(error);
    });
  }

  /** Takes the error of a write. A stream that was destroyed before the write emits no 'error' event for it. */
  #failed(error: Error | null | undefined): boolean {
    if (error === null || error === undefined) return false;
    this.#onError(error);
    return true;
  }

  /** Resolves when the stream has taken everything written so far, or takes no more. */
  async finish(): Promise<void> {
    if (this.#abandoned || (this.#stream.writableLength === 0 && this.#stream.errored === null)) return;
    await new Promise<void>((resolve) => {
      this.#giveUp = resolve;
      // Node emits the error of the last write after this callback.
      this.#stream.write('', () => setImmediate(resolve));
    });
  }

  /** Stops waiting for the reader: {@link write} and {@link finish} resolve at once. */
  abandon(): void {
    this.#abandoned = true;
    this.#giveUp?.();
  }

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    if (!READER_CLOSED.has(error.code)) this.#failure ??= error;
    this.abandon();
    if (this.#closed) return;
    // Must be read now: later Node resets the state of a stdout that failed.
    this.#lastProgress = progressOf(this.#stream);
    this.#closed = true;
    this.#onEnd();
  };
}
