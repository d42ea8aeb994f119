import type { Writable } from 'node:stream';

/** Above this no more lines are put behind those that the reader has not taken. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** The errors of a stream whose reader is gone. */
const READER_CLOSED: ReadonlySet<string | undefined> = new Set(['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED']);

/**
 * Writes lines to a stream that a slow reader may hold up. It never waits: while a megabyte waits for the reader, further
 * lines are left out and counted.
 */
export class LineWriter {
  readonly #stream: Writable;
  readonly #onEnd: () => void;
  readonly #beforeWrite: () => void;
  readonly #leftOutLine: (count: number) => string;
  #leftOut = 0;
  #leftOutInAll = 0;
  #closed = false;
  #abandoned = false;
  #failure: Error | undefined;
  #giveUp = (): void => undefined;

  /**
   * @param options.onEnd called once when the stream takes no more
   * @param options.beforeWrite called before each write
   * @param options.leftOutLine the line, with its newline, that stands in place of lines that were left out
   */
  constructor(
    stream: Writable,
    options: {
      readonly onEnd: () => void;
      readonly beforeWrite: () => void;
      readonly leftOutLine: (count: number) => string;
    },
  ) {
    this.#stream = stream;
    this.#onEnd = options.onEnd;
    this.#beforeWrite = options.beforeWrite;
    this.#leftOutLine = options.leftOutLine;
    stream.on('error', this.#onError);
  }

  /** Lines that were left out so far. */
  get leftOut(): number {
    return this.#leftOutInAll;
  }

  /** Why nothing more can be written; undefined if more can, or the reader closed the stream. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /**
   * Writes a line, which ends in a newline.
   *
   * @param isLast whether it is written even while the reader holds up others, as the summary is
   */
  write(line: string, isLast = false): void {
    if (this.#closed) return;
    if (!isLast && this.#stream.writableLength > MAX_WAITING_BYTES) {
      this.#leftOut += 1;
      this.#leftOutInAll += 1;
      return;
    }
    this.#beforeWrite();
    if (this.#leftOut > 0) this.#stream.write(this.#leftOutLine(this.#leftOut));
    this.#leftOut = 0;
    this.#stream.write(line, this.#onWritten);
  }

  readonly #onWritten = (error: Error | null | undefined): void => {
    // A stream that was destroyed before tells it only here.
    if (error !== null && error !== undefined) this.#onError(error);
  };

  /** Resolves when the stream has taken everything, takes no more, or {@link abandon} is called. */
  async finish(): Promise<void> {
    const isWritten = this.#stream.writableLength === 0 && this.#stream.errored === null;
    if (this.#closed || this.#abandoned || isWritten) return;
    await new Promise<void>((resolve) => {
      this.#giveUp = resolve;
      // The error of the last write is told after its callback.
      this.#stream.write('', () => setImmediate(resolve));
    });
  }

  /** Waits for the reader no more. */
  readonly abandon = (): void => {
    this.#abandoned = true;
    this.#giveUp();
  };

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    if (!READER_CLOSED.has(error.code)) this.#failure ??= error;
    this.abandon();
    if (this.#closed) return;
    this.#closed = true;
    this.#onEnd();
  };
}
