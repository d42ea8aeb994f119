import { closeSync, ftruncateSync, openSync, statSync, write, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { describeSystemError } from '../net/errors.js';
import type { Datagram, Endpoint } from '../net/index.js';
import { ChunkBuilder } from '../output/chunk-builder.js';
import { DatagramWriter } from '../output/datagram-writer.js';
import { FileStream } from '../output/file-stream.js';
import type { Format } from '../output/formats.js';
import type { Context } from './context.js';
import { LocalFailure } from './failure.js';
import type { RecordTarget } from './values.js';

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
  readonly failure: LocalFailure | undefined;
  /** Resolves once all that was given is written, or dropped. */
  settled(): Promise<void>;
  /** Waits for whoever reads no more. */
  abandon(): void;
  /** No more will come; what still waits is dropped. Resolves once a file has what is being written to it. */
  close(): Promise<void>;
}

/**
 * Opens a recording; a file that is there already is overwritten.
 *
 * @param bound stands for the local address of datagrams whose own is not known
 * @throws {LocalFailure}
 */
export async function openRecording(target: RecordTarget, context: Context, bound: Endpoint): Promise<Recording> {
  const style = await styleOf(target.kind === 'stdout' ? 'pcap' : target.format, bound);
  if (target.kind === 'stdout') return new StdoutRecording(context, style);
  return new FileRecording(target.path, style);
}

/** What stands at the beginning, and how a datagram is written. */
interface Style {
  readonly header: Uint8Array;
  readonly formats: Readonly<Record<Direction, Format>>;
}

async function styleOf(kind: 'pcap' | 'jsonl', bound: Endpoint): Promise<Style> {
  if (kind === 'jsonl') {
    const { jsonlRecord } = await import('../capture/jsonl-writer.js');
    return {
      header: new Uint8Array(),
      formats: {
        in: ({ timeMs, data, remote, local = bound }, chunk) => {
          chunk.text(jsonlRecord({ timeMs, data, source: remote, destination: local }, 'in'));
        },
        out: ({ timeMs, data, remote, local = bound }, chunk) => {
          chunk.text(jsonlRecord({ timeMs, data, source: local, destination: remote }, 'out'));
        },
      },
    };
  }
  const { pcapHeader, PcapRecords } = await import('../capture/pcap-writer.js');
  const [received, sent] = [new PcapRecords(), new PcapRecords()];
  return {
    header: pcapHeader(),
    formats: {
      in: ({ timeMs, data, remote, local = bound }, chunk) => {
        received.write({ timeMs, data, source: remote, destination: local }, chunk);
      },
      out: ({ timeMs, data, remote, local = bound }, chunk) => {
        sent.write({ timeMs, data, source: local, destination: remote }, chunk);
      },
    },
  };
}

/** More than this is not kept in memory while what came before is written: strays and typed lines do not wait for that. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** What a datagram takes besides its payload, about. */
const DATAGRAM_BYTES = 256;

/** Received and sent datagrams come from several sides, and are written one batch after the other. */
abstract class OrderedRecording implements Recording {
  abstract readonly failure: LocalFailure | undefined;
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

/** Above this a chunk is written before the batch is complete. */
const CHUNK_BYTES = 256 * 1024;
/** What is less is written at once: to hand it to another thread would take longer. */
const LARGE_BYTES = 32 * 1024;

const writeInThread = promisify(write);

/**
 * Written as it happens, so that nothing is lost however the run ends; what a full disk took only a part of is taken out
 * again. While another thread writes much, the next chunk is filled, and the sockets are read.
 */
class FileRecording extends OrderedRecording {
  readonly #path: string;
  readonly #formats: Style['formats'];
  /** One is filled while the other is written. */
  readonly #chunks = [new ChunkBuilder(), new ChunkBuilder()] as const;
  #fd: number;
  #length = 0;
  #failure: LocalFailure | undefined;

  constructor(path: string, { header, formats }: Style) {
    super();
    this.#path = path;
    this.#formats = formats;
    // To open a pipe would wait for its reader.
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === false) {
      throw new LocalFailure(`cannot record to ${path}: it is no regular file; - records to stdout`);
    }
    try {
      this.#fd = openSync(path, 'w');
    } catch (cause) {
      throw this.#failureFrom(cause);
    }
    try {
      while (this.#length < header.length) this.#length += writeSync(this.#fd, header, this.#length);
    } catch (cause) {
      this.#cutTo(0);
      closeSync(this.#fd);
      throw this.#failureFrom(cause);
    }
  }

  get failure(): LocalFailure | undefined {
    return this.#failure;
  }

  protected override async put(batch: readonly Datagram[], direction: Direction): Promise<number> {
    const format = this.#formats[direction];
    let [filled, spare] = this.#chunks;
    let writing = Promise.resolve(0);
    let [begun, kept] = [0, 0];
    for (let index = 0; index < batch.length; index += 1) {
      format(batch[index] as Datagram, filled);
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

  /** @returns how many of the datagrams that the chunk holds are kept */
  async #writeChunk(chunk: Uint8Array, datagrams: readonly Datagram[], direction: Direction): Promise<number> {
    const isLarge = chunk.length >= LARGE_BYTES;
    let written = 0;
    try {
      while (written < chunk.length) {
        written += isLarge
          ? (await writeInThread(this.#fd, chunk, written)).bytesWritten
          : writeSync(this.#fd, chunk, written);
      }
      this.#length += chunk.length;
      return datagrams.length;
    } catch (cause) {
      this.#failure = this.#failureFrom(cause);
      const { count, bytes } = wholeOf(datagrams, this.#formats[direction], written);
      this.#cutTo(this.#length + bytes);
      this.drop(datagrams.length - count, direction);
      void this.close();
      return count;
    }
  }

  #cutTo(length: number): void {
    try {
      ftruncateSync(this.#fd, length);
    } catch {
      // A reader finds the broken end, and tells.
    }
  }

  #failureFrom(cause: unknown): LocalFailure {
    return new LocalFailure(`cannot record to ${this.#path}: ${describeSystemError(cause)}`, { cause });
  }

  override abandon(): void {
    // A file takes what it takes.
  }

  override async close(): Promise<void> {
    await super.close();
    await this.settled();
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }
}

/** How many of the first datagrams, and bytes of them, are whole within so many bytes. */
function wholeOf(
  batch: readonly Datagram[],
  format: Format,
  written: number,
): { readonly count: number; readonly bytes: number } {
  const again = new ChunkBuilder();
  let bytes = 0;
  for (const [index, datagram] of batch.entries()) {
    format(datagram, again);
    if (again.length > written) return { count: index, bytes };
    bytes = again.length;
  }
  return { count: batch.length, bytes };
}

/** At the pace of whoever reads stdout. Of a file there, what a full disk took only a part of is taken out again. */
class StdoutRecording extends OrderedRecording {
  readonly failure = undefined;
  readonly #stdout: Context['stdout'];
  readonly #formats: Style['formats'];
  readonly #writers: Readonly<Record<Direction, DatagramWriter>>;

  constructor(context: Context, { header, formats }: Style) {
    super();
    this.#stdout = context.stdout;
    this.#formats = formats;
    const createWriter = (format: Format): DatagramWriter => {
      // Whoever writes to stdout besides tells of its end.
      const writer = new DatagramWriter(context.stdout, { events: false, onEnd: () => undefined });
      writer.format = format;
      return writer;
    };
    this.#writers = { in: createWriter(formats.in), out: createWriter(formats.out) };
    context.stdout.write(header);
  }

  override dropped(direction: Direction): number {
    return super.dropped(direction) + this.#writers[direction].dropped;
  }

  protected override async put(batch: readonly Datagram[], direction: Direction): Promise<number> {
    this.begins(batch.length, direction);
    const writer = this.#writers[direction];
    const droppedBefore = writer.dropped;
    const file = this.#stdout instanceof FileStream ? this.#stdout : undefined;
    const from = file?.bytesTaken ?? 0;
    await writer.write(batch);
    if (file !== undefined && writer.failure !== undefined) {
      file.cutTo(from + wholeOf(batch, this.#formats[direction], file.bytesTaken - from).bytes);
    }
    return batch.length - (writer.dropped - droppedBefore);
  }

  override abandon(): void {
    this.#writers.in.abandon();
    this.#writers.out.abandon();
  }
}
