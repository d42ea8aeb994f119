/** Makes recordings byte by byte, and reads them with udpcat's reader. */
import { asRun } from '../../src/net/runs.js';
import { CaptureError } from '../../src/record/capture-error.js';
import type { CapturedDatagram } from '../../src/record/captured-datagram.js';
import { jsonlFormat } from '../../src/record/formats/jsonl-writer.js';
import { PcapRecords } from '../../src/record/formats/pcap-writer.js';
import { readCapture } from '../../src/record/reader.js';
import { type Skipped, SkipTally } from '../../src/record/skip-tally.js';
import { ChunkBuilder } from '../../src/output/chunk-builder.js';

/** One datagram as a record of a pcap file. */
export function pcapRecord({ timeMs, source, destination, data }: CapturedDatagram): Buffer {
  const chunk = new ChunkBuilder();
  const run = asRun({ timeMs, remote: source, local: destination, data });
  new PcapRecords().write(run, source, destination, chunk);
  return chunk.take();
}

/** Returns a datagram as a line of a `.jsonl` recording. */
export function jsonlRecord({ timeMs, source, destination, data }: CapturedDatagram, dir: 'in' | 'out'): string {
  const [remote, bound] = dir === 'in' ? [source, destination] : [destination, source];
  const chunk = new ChunkBuilder();
  jsonlFormat(dir, bound)({ timeMs, data, remote, local: undefined }, chunk);
  return chunk.take().toString();
}

/** The result of reading a recording. */
export interface Reading {
  readonly datagrams: readonly CapturedDatagram[];
  /** The error that ended the reading. Errors of other classes fail the test. */
  readonly error: CaptureError | undefined;
  /** Number of skipped packets, by name, or by kind if they have no name. */
  readonly skipped: Readonly<Record<string, number>>;
  /** The skipped packets with all details. */
  readonly entries: readonly Skipped[];
}

/** Reads a recording that arrives in chunks of a size. */
export async function readAll(file: Uint8Array, chunkBytes = 64 * 1024): Promise<Reading> {
  async function* input(): AsyncGenerator<Uint8Array, undefined> {
    for (let at = 0; at < file.length; at += chunkBytes) yield Buffer.from(file.subarray(at, at + chunkBytes));
  }
  const tally = new SkipTally();
  const datagrams: CapturedDatagram[] = [];
  let error: CaptureError | undefined;
  try {
    for await (const batch of readCapture(input(), tally)) datagrams.push(...batch);
  } catch (thrown) {
    if (!(thrown instanceof CaptureError)) throw thrown;
    error = thrown;
  }
  const entries = tally.entries();
  const skipped = Object.fromEntries(entries.map(({ kind, name, count }) => [name ?? kind, count]));
  return { datagrams, error, skipped, entries };
}

/** Reads the payloads of a recording as text. Fails if the recording is broken. */
export async function payloadsOf(file: Uint8Array): Promise<string[]> {
  const { datagrams, error } = await readAll(file);
  if (error !== undefined) throw error;
  return datagrams.map(({ data }) => Buffer.from(data).toString('latin1'));
}

/** Returns a datagram with its payload as text, which Jest compares faster. */
export function comparable({ data, ...rest }: CapturedDatagram): object {
  return { ...rest, data: Buffer.from(data).toString('base64') };
}

const u16 = (value: number, littleEndian: boolean): Buffer => {
  const bytes = Buffer.alloc(2);
  if (littleEndian) bytes.writeUInt16LE(value);
  else bytes.writeUInt16BE(value);
  return bytes;
};

const u32 = (value: number, littleEndian: boolean): Buffer => {
  const bytes = Buffer.alloc(4);
  if (littleEndian) bytes.writeUInt32LE(value);
  else bytes.writeUInt32BE(value);
  return bytes;
};

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** A packet of a hand-made file. */
export interface MadePacket {
  readonly data: Uint8Array;
  /** Bytes on the wire. Default: as many as were captured. */
  readonly wireBytes?: number;
  readonly seconds?: number;
  readonly fraction?: number;
  /** The two lengths in its pcap record. */
  readonly lengths?: readonly [number, number];
}

export interface PcapOptions {
  readonly magic?: number;
  readonly littleEndian?: boolean;
  readonly linkType?: number;
  /** Default: 2.4. */
  readonly version?: readonly [number, number];
}

/** Makes a pcap file. Default: microseconds, little-endian, raw IP. */
export function pcapFile(packets: readonly MadePacket[], options: PcapOptions = {}): Buffer {
  const { magic = 0xa1b2c3d4, littleEndian = true, linkType = 101, version = [2, 4] } = options;
  const n = (value: number): Buffer => u32(value, littleEndian);
  return Buffer.concat([
    n(magic),
    ...version.map((value) => u16(value, littleEndian)),
    ...[0, 0, 65_535, linkType].map(n),
    ...packets.flatMap(({ data, wireBytes = data.length, seconds = 1_800_000_000, fraction = 5, lengths }) => [
      ...[seconds, fraction, ...(lengths ?? [data.length, wireBytes])].map(n),
      ...(magic === 0xa1b2cd34 ? [Buffer.alloc(8)] : []),
      data,
    ]),
  ]);
}

/** Blocks of pcapng in one byte order. */
export class Blocks {
  readonly #littleEndian: boolean;

  constructor(littleEndian = true) {
    this.#littleEndian = littleEndian;
  }

  #u16 = (value: number): Buffer => u16(value, this.#littleEndian);
  #u32 = (value: number): Buffer => u32(value, this.#littleEndian);

  block(type: number, ...body: readonly Uint8Array[]): Buffer {
    const bytes = Buffer.concat(body);
    const padding = Buffer.alloc(-bytes.length & 3);
    const length = this.#u32(12 + bytes.length + padding.length);
    return Buffer.concat([this.#u32(type), length, bytes, padding, length]);
  }

  option(code: number, value: Uint8Array): Buffer {
    return Buffer.concat([this.#u16(code), this.#u16(value.length), value, Buffer.alloc(-value.length & 3)]);
  }

  section(...options: readonly Uint8Array[]): Buffer {
    return this.block(0x0a0d0d0a, this.#u32(0x1a2b3c4d), this.#u16(1), this.#u16(0), Buffer.alloc(8, 0xff), ...options);
  }

  interface(linkType = 101, snapBytes = 0, ...options: readonly Uint8Array[]): Buffer {
    return this.block(1, this.#u16(linkType), this.#u16(0), this.#u32(snapBytes), ...options);
  }

  /** @param units The time, in the unit of the interface. */
  #packet(units: bigint, data: Uint8Array, wireBytes: number): Buffer[] {
    const padding = Buffer.alloc(-data.length & 3);
    const [high, low] = [Number(units >> 32n), Number(units & 0xffff_ffffn)];
    return [...[high, low, data.length, wireBytes].map(this.#u32), Buffer.from(data), padding];
  }

  enhanced(data: Uint8Array, { number = 0, units = 0n, wireBytes = data.length, options = [] as Uint8Array[] } = {}) {
    return this.block(6, this.#u32(number), ...this.#packet(units, data, wireBytes), ...options);
  }

  old(data: Uint8Array, { number = 0, units = 0n } = {}): Buffer {
    return this.block(2, this.#u16(number), this.#u16(0), ...this.#packet(units, data, data.length));
  }

  simple(data: Uint8Array, wireBytes = data.length): Buffer {
    return this.block(3, this.#u32(wireBytes), data);
  }

  /** The eight bytes of the option if_tsoffset. */
  int64(value: bigint): Buffer {
    const bytes = Buffer.alloc(8);
    if (this.#littleEndian) bytes.writeBigInt64LE(value);
    else bytes.writeBigInt64BE(value);
    return bytes;
  }
}

/** A UDP header without a checksum, and the payload. */
export function udp(payload: string | Uint8Array, options: { readonly length?: number; readonly port?: number } = {}) {
  const data = Buffer.from(payload as string);
  const header = [40_000, options.port ?? 8000, options.length ?? 8 + data.length, 0];
  return Buffer.concat([...header.map((value) => u16(value, false)), data]);
}

export interface IPv4Fields {
  readonly protocol?: number;
  readonly options?: Uint8Array;
  /** In bytes. */
  readonly offset?: number;
  readonly more?: boolean;
  readonly id?: number;
  readonly totalBytes?: number;
}

/** Makes an IPv4 packet from 192.0.2.1 to 192.0.2.2, with a header checksum of 0. */
export function ipv4(body: Uint8Array, fields: IPv4Fields = {}): Buffer {
  const { protocol = 17, options = Buffer.of(), offset = 0, more = false, id = 7 } = fields;
  const headerBytes = 20 + options.length;
  return Buffer.concat([
    Buffer.of(0x40 | (headerBytes / 4), 0),
    u16(fields.totalBytes ?? headerBytes + body.length, false),
    u16(id, false),
    u16((more ? 0x2000 : 0) | (offset / 8), false),
    Buffer.of(64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2),
    options,
    body,
  ]);
}

/** An IPv6 packet from 2001:db8::1 to 2001:db8::2. */
export function ipv6(body: Uint8Array, protocol = 17, payloadBytes = body.length): Buffer {
  return Buffer.concat([
    hex('60000000'),
    u16(payloadBytes, false),
    Buffer.of(protocol, 64),
    hex('20010db8 00000000 00000000 00000001 20010db8 00000000 00000000 00000002'),
    body,
  ]);
}

/** Makes an IPv6 extension header. Its size is a multiple of 8 bytes. */
export function extension(next: number, bytes = 8): Buffer {
  return Buffer.concat([Buffer.of(next, bytes / 8 - 1), Buffer.alloc(bytes - 2)]);
}

/** The fragment header of IPv6. */
export function fragmentHeader(next: number, { offset = 0, more = false, id = 7 } = {}): Buffer {
  return Buffer.concat([Buffer.of(next, 0), u16(offset | (more ? 1 : 0), false), u32(id, false)]);
}

/** An Ethernet frame of that type. */
export function ethernet(type: number, body: Uint8Array): Buffer {
  return Buffer.concat([hex('020000000001 020000000002'), u16(type, false), body]);
}

/** Makes a VLAN tag with the type of the next header. */
export function tag(type: number, body: Uint8Array): Buffer {
  return Buffer.concat([hex('0005'), u16(type, false), body]);
}
