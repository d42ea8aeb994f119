import { write, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Datagram } from '../net/index.js';
import { ChunkBuilder } from '../output/chunk-builder.js';
import { type DatagramFormats, wholeOf } from './formats/table.js';
import { RecordError } from './record-error.js';
import type { RecordFile } from './record-file.js';
import type { RecordFiles } from './record-files.js';
import { type Direction, OrderedRecording } from './recording.js';

/** Above this a chunk is written before the batch is complete. */
const CHUNK_BYTES = 256 * 1024;
/** A smaller chunk is written in this thread: to hand it to another one would take longer. */
const LARGE_BYTES = 32 * 1024;

const writeInThread = promisify(write);

/**
 * Writes each batch to a file before the next one, so that nothing is lost however the run ends. A full disk may take part
 * of a record: that part is removed. Another thread writes large chunks; meanwhile the next chunk is filled.
 */
export class FileRecording extends OrderedRecording {
  readonly #files: RecordFiles;
  readonly #formats: DatagramFormats;
  /** One is filled while the other is written. */
  readonly #chunks = [new ChunkBuilder(), new ChunkBuilder()] as const;
  #file: RecordFile;
  /** Bytes of chunks that the file has not taken yet. */
  #onTheWay = 0;
  /** When the file takes no more records, by `performance.now()`. */
  #endsAt: number;
  #isOpen = true;
  #failure: RecordError | undefined;

  /** @param file The first of the files, open. */
  constructor(files: RecordFiles, file: RecordFile, formats: DatagramFormats) {
    super();
    this.#files = files;
    this.#file = file;
    this.#formats = formats;
    this.#endsAt = performance.now() + files.takesForMs;
  }

  get failure(): RecordError | undefined {
    return this.#failure;
  }

  protected override async put(batch: readonly Datagram[], direction: Direction): Promise<number> {
    const format = this.#formats[direction];
    let [filled, spare] = this.#chunks;
    let writing = Promise.resolve(0);
    let [begun, kept] = [0, 0];
    if (performance.now() >= this.#endsAt && !this.#goOn()) return 0;
    for (let index = 0; index < batch.length; index += 1) {
      const bytesBefore = filled.length;
      format(batch[index] as Datagram, filled);
      if (filled.length > this.#room && (bytesBefore > 0 || this.#file.holdsRecords || this.#onTheWay > 0)) {
        // All but the last record belong in this file.
        const chunk = filled.take();
        kept += await writing;
        writing = Promise.resolve(0);
        if (this.isClosed) return kept;
        if (index > begun) {
          const part = batch.slice(begun, index);
          this.begins(part.length, direction);
          kept += await this.#writeChunk(chunk.subarray(0, bytesBefore), part, direction);
        }
        if (!this.#goOn()) return kept;
        spare.bytes(chunk.subarray(bytesBefore));
        [filled, spare] = [spare, filled];
        begun = index;
      }
      if (filled.length < CHUNK_BYTES && index < batch.length - 1) continue;
      const chunk = filled.take();
      kept += await writing;
      if (this.isClosed) return kept;
      const part = batch.slice(begun, index + 1);
      this.begins(part.length, direction);
      writing = this.#writeChunk(chunk, part, direction);
      [filled, spare] = [spare, filled];
      begun = index + 1;
    }
    return kept + (await writing);
  }

  /** How many more bytes the file takes. */
  get #room(): number {
    return this.#files.maxBytes - this.#file.length - this.#onTheWay;
  }

  /** Goes on with the next file. The last one must have taken all its bytes. @returns whether the next could be opened */
  #goOn(): boolean {
    if (this.isClosed) return false;
    try {
      const next = this.#files.next();
      this.#file.close();
      this.#file = next;
      this.#endsAt = performance.now() + this.#files.takesForMs;
      return true;
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      this.#failure = error;
      void this.close();
      return false;
    }
  }

  /** @returns how many of the datagrams that the chunk holds are kept */
  async #writeChunk(chunk: Uint8Array, datagrams: readonly Datagram[], direction: Direction): Promise<number> {
    const isLarge = chunk.length >= LARGE_BYTES;
    const file = this.#file;
    let written = 0;
    this.#onTheWay = chunk.length;
    try {
      while (written < chunk.length) {
        written += isLarge
          ? (await writeInThread(file.fd, chunk, written)).bytesWritten
          : writeSync(file.fd, chunk, written);
      }
      file.length += chunk.length;
      return datagrams.length;
    } catch (cause) {
      this.#failure = file.failure(cause);
      const { count, bytes } = wholeOf(datagrams, this.#formats[direction], written);
      file.takeOut(chunk.subarray(0, written), written - bytes);
      this.drop(datagrams.length - count, direction);
      void this.close();
      return count;
    } finally {
      this.#onTheWay = 0;
    }
  }

  override abandon(): void {
    // A file has no reader to wait for.
  }

  override async close(): Promise<void> {
    await super.close();
    await this.settled();
    if (this.#isOpen) this.#file.close();
    this.#isOpen = false;
  }
}
