/** Recordings that tests make and replay. */
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import { formatEndpoint } from '../../src/net/index.js';
import { CaptureError } from '../../src/record/capture-error.js';
import type { CapturedDatagram } from '../../src/record/captured-datagram.js';
import { pcapHeader } from '../../src/record/formats/pcap-writer.js';
import { readCapture } from '../../src/record/reader.js';
import { jsonlRecord, pcapRecord } from '../record/files.js';
import type { Family } from './sockets.js';

const END = { client: ['192.0.2.7', '2001:db8::7'], server: ['192.0.2.53', '2001:db8::53'] } as const;

/** One of the two ends of a {@link conversation}, with a port. */
export const at = (who: keyof typeof END, family: Family, port: number) => ({
  address: END[who][family === 4 ? 0 : 1],
  port,
});

/**
 * Makes a conversation. The client sends each line to port 53 of the server; a line that begins with `< ` goes back.
 */
export function conversation(lines: readonly string[], family: Family = 4, stepMs = 0): CapturedDatagram[] {
  const [client, server] = [at('client', family, 4000), at('server', family, 53)];
  return lines.map((line, index) => {
    const isResponse = line.startsWith('< ');
    return {
      timeMs: 1_700_000_000_000 + index * stepMs,
      source: isResponse ? server : client,
      destination: isResponse ? client : server,
      data: Buffer.from(isResponse ? line.slice(2) : line),
    };
  });
}

/** Returns the bytes of a recording with these datagrams. */
export function recordingOf(datagrams: readonly CapturedDatagram[], format: 'pcap' | 'jsonl' = 'pcap'): Buffer {
  const records = datagrams.map((datagram) =>
    Buffer.from(format === 'pcap' ? pcapRecord(datagram) : jsonlRecord(datagram, 'in')),
  );
  return Buffer.concat([...(format === 'pcap' ? [Buffer.from(pcapHeader())] : []), ...records]);
}

/** Reads a recording with udpcat's own reader. @throws {CaptureError} if the file is broken or cut short */
export async function readRecording(path: string): Promise<CapturedDatagram[]> {
  const found: CapturedDatagram[] = [];
  for await (const batch of readCapture(createReadStream(path))) found.push(...batch);
  return found;
}

/** Reads the whole records of a recording that may end in the middle of a record. */
export async function readWholeRecords(path: string): Promise<CapturedDatagram[]> {
  const found: CapturedDatagram[] = [];
  try {
    for await (const batch of readCapture(createReadStream(path))) found.push(...batch);
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
  }
  return found;
}

/** The ends of a datagram: `FROM > TO`. */
export const endsOf = ({ source, destination }: CapturedDatagram): string =>
  `${formatEndpoint(source)} > ${formatEndpoint(destination)}`;

/** The payload of a datagram, as text. */
export const textOf = ({ data }: CapturedDatagram): string => Buffer.from(data).toString();

/** Makes a folder that is removed after all tests of the file. Call it at the top of the file. */
export function temporaryRecordings(): Recordings {
  const recordings = new Recordings();
  afterAll(() => {
    recordings[Symbol.dispose]();
  });
  return recordings;
}

/** A folder for recordings, and other files of a test. */
export class Recordings implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'udpcat-recordings-'));
  #count = 0;

  /** Returns the path of a new file, which does not exist yet. */
  path(extension: string): string {
    this.#count += 1;
    return join(this.folder, `${this.#count}.${extension}`);
  }

  /** Writes a file. Returns its path. */
  write(bytes: Uint8Array | string, extension: string): string {
    const path = this.path(extension);
    writeFileSync(path, bytes);
    return path;
  }

  /** Writes a recording. Returns its path. */
  record(datagrams: readonly CapturedDatagram[], format: 'pcap' | 'jsonl' = 'pcap'): string {
    return this.write(recordingOf(datagrams, format), format);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}
