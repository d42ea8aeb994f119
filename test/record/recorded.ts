/** Writes recordings to files and reads them, for the tests of this folder. */
import { createReadStream } from 'node:fs';
import { readCapture } from '../../src/record/reader.js';
import { FileRecording } from '../../src/record/file-recording.js';
import { loadFormat, type RecordFormatName } from '../../src/record/formats/table.js';
import { OneFile, type RecordFiles } from '../../src/record/record-files.js';
import type { Datagram } from '../../src/net/index.js';

export const NEAR = { address: '127.0.0.1', port: 1 };
export const FAR = { address: '127.0.0.1', port: 2 };

export const FORMATS: readonly RecordFormatName[] = ['pcap', 'jsonl'];

/** Datagrams with these payloads. */
export const datagrams = (payloads: readonly Uint8Array[]): Datagram[] =>
  payloads.map((data, nth) => ({ timeMs: 1_795_334_400_000 + nth, remote: FAR, local: NEAR, data }));

/** Records payloads as one run of a command does. Each array is one batch. */
export async function record(
  files: RecordFiles,
  name: RecordFormatName,
  batches: readonly (readonly Uint8Array[])[],
): Promise<void> {
  const format = await loadFormat(name);
  await files.prepare();
  const recording = new FileRecording(files, await files.first(), format.formats(NEAR));
  for (const batch of batches) await recording.write(datagrams(batch), 'in');
  await recording.close();
  if (recording.failure !== undefined) throw recording.failure;
}

/** Makes a recording in one file. `told` has the warnings about the file. */
export async function oneFile(path: string, name: RecordFormatName): Promise<OneFile & { readonly told: string[] }> {
  const told: string[] = [];
  const files = new OneFile(path, await loadFormat(name), { replace: false, warn: (message) => told.push(message) });
  return Object.assign(files, { told });
}

/** Reads the payloads of a recording with udpcat's reader, as hex. */
export async function payloadsIn(path: string): Promise<string[]> {
  const found: string[] = [];
  for await (const batch of readCapture(createReadStream(path))) found.push(...batch.map(({ data }) => hex(data)));
  return found;
}

export const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex');

/** Returns the bytes of each record that {@link record} writes for these payloads. */
export async function recordBytes(name: RecordFormatName, payloads: readonly Uint8Array[]): Promise<Buffer[]> {
  const { ChunkBuilder } = await import('../../src/output/chunk-builder.js');
  const { in: write } = (await loadFormat(name)).formats(NEAR);
  return datagrams(payloads).map((datagram) => {
    const chunk = new ChunkBuilder();
    write(datagram, chunk);
    return Buffer.from(chunk.take());
  });
}
