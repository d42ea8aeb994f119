import { write, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Datagram, Run } from '../net/index.js';
import { countOf, cutRuns, sizeOf } from '../net/runs.js';
import { ChunkBuilder } from '../output/chunk-builder.js';
import { type DatagramFormats, wholeOf } from './formats/table.js';
import { RecordError } from './record-error.js';
import type { RecordFile } from './record-file.js';
import type { RecordFiles } from './record-files.js';
import { type Direction, OrderedRecording } from './recording.js';

/** A chunk that has reached this size is written at once. Smaller ones wait for the end of the batch. */
const CHUNK_BYTES = 256 * 1024;
/**
 * Chunks of this size are written by another thread. For smaller ones the hand-over would take longer than the write.
 */
const LARGE_BYTES = 32 * 1024;

const writeInThread = promisify(write);

/**
 * Writes each batch to a file before it takes the next one, so that a killed run loses nothing that was written before.
 * If a full disk takes only part of a record, that part is removed. While another thread writes one large chunk, this
 * thread fills the next one.
 */
export class FileRecording extends OrderedRecording {
  readonly #files: RecordFiles;
  readonly #formats: DatagramFormats;
  /** Two chunks: one is filled while the other is written. */
  readonly #chunks = [new ChunkBuilder(), new ChunkBuilder()] as const;
  #file: RecordFile;
  /** Bytes of the chunk that is being written. */
  #onTheWay = 0;
  /** The time from which on records go to the next file, as `performance.now()` counts. */
  #endsAt: number;
  #isOpen = true;
  #failure: RecordError | undefined;

  /** @param file The first file, already open. */
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

  protected override async put(items: readonly (Datagram | Run)[], direction: Direction): Promise<number> {
    const format = this.#formats[direction];
    // A file of limited size is full between two datagrams of a run.
    const batch = this.#files.maxBytes === Infinity ? items : cutRuns(items);
    let [filled, spare] = this.#chunks;
    let writing = Promise.resolve(0);
    let [begun, kept] = [0, 0];
    if (performance.now() >= this.#endsAt && !this.#goOn()) return 0;
    for (let index = 0; index < batch.length; index += 1) {
      const bytesBefore = filled.length;
      format(batch[index] as Datagram | Run, filled);
      if (filled.length > this.#room && (bytesBefore > 0 || this.#file.holdsRecords || this.#onTheWay > 0)) {
        // The last record does not fit this file any more. The records before it are written here.
        const chunk = filled.take();
        kept += await writing;
        writing = Promise.resolve(0);
        if (this.isClosed) return kept;
        if (index > begun) {
          const part = batch.slice(begun, index);
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
      writing = this.#writeChunk(chunk, part, direction);
      [filled, spare] = [spare, filled];
      begun = index + 1;
    }
    return kept + (await writing);
  }

  /**
   * Writes to the file in this thread: the payloads are valid until this function returns, and the thread would take processor
   * time from the reception.
   */
  override writeRuns(runs: readonly Run[]): Promise<void> | undefined {
    // A file of limited size is full between two datagrams of a run, and earlier batches are written first.
    if (this.#files.maxBytes !== Infinity || !this.isIdle) return super.writeRuns(runs);
    let kept = 0;
    if (!this.isClosed && (performance.now() < this.#endsAt || this.#goOn())) kept = this.#writeNow(runs);
    if (kept < countOf(runs)) this.drop(countOf(runs) - kept, 'in');
    return undefined;
  }

  /** Writes received runs. @returns how many of their datagrams the file has whole, from the first on */
  #writeNow(runs: readonly Run[]): number {
    const [chunk] = this.#chunks;
    let [begun, kept] = [0, 0];
    for (const [index, run] of runs.entries()) {
      this.#formats.in(run, chunk);
      if (chunk.length < CHUNK_BYTES && index < runs.length - 1) continue;
      const bytes = chunk.take();
      let written = 0;
      try {
        while (written < bytes.length) written += writeSync(this.#file.fd, bytes, written);
      } catch (cause) {
        return kept + this.#fail(cause, bytes.subarray(0, written), runs.slice(begun, index + 1), 'in');
      }
      this.#file.length += bytes.length;
      kept += countOf(runs.slice(begun, index + 1));
      begun = index + 1;
    }
    return kept;
  }

  /** How many bytes still fit the file. */
  get #room(): number {
    return this.#files.maxBytes - this.#file.length - this.#onTheWay;
  }

  /** Switches to the next file. The current one must be written. @returns whether the next file could be opened */
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

  /** Writes a chunk. @returns how many of its datagrams the file has whole */
  async #writeChunk(chunk: Uint8Array, items: readonly (Datagram | Run)[], direction: Direction): Promise<number> {
    let datagrams = 0;
    for (const item of items) datagrams += sizeOf(item);
    this.begins(datagrams, direction);
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
      return datagrams;
    } catch (cause) {
      const count = this.#fail(cause, chunk.subarray(0, written), items, direction);
      this.drop(datagrams - count, direction);
      return count;
    } finally {
      this.#onTheWay = 0;
    }
  }

  /**
   * Ends the recording after a write of a chunk failed, and removes the part of a record from the end of the file.
   *
   * @param written the bytes of the chunk that the file has taken
   * @param items the items of the chunk
   * @returns how many datagrams of the chunk the file has whole
   */
  #fail(cause: unknown, written: Uint8Array, items: readonly (Datagram | Run)[], direction: Direction): number {
    this.#failure = this.#file.failure(cause);
    const { count, bytes } = wholeOf(cutRuns(items), this.#formats[direction], written.length);
    this.#file.takeOut(written, written.length - bytes);
    void this.close();
    return count;
  }

  override abandon(): void {
    // Nothing to do: a file has no reader that could be slow.
  }

  override async close(): Promise<void> {
    await super.close();
    await this.settled();
    if (this.#isOpen) this.#file.close();
    this.#isOpen = false;
  }
}
