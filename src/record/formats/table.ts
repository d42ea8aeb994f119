import type { Datagram, Endpoint } from '../../net/index.js';
import { ChunkBuilder } from '../../output/chunk-builder.js';
import type { Format } from '../../output/formats/format.js';
import type { Examination, FileView } from '../file-view.js';
import type { Direction } from '../recording.js';

/** A format by the ending of its files. */
export type RecordFormatName = keyof typeof LOADERS;

/** How datagrams of both directions are written. */
export type DatagramFormats = Readonly<Record<Direction, Format>>;

/** A format of recordings. */
export interface RecordFormat {
  /** What stands at the beginning of a file. */
  readonly header: Uint8Array;
  /** @param bound stands for the local address of datagrams whose own is not known */
  formats(bound: Endpoint): DatagramFormats;
  /** Finds how far a file is whole; undefined if it does not begin as udpcat's own. */
  examine(view: FileView, from?: number): Promise<Examination | undefined>;
}

/** The formats that are written, by the ending of their files. The code of each is loaded when it is needed. */
const LOADERS = { pcap: loadPcap, jsonl: loadJsonl } satisfies Readonly<Record<string, () => Promise<RecordFormat>>>;

export const RECORD_FORMAT_NAMES = Object.keys(LOADERS) as readonly RecordFormatName[];

/** Loads what a format needs. */
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
        in: ({ timeMs, data, remote, local = bound }, chunk) => {
          received.write({ timeMs, data, source: remote, destination: local }, chunk);
        },
        out: ({ timeMs, data, remote, local = bound }, chunk) => {
          sent.write({ timeMs, data, source: local, destination: remote }, chunk);
        },
      };
    },
    examine: async (view, from) => (await import('./pcap-examination.js')).examinePcap(view, from),
  };
}

async function loadJsonl(): Promise<RecordFormat> {
  const { jsonlRecord } = await import('./jsonl-writer.js');
  return {
    header: new Uint8Array(),
    formats: (bound) => ({
      in: ({ timeMs, data, remote, local = bound }, chunk) => {
        chunk.text(jsonlRecord({ timeMs, data, source: remote, destination: local }, 'in'));
      },
      out: ({ timeMs, data, remote, local = bound }, chunk) => {
        chunk.text(jsonlRecord({ timeMs, data, source: local, destination: remote }, 'out'));
      },
    }),
    examine: async (view, from) => (await import('./jsonl-examination.js')).examineJsonl(view, from),
  };
}

/** How many of the first datagrams, and bytes of them, are whole within so many bytes. */
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
