/** Recordings that tests make and replay. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CapturedDatagram } from '../../src/record/captured-datagram.js';
import { jsonlRecord } from '../../src/record/formats/jsonl-writer.js';
import { pcapHeader } from '../../src/record/formats/pcap-writer.js';
import { pcapRecord } from '../record/files.js';
import type { Family } from './sockets.js';

const END = { client: ['192.0.2.7', '2001:db8::7'], server: ['192.0.2.53', '2001:db8::53'] } as const;

/** An end of {@link conversation}. */
export const at = (who: keyof typeof END, family: Family, port: number) => ({
  address: END[who][family === 4 ? 0 : 1],
  port,
});

/** A conversation: each line is said by the client to port 53 of the server, or, with `< ` before it, by the server. */
export function conversation(lines: readonly string[], family: Family = 4, stepMs = 0): CapturedDatagram[] {
  const [client, server] = [at('client', family, 4000), at('server', family, 53)];
  return lines.map((line, index) => {
    const answer = line.startsWith('< ');
    return {
      timeMs: 1_700_000_000_000 + index * stepMs,
      source: answer ? server : client,
      destination: answer ? client : server,
      data: Buffer.from(answer ? line.slice(2) : line),
    };
  });
}

/** One recording as the bytes of its file. */
export function recordingOf(datagrams: readonly CapturedDatagram[], format: 'pcap' | 'jsonl' = 'pcap'): Buffer {
  const records = datagrams.map((datagram) =>
    Buffer.from(format === 'pcap' ? pcapRecord(datagram) : jsonlRecord(datagram, 'in')),
  );
  return Buffer.concat([...(format === 'pcap' ? [Buffer.from(pcapHeader())] : []), ...records]);
}

/** A folder for recordings, and other files of a test. */
export class Recordings implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'udpcat-recordings-'));
  #count = 0;

  /** A path where nothing is. */
  path(extension: string): string {
    this.#count += 1;
    return join(this.folder, `${this.#count}.${extension}`);
  }

  /** Writes a file; returns its path. */
  write(bytes: Uint8Array | string, extension: string): string {
    const path = this.path(extension);
    writeFileSync(path, bytes);
    return path;
  }

  /** Writes a recording; returns its path. */
  record(datagrams: readonly CapturedDatagram[], format: 'pcap' | 'jsonl' = 'pcap'): string {
    return this.write(recordingOf(datagrams, format), format);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}
