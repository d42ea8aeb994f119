import type { Writable } from 'node:stream';
import type { Datagram, Run } from '../net/index.js';
import { cutRuns } from '../net/runs.js';
import { DatagramWriter } from '../output/datagram-writer.js';
import { FileStream } from '../output/file-stream.js';
import type { Format } from '../output/payloads.js';
import { type DatagramFormats, wholeOf } from './formats/table.js';
import { type Direction, OrderedRecording } from './recording.js';

/**
 * Records to stdout, at the pace of its reader. If stdout is a file and the disk becomes full in the middle of a
 * record, that part of the record is removed.
 */
export class StdoutRecording extends OrderedRecording {
  readonly failure = undefined;
  readonly #stdout: Writable;
  readonly #formats: DatagramFormats;
  readonly #writers: Readonly<Record<Direction, DatagramWriter>>;

  constructor(stdout: Writable, header: Uint8Array, formats: DatagramFormats) {
    super();
    this.#stdout = stdout;
    this.#formats = formats;
    const createWriter = (format: Format): DatagramWriter => {
      // The DatagramWriter of the run reports that stdout was closed.
      const writer = new DatagramWriter(stdout, { events: false, onEnd: () => undefined });
      writer.format = format;
      return writer;
    };
    this.#writers = { in: createWriter(formats.in), out: createWriter(formats.out) };
    stdout.write(header);
  }

  override dropped(direction: Direction): number {
    return super.dropped(direction) + this.#writers[direction].dropped;
  }

  protected override async put(items: readonly (Datagram | Run)[], direction: Direction): Promise<number> {
    const batch = cutRuns(items);
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
