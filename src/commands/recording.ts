import { closeSync, ftruncateSync, openSync, statSync, writeSync } from 'node:fs';
import { describeSystemError } from '../net/errors.js';
import type { Datagram, Endpoint } from '../net/index.js';
import { ChunkBuilder } from '../output/chunk-builder.js';
import { DatagramWriter } from '../output/datagram-writer.js';
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
  /** No more will come; what still waits is dropped. */
  close(): void;
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

/** Above this a chunk is written before the batch is complete. */
const CHUNK_BYTES = 64 * 1024;

/** Written at once, so that nothing is lost however the run ends; what a full disk took only a part of is taken out again. */
class FileRecording implements Recording {
  readonly #path: string;
  readonly #formats: Style['formats'];
  readonly #chunk = new ChunkBuilder();
  readonly #dropped = { in: 0, out: 0 };
  #fd: number;
  #length = 0;
  #failure: LocalFailure | undefined;

  constructor(path: string, { header, formats }: Style) {
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
    this.#append(header, () => 0);
    if (this.#failure !== undefined) throw this.#failure;
  }

  get failure(): LocalFailure | undefined {
    return this.#failure;
  }

  dropped(direction: Direction): number {
    return this.#dropped[direction];
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- to stdout it does wait
  async write(batch: readonly Datagram[], direction: Direction): Promise<number> {
    const kept = this.#fd < 0 ? 0 : this.#writeAll(batch, this.#formats[direction]);
    this.#dropped[direction] += batch.length - kept;
    return kept;
  }

  #writeAll(batch: readonly Datagram[], format: Format): number {
    let kept = 0;
    for (const [index, datagram] of batch.entries()) {
      format(datagram, this.#chunk);
      if (this.#chunk.length < CHUNK_BYTES && index < batch.length - 1) continue;
      const from = kept;
      this.#append(this.#chunk.take(), (written) => {
        const { count, bytes } = wholeOf(batch.slice(from, index + 1), format, written);
        kept = from + count;
        return bytes;
      });
      if (this.#failure !== undefined) return kept;
      kept = index + 1;
    }
    return kept;
  }

  /** @param whole how many of the bytes that were written are whole datagrams; asked if they are not all */
  #append(bytes: Uint8Array, whole: (written: number) => number): void {
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(this.#fd, bytes, written);
      this.#length += bytes.length;
    } catch (cause) {
      this.#failure = this.#failureFrom(cause);
      this.#cutTo(this.#length + whole(written));
      this.close();
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

  settled(): Promise<void> {
    return Promise.resolve();
  }

  abandon(): void {
    // A file takes what it takes at once.
  }

  close(): void {
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

/** More than this is not kept in memory for a reader of stdout who is slow: strays and typed lines do not wait for him. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** What a datagram takes besides its payload, about. */
const DATAGRAM_BYTES = 256;

/** At the pace of whoever reads stdout. Received and sent datagrams come from several sides, and are written one after the other. */
class StdoutRecording implements Recording {
  readonly failure = undefined;
  readonly #writers: Readonly<Record<Direction, DatagramWriter>>;
  readonly #dropped = { in: 0, out: 0 };
  /** What was not begun to be written. */
  readonly #waiting = { in: 0, out: 0 };
  #waitingBytes = 0;
  #closed = false;
  #writing = Promise.resolve(0);

  constructor(context: Context, { header, formats }: Style) {
    const createWriter = (format: Format): DatagramWriter => {
      // Whoever writes to stdout besides tells of its end.
      const writer = new DatagramWriter(context.stdout, { events: false, onEnd: () => undefined });
      writer.format = format;
      return writer;
    };
    this.#writers = { in: createWriter(formats.in), out: createWriter(formats.out) };
    context.stdout.write(header);
  }

  dropped(direction: Direction): number {
    return this.#dropped[direction] + this.#writers[direction].dropped;
  }

  write(batch: readonly Datagram[], direction: Direction): Promise<number> {
    if (this.#closed || this.#waitingBytes > MAX_WAITING_BYTES) {
      this.#dropped[direction] += batch.length;
      return Promise.resolve(0);
    }
    const bytes = batch.reduce((sum, { data }) => sum + data.length + DATAGRAM_BYTES, 0);
    this.#waiting[direction] += batch.length;
    this.#waitingBytes += bytes;
    this.#writing = this.#writing.then(async () => {
      if (this.#closed) return 0;
      this.#waiting[direction] -= batch.length;
      const writer = this.#writers[direction];
      const droppedBefore = writer.dropped;
      await writer.write(batch);
      this.#waitingBytes -= bytes;
      return batch.length - (writer.dropped - droppedBefore);
    });
    return this.#writing;
  }

  async settled(): Promise<void> {
    await this.#writing;
  }

  abandon(): void {
    this.#writers.in.abandon();
    this.#writers.out.abandon();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#dropped.in += this.#waiting.in;
    this.#dropped.out += this.#waiting.out;
  }
}
