import type { Writable } from 'node:stream';
import { wallClockMs } from '../net/clock.js';
import type { Datagram } from '../net/index.js';
import { ChunkBuilder } from './chunk-builder.js';
import type { Format } from './formats/format.js';
import { formatEvent, type JsonEvent } from './json-lines.js';
import { type Progress, progressOf } from './progress.js';

/** Above this a chunk goes to the stream before the batch is complete. */
const CHUNK_BYTES = 64 * 1024;

/** Above this no recurring events are put behind what the stream has not taken yet. */
const MAX_WAITING_BYTES = 1024 * 1024;
const RECURRING: ReadonlySet<JsonEvent['type']> = new Set(['error', 'stray', 'drop']);

/** What a stream says whose reader is gone: a pipe, a socket, and either when it was noticed before. */
const READER_CLOSED: ReadonlySet<string | undefined> = new Set(['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED']);

/**
 * Writes batches of datagrams to a stream, waiting for a slow reader, and counts what could not be written. A reader that
 * closes the stream is a normal end; any other error is kept in `failure`.
 */
export class DatagramWriter {
  /** How datagrams are written; undefined writes nothing. */
  format: Format | undefined;
  readonly #stream: Writable;
  readonly #events: boolean;
  readonly #chunk = new ChunkBuilder();
  readonly #onEnd: () => void;
  readonly #beforeWrite: (() => void) | undefined;
  /** Ends the wait for the chunk that is being written; it counts as lost. */
  #giveUp: (() => void) | undefined;
  #abandoned = false;
  #closed = false;
  #dropped = 0;
  /** The datagrams of the chunk that was given up, and where in the stream it begins. */
  #givenUp: { readonly datagrams: readonly Datagram[]; readonly from: number } | undefined;
  #failure: Error | undefined;
  /** How far the stream had got when it took no more. */
  #lastProgress: Progress | undefined;

  /**
   * @param options.events whether events are written too, as JSON lines
   * @param options.onEnd called once when the stream takes no more
   * @param options.beforeWrite called before each write: on a terminal something may be in the way
   */
  constructor(
    stream: Writable,
    options: {
      readonly events: boolean;
      readonly onEnd: () => void;
      readonly beforeWrite?: (() => void) | undefined;
    },
  ) {
    this.#stream = stream;
    this.#events = options.events;
    this.#onEnd = options.onEnd;
    this.#beforeWrite = options.beforeWrite;
    stream.on('error', this.#onError);
  }

  /** Datagrams that were given to `write` and could not be written, as far as it is known now: a slow reader may still read. */
  get dropped(): number {
    return this.#dropped - this.#takenOfGivenUp();
  }

  /** Of the chunk that was given up the stream may have taken a part; a datagram of which it took a part is lost. */
  #takenOfGivenUp(): number {
    const { format } = this;
    const progress = this.#closed ? this.#lastProgress : progressOf(this.#stream);
    if (format === undefined || this.#givenUp === undefined || progress === undefined) return 0;
    const { datagrams, from } = this.#givenUp;
    const again = new ChunkBuilder();
    const cut = datagrams.findIndex((datagram) => {
      format(datagram, again);
      return from + again.length > progress.taken;
    });
    return cut < 0 ? datagrams.length : cut;
  }

  /** Why nothing more can be written, if it is not that the reader closed the stream. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Writes a batch, one at a time; resolves when the stream has taken it, or takes no more. */
  async write(batch: readonly Datagram[]): Promise<void> {
    const { format } = this;
    if (format === undefined) return;
    let written = 0;
    for (const [index, datagram] of batch.entries()) {
      // The stream may still hold the chunk that was given up: nothing may be written into its buffer any more.
      if (this.#abandoned) break;
      format(datagram, this.#chunk);
      const isLast = index === batch.length - 1;
      if (this.#chunk.length >= CHUNK_BYTES || isLast) {
        const from = progressOf(this.#stream)?.given;
        if (!(await this.#flush())) {
          if (from !== undefined) this.#givenUp = { datagrams: batch.slice(written, index + 1), from };
          break;
        }
        written = index + 1;
      }
    }
    this.#dropped += batch.length - written;
  }

  /** Resolves when the stream has taken the chunk, to true, or takes no more, to false. */
  #flush(): Promise<boolean> {
    const chunk = this.#chunk.take();
    // A datagram that is nothing in this format, an empty one as raw bytes, has been written.
    if (chunk.length === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      this.#giveUp = () => {
        resolve(false);
      };
      this.#beforeWrite?.();
      this.#stream.write(chunk, (error) => {
        // A stream that was destroyed before says so here only.
        if (error !== null && error !== undefined) this.#onError(error);
        else resolve(true);
      });
    });
  }

  /**
   * Writes an event, where events are wanted, in order with the datagrams. While a slow reader leaves too many of them
   * waiting, those that recur are left out: the summary counts what they told.
   */
  event(event: JsonEvent): void {
    if (!this.#events || this.#closed) return;
    if (this.#stream.writableLength > MAX_WAITING_BYTES && RECURRING.has(event.type)) return;
    this.#beforeWrite?.();
    this.#stream.write(formatEvent(event, wallClockMs()));
  }

  /** Waits until the stream has taken everything, the last event too, or takes no more. */
  async finish(): Promise<void> {
    if (this.#abandoned || (this.#stream.writableLength === 0 && this.#stream.errored === null)) return;
    await new Promise<void>((resolve) => {
      this.#giveUp = resolve;
      // The error of the last write is told after its callback.
      this.#stream.write('', () => setImmediate(resolve));
    });
  }

  /** Waits for the reader no more: datagrams under way, and any that follow, count as lost. */
  abandon(): void {
    this.#abandoned = true;
    this.#giveUp?.();
  }

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    if (!READER_CLOSED.has(error.code)) this.#failure ??= error;
    this.abandon();
    if (this.#closed) return;
    this.#closed = true;
    // Node makes a stdout that failed look like new afterwards.
    this.#lastProgress = progressOf(this.#stream);
    this.#onEnd();
  };
}
