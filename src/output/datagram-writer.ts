import type { Writable } from 'node:stream';
import { wallClockMs } from '../net/clock.js';
import type { Datagram, Run } from '../net/index.js';
import { countOf, cutRuns, sizeOf } from '../net/runs.js';
import { ChunkBuilder } from './chunk-builder.js';
import { formatEvent, type JsonEvent } from './json-lines.js';
import { PacedStream } from './paced-stream.js';
import type { Format, Item } from './payloads.js';

/** A chunk that has reached this size goes to the stream at once. Smaller ones wait for the end of the batch. */
const CHUNK_BYTES = 64 * 1024;

/** While more bytes than this wait for the reader, events that recur are left out. */
const MAX_WAITING_BYTES = 1024 * 1024;
const RECURRING: ReadonlySet<JsonEvent['type']> = new Set([
  'error',
  'stray',
  'drop',
  'session',
  'sessionEnd',
  'rebind',
]);

/**
 * Writes batches of datagrams to a stream, waits for a slow reader, and counts the datagrams that could not be written.
 * A reader that closes the stream is a normal end. Any other error is kept in {@link failure}.
 */
export class DatagramWriter {
  /** How datagrams are written; undefined writes nothing. */
  format: Format | undefined;
  readonly #stream: PacedStream;
  readonly #events: boolean;
  readonly #chunk = new ChunkBuilder();
  #dropped = 0;
  /** The datagrams of the chunk that the stream did not take whole, and the offset of the chunk in the stream. */
  #givenUp: { readonly datagrams: readonly Datagram[]; readonly from: number } | undefined;

  /**
   * @param options.events Whether events are written too, as JSON lines.
   * @param options.onEnd Called once, when the stream takes no more.
   * @param options.beforeWrite Called before each write. Something else on the terminal may have to make room.
   */
  constructor(
    stream: Writable,
    options: {
      readonly events: boolean;
      readonly onEnd: () => void;
      readonly beforeWrite?: (() => void) | undefined;
    },
  ) {
    this.#stream = new PacedStream(stream, options.onEnd, options.beforeWrite);
    this.#events = options.events;
  }

  /** Datagrams that {@link write} could not write. The number can fall: a slow reader may still read the last chunk. */
  get dropped(): number {
    return this.#dropped - this.#takenOfGivenUp();
  }

  /** How many datagrams of the chunk that was given up the system has taken whole. */
  #takenOfGivenUp(): number {
    const { progress } = this.#stream;
    if (this.#givenUp === undefined || progress === undefined) return 0;
    return this.#wholeIn(progress.taken - this.#givenUp.from, this.#givenUp.datagrams);
  }

  /** How many datagrams stand whole in the first bytes of their chunk. */
  #wholeIn(bytes: number, datagrams: readonly Datagram[]): number {
    const again = new ChunkBuilder();
    const cut = datagrams.findIndex((datagram) => {
      this.format?.(datagram, again);
      return again.length > bytes;
    });
    return cut < 0 ? datagrams.length : cut;
  }

  /** Why a write failed. Undefined if none failed, or because the reader closed the stream. */
  get failure(): Error | undefined {
    return this.#stream.failure;
  }

  /** Writes a batch. Call it again only when it has resolved: when the stream has taken the batch, or takes no more. */
  async write(batch: readonly Item[]): Promise<void> {
    const { format } = this;
    if (format === undefined) return;
    let written = 0;
    for (let index = 0; index < batch.length; index += 1) {
      // The stream may still hold the memory of the chunk that was given up. It must not be written to.
      if (this.#stream.isAbandoned) break;
      format(batch[index] as Item, this.#chunk);
      const isLast = index === batch.length - 1;
      if (this.#chunk.length >= CHUNK_BYTES || isLast) {
        const from = this.#stream.progress?.given;
        if (!(await this.#flush())) {
          if (from !== undefined) this.#givenUp = { datagrams: cutRuns(batch.slice(written, index + 1)), from };
          break;
        }
        written = index + 1;
      }
    }
    for (; written < batch.length; written += 1) this.#dropped += sizeOf(batch[written] as Item);
  }

  /** Whether stdout is a file, to which {@link writeNow} can write. False once it takes no more. */
  get writesNow(): boolean {
    return this.format !== undefined && this.#stream.writesNow;
  }

  /** Writes received runs to a file. It uses the payloads only until it returns. What the file does not take counts as dropped. */
  writeNow(runs: readonly Run[]): void {
    let written = 0;
    for (let index = 0; index < runs.length && this.writesNow; index += 1) {
      this.format?.(runs[index] as Run, this.#chunk);
      if (this.#chunk.length < CHUNK_BYTES && index < runs.length - 1) continue;
      const chunk = this.#chunk.take();
      const from = this.#stream.progress?.taken ?? 0;
      if (chunk.length > 0 && !this.#stream.writeNow(chunk)) {
        const taken = (this.#stream.progress?.taken ?? 0) - from;
        this.#dropped -= this.#wholeIn(taken, cutRuns(runs.slice(written, index + 1)));
        break;
      }
      written = index + 1;
    }
    this.#dropped += countOf(runs.slice(written));
  }

  /** Resolves to whether the stream has taken the chunk. */
  #flush(): Promise<boolean> {
    const chunk = this.#chunk.take();
    // An empty payload as raw bytes is nothing to write. It counts as written.
    return chunk.length === 0 ? Promise.resolve(true) : this.#stream.write(chunk);
  }

  /**
   * Writes an event, if the writer writes events, in order with the datagrams. While a slow reader leaves more than 1
   * MiB unread, events that recur are left out; the summary still counts them.
   */
  event(event: JsonEvent): void {
    if (!this.#events || this.#stream.isClosed) return;
    if (this.#stream.waitingBytes > MAX_WAITING_BYTES && RECURRING.has(event.type)) return;
    this.#stream.writeBehind(formatEvent(event, wallClockMs()));
  }

  /** Resolves when the stream has taken everything, events included, or takes no more. */
  finish(): Promise<void> {
    return this.#stream.finish();
  }

  /** Stops waiting for the reader. Datagrams that are being written, and later ones, count as dropped. */
  abandon(): void {
    this.#stream.abandon();
  }
}
