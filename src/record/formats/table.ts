import type { Datagram, Endpoint } from '../../net/index.js';
import { asRun } from '../../net/runs.js';
import { ChunkBuilder } from '../../output/chunk-builder.js';
import type { Format } from '../../output/payloads.js';
import type { Examination, FileView } from '../file-view.js';
import type { Direction } from '../recording.js';

/** The name of a format: the ending of its files. */
export type RecordFormatName = keyof typeof LOADERS;

/** How received and sent datagrams are written. */
export type DatagramFormats = Readonly<Record<Direction, Format>>;

/** A format in which udpcat writes recordings. */
export interface RecordFormat {
  /** The bytes at the beginning of a file. Empty if the format has none. */
  readonly header: Uint8Array;
  /** Makes the writers of datagrams. @param bound the local address of datagrams that do not have their own */
  formats(bound: Endpoint): DatagramFormats;
  /** Examines which part of a file is whole records. Undefined if udpcat does not write files that begin so. */
  examine(view: FileView, from?: number): Promise<Examination | undefined>;
}

/** The formats, by the ending of their files. The code of a format is loaded when it is used. */
const LOADERS = { pcap: loadPcap, jsonl: loadJsonl } satisfies Readonly<Record<string, () => Promise<RecordFormat>>>;

export const RECORD_FORMAT_NAMES = Object.keys(LOADERS) as readonly RecordFormatName[];

/** Loads the code of a format. */
export function loadFormat(name: RecordFormatName): Promise<RecordFormat> {
  return LOADERS[name]();
}

async function loadPcap(): Promise<RecordFormat> {
  const { pcapHeader, PcapRecords } = await import('./pcap-writer.js');
  return {
    header: pcapHeader(),
    formats: (bound) => {
      const [received, sent] = [new PcapRecords(), new PcapRecords()];
      return {
        in: (item, chunk) => {
          received.write(asRun(item), item.remote, item.local ?? bound, chunk);
        },
        out: (item, chunk) => {
          sent.write(asRun(item), item.local ?? bound, item.remote, chunk);
        },
      };
    },
    examine: async (view, from) => (await import('./pcap-examination.js')).examinePcap(view, from),
  };
}

async function loadJsonl(): Promise<RecordFormat> {
  const { jsonlFormat } = await import('./jsonl-writer.js');
  return {
    header: new Uint8Array(),
    formats: (bound) => ({ in: jsonlFormat('in', bound), out: jsonlFormat('out', bound) }),
    examine: async (view, from) => (await import('./jsonl-examination.js')).examineJsonl(view, from),
  };
}

/**
 * Counts the datagrams of a batch that are whole after a write that was cut off.
 *
 * @param written How many bytes of the batch were written.
 * @returns the number of whole datagrams, from the first on, and their bytes
 */
export function wholeOf(
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
