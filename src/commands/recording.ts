import { closeSync, ftruncateSync, openSync, statSync, writeSync } from 'node:fs';
import { describeSystemError } from '../net/errors.js';
import type { Datagram, Endpoint } from '../net/index.js';
import { ChunkBuilder } from '../output/chunk-builder.js';
import { DatagramWriter } from '../output/datagram-writer.js';
import type { Format } from '../output/formats.js';
import type { Context } from './context.js';
import { LocalFailure } from './failure.js';
import type { RecordTarget } from './values.js';

/** A datagram that was received or, with `dir` `out`, sent. */
export interface Recorded extends Datagram {
  readonly dir?: 'out';
}

/** Keeps datagrams as they pass. */
export interface Recording {
  /**
   * Resolves once they are written.
   *
   * @throws {LocalFailure} if the file takes no more; what it holds is whole
   */
  write(batch: readonly Recorded[]): Promise<void>;
  /** Datagrams that stdout did not take. */
  readonly dropped: number;
  /** No more will come. */
  close(): void;
}

/**
 * Opens a recording; a file that is there already is overwritten.
 *
 * @param bound stands for the local address of datagrams whose own is not known
 * @throws {LocalFailure}
 */
export async function openRecording(target: RecordTarget, context: Context, bound: Endpoint): Promise<Recording> {
  const { header, format } = await formatOf(target.kind === 'stdout' ? 'pcap' : target.format, bound);
  if (target.kind === 'stdout') return new StdoutRecording(context, header, format);
  return new FileRecording(target.path, header, format);
}

/** What stands at the beginning, and how a datagram is written. */
async function formatOf(
  kind: 'pcap' | 'jsonl',
  bound: Endpoint,
): Promise<{ readonly header: Uint8Array; readonly format: Format }> {
  const ends = ({ dir, remote, local = bound }: Recorded) =>
    dir === 'out' ? { source: local, destination: remote } : { source: remote, destination: local };
  if (kind === 'jsonl') {
    const { jsonlRecord } = await import('../capture/jsonl-writer.js');
    const format = (datagram: Recorded, chunk: ChunkBuilder): void => {
      const { timeMs, data, dir = 'in' } = datagram;
      chunk.text(jsonlRecord({ timeMs, data, ...ends(datagram) }, dir));
    };
    return { header: new Uint8Array(), format };
  }
  const { pcapHeader, PcapRecords } = await import('../capture/pcap-writer.js');
  const records = new PcapRecords();
  const format = (datagram: Recorded, chunk: ChunkBuilder): void => {
    const { timeMs, data } = datagram;
    records.write({ timeMs, data, ...ends(datagram) }, chunk);
  };
  return { header: pcapHeader(), format };
}

/** Written at once, so that nothing is lost however the run ends; what a full disk took only a part of is taken out again. */
class FileRecording implements Recording {
  readonly dropped = 0;
  readonly #path: string;
  readonly #format: Format;
  readonly #chunk = new ChunkBuilder();
  #fd: number;
  #length = 0;

  constructor(path: string, header: Uint8Array, format: Format) {
    this.#path = path;
    this.#format = format;
    // To open a pipe would wait for its reader.
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === false) {
      throw new LocalFailure(`cannot record to ${path}: it is no regular file; - records to stdout`);
    }
    try {
      this.#fd = openSync(path, 'w');
    } catch (cause) {
      throw this.#failure(cause);
    }
    this.#append(header, []);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- to stdout it does wait
  async write(batch: readonly Recorded[]): Promise<void> {
    if (this.#fd < 0) return;
    for (const datagram of batch) this.#format(datagram, this.#chunk);
    this.#append(this.#chunk.take(), batch);
  }

  #append(bytes: Uint8Array, batch: readonly Recorded[]): void {
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(this.#fd, bytes, written);
      this.#length += bytes.length;
    } catch (cause) {
      this.#cutTo(this.#length + this.#wholeOf(batch, written));
      this.close();
      throw this.#failure(cause);
    }
  }

  /** How many of the bytes that were written are whole datagrams. */
  #wholeOf(batch: readonly Recorded[], written: number): number {
    const again = new ChunkBuilder();
    let whole = 0;
    for (const datagram of batch) {
      this.#format(datagram, again);
      if (again.length > written) break;
      whole = again.length;
    }
    return whole;
  }

  #cutTo(length: number): void {
    try {
      ftruncateSync(this.#fd, length);
    } catch {
      // A reader finds the broken end, and tells.
    }
  }

  #failure(cause: unknown): LocalFailure {
    return new LocalFailure(`cannot record to ${this.#path}: ${describeSystemError(cause)}`, { cause });
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }
}

/** At the pace of whoever reads stdout. Received and sent datagrams come from several sides, and are written one after the other. */
class StdoutRecording implements Recording {
  readonly #writer: DatagramWriter;
  readonly #context: Context;
  #writing = Promise.resolve();

  constructor(context: Context, header: Uint8Array, format: Format) {
    this.#context = context;
    // Whoever writes to stdout besides tells of its end.
    this.#writer = new DatagramWriter(context.stdout, { events: false, onEnd: () => undefined });
    this.#writer.format = format;
    context.stdout.write(header);
    context.force.addEventListener('abort', this.#abandon, { once: true });
  }

  readonly #abandon = (): void => {
    this.#writer.abandon();
  };

  get dropped(): number {
    return this.#writer.dropped;
  }

  write(batch: readonly Recorded[]): Promise<void> {
    this.#writing = this.#writing.then(() => this.#writer.write(batch));
    return this.#writing;
  }

  close(): void {
    this.#context.force.removeEventListener('abort', this.#abandon);
  }
}
