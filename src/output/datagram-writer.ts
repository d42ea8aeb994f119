import type { Writable } from 'node:stream';
import type { Datagram } from '../net/index.js';
import { wallClockMs } from '../net/index.js';
import { ChunkBuilder } from './chunk-builder.js';
import type { Format } from './formats.js';
import { formatEvent, type JsonEvent } from './json-lines.js';

/** Above this a chunk goes to the stream before the batch is complete. */
const CHUNK_BYTES = 64 * 1024;

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
  /** Ends the wait for the chunk that is being written; it counts as lost. */
  #giveUp: (() => void) | undefined;
  #abandoned = false;
  #closed = false;
  #dropped = 0;
  #failure: Error | undefined;

  /**
   * @param options.events whether events are written too, as JSON lines
   * @param options.onEnd called once when the stream takes no more
   */
  constructor(stream: Writable, options: { readonly events: boolean; readonly onEnd: () => void }) {
    this.#stream = stream;
    this.#events = options.events;
    this.#onEnd = options.onEnd;
    stream.on('error', this.#onError);
  }

  /** Datagrams that were given to `write` and could not be written. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Why nothing more can be written, if it is not that the reader closed the stream. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Writes a batch; resolves when the stream has taken it, or takes no more. */
  async write(batch: readonly Datagram[]): Promise<void> {
    const { format } = this;
    if (format === undefined) return;
    let count = 0;
    for (const datagram of batch) {
      // The stream may still hold the chunk that this datagram would be written into.
      if (this.#abandoned) {
        this.#dropped += 1;
        continue;
      }
      format(datagram, this.#chunk);
      count += 1;
      if (this.#chunk.length < CHUNK_BYTES) continue;
      await this.#flush(count);
      count = 0;
    }
    if (count > 0) await this.#flush(count);
  }

  #flush(count: number): Promise<void> {
    const chunk = this.#chunk.take();
    // A datagram that is nothing in this format, an empty one as raw bytes, has been written.
    if (chunk.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const settle = (failed: boolean): void => {
        if (this.#giveUp === undefined) return;
        this.#giveUp = undefined;
        if (failed) this.#dropped += count;
        resolve();
      };
      this.#giveUp = () => {
        settle(true);
      };
      this.#stream.write(chunk, (error) => {
        settle(error !== null && error !== undefined);
      });
    });
  }

  /** Writes an event, where events are wanted, in order with the datagrams. */
  event(event: JsonEvent): void {
    if (this.#events && !this.#closed) this.#stream.write(formatEvent(event, wallClockMs()));
  }

  /** Waits for the reader no more: datagrams under way, and any that follow, count as lost. */
  abandon(): void {
    this.#abandoned = true;
    this.#giveUp?.();
  }

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_DESTROYED') this.#failure ??= error;
    this.abandon();
    if (this.#closed) return;
    this.#closed = true;
    this.#onEnd();
  };
}
