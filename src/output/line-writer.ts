import type { Writable } from 'node:stream';
import { PacedStream } from './paced-stream.js';

/** While more bytes than this wait for the reader, further lines are left out. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** Writes lines to a stream and never waits for its reader. Behind a megabyte that nobody reads, lines are left out and counted. */
export class LineWriter {
  readonly #stream: PacedStream;
  readonly #leftOutLine: (count: number) => string;
  /** The lines left out since the last line that was written. */
  #leftOut = 0;
  #leftOutInAll = 0;

  /**
   * @param options.onEnd called once, when the stream takes no more
   * @param options.beforeWrite called before each write
   * @param options.leftOutLine Returns the line, with its newline, that stands in place of the lines that were left out.
   */
  constructor(
    stream: Writable,
    options: {
      readonly onEnd: () => void;
      readonly beforeWrite: () => void;
      readonly leftOutLine: (count: number) => string;
    },
  ) {
    this.#stream = new PacedStream(stream, options.onEnd, options.beforeWrite);
    this.#leftOutLine = options.leftOutLine;
  }

  /** The number of lines that were left out so far. */
  get leftOut(): number {
    return this.#leftOutInAll;
  }

  /** Why a write failed. Undefined if none failed, or because the reader closed the stream. */
  get failure(): Error | undefined {
    return this.#stream.failure;
  }

  /**
   * Writes a line, which ends in a newline.
   *
   * @param isLast Whether the line is written even while others wait for the reader. The summary is.
   */
  write(line: string, isLast = false): void {
    if (this.#stream.isClosed) return;
    if (!isLast && this.#stream.waitingBytes > MAX_WAITING_BYTES) {
      this.#leftOut += 1;
      this.#leftOutInAll += 1;
      return;
    }
    const before = this.#leftOut > 0 ? this.#leftOutLine(this.#leftOut) : '';
    this.#leftOut = 0;
    this.#stream.writeBehind(`${before}${line}`);
  }

  /** Resolves when the stream has taken everything, takes no more, or {@link abandon} is called. */
  finish(): Promise<void> {
    return this.#stream.finish();
  }

  /** Stops waiting for the reader. */
  readonly abandon = (): void => {
    this.#stream.abandon();
  };
}
