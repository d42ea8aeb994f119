import { pcapHeader } from './pcap-writer.js';
import { FILE_HEADER_BYTES, MAX_PACKET_BYTES, RECORD_HEADER_BYTES } from './pcap-format.js';
import type { Examination, FileView, Patch } from '../file-view.js';

/** Bytes of a record's header and of the first byte of its packet, which has the version of IP. */
const BEGINNING_BYTES = RECORD_HEADER_BYTES + 1;
/** Bytes of the IPv6 and UDP headers, the largest that udpcat writes. */
const PACKET_HEADER_BYTES = 48;
const NANOSECONDS = 1_000_000_000;

/**
 * Examines which part of a pcap file is whole records.
 *
 * @param from Offset at which a record is known to begin, or 0.
 * @returns undefined if the file does not begin with the header that udpcat writes
 */
export async function examinePcap(view: FileView, from = 0): Promise<Examination | undefined> {
  const header = await view.read(0, FILE_HEADER_BYTES);
  if (!header.equals(pcapHeader().subarray(0, header.length))) return undefined;
  if (header.length < FILE_HEADER_BYTES) return { wholeBytes: 0, patches: [] };
  const patches: Patch[] = [];
  let at = Math.max(from, FILE_HEADER_BYTES);
  // The offsets of the last two records.
  let previous: number | undefined;
  let beforePrevious: number | undefined;
  while (at < view.size) {
    const end = await endOfRecord(view, at);
    if (end !== undefined) {
      [previous, beforePrevious] = [at, previous];
      at = end;
      continue;
    }
    const part = await findPart(view, at, previous);
    if (part === undefined) {
      const isOnePart = view.size - at <= RECORD_HEADER_BYTES + MAX_PACKET_BYTES;
      return { wholeBytes: at, patches, ...(!isOnePart && { brokenAt: at }) };
    }
    const patch = await closePart(view, part, part.from === previous ? beforePrevious : previous);
    if (patch === undefined) return { wholeBytes: at, patches, brokenAt: part.from };
    patches.push(patch);
    [previous, beforePrevious] = [undefined, undefined];
    at = part.to;
  }
  return { wholeBytes: at, patches };
}

/** Returns the end of the record at an offset. Undefined if there is no record, or only part of one. */
async function endOfRecord(view: FileView, at: number): Promise<number | undefined> {
  if (!view.holds(at, BEGINNING_BYTES)) await view.load(at);
  const bytes = view.bytes(at, BEGINNING_BYTES);
  if (!isBeginning(bytes)) return undefined;
  const end = at + RECORD_HEADER_BYTES + bytes.readUInt32LE(8);
  return end <= view.size ? end : undefined;
}

/**
 * Whether these bytes may be the beginning of a record with an IP packet. The version of IP is checked, because the
 * bytes from the fifth of a record on can also look like a header.
 */
function isBeginning(bytes: Buffer): boolean {
  if (bytes.length < BEGINNING_BYTES) return false;
  const captured = bytes.readUInt32LE(8);
  const version = bytes.readUInt8(RECORD_HEADER_BYTES) >> 4;
  return (
    (version === 4 || version === 6) &&
    bytes.readUInt32LE(4) < NANOSECONDS &&
    captured > 0 &&
    captured <= MAX_PACKET_BYTES &&
    captured <= bytes.readUInt32LE(12)
  );
}

/** Returns the size of the record that begins with these bytes. Undefined if udpcat writes no such record. */
function ownRecordBytes(bytes: Buffer): number | undefined {
  // The cheapest check comes first: this runs for each byte of a broken part.
  const version = bytes.length > RECORD_HEADER_BYTES ? bytes[RECORD_HEADER_BYTES] : undefined;
  if ((version !== 0x45 && version !== 0x60) || !isBeginning(bytes)) return undefined;
  const packet = bytes.subarray(RECORD_HEADER_BYTES);
  const packetBytes = bytes.readUInt32LE(8);
  const headerBytes = version === 0x45 ? 20 : 40;
  if (packetBytes !== bytes.readUInt32LE(12) || packet.length < headerBytes + 8) return undefined;
  const udpBytes = packetBytes - headerBytes;
  const isUdp =
    version === 0x45
      ? packet.readUInt16BE(2) === packetBytes && packet[9] === 17
      : packet.readUInt16BE(4) === udpBytes && packet[6] === 17;
  return isUdp && packet.readUInt16BE(headerBytes + 4) === udpBytes ? RECORD_HEADER_BYTES + packetBytes : undefined;
}

interface Part {
  readonly from: number;
  readonly to: number;
}

/**
 * Finds an incomplete record that a killed writer left in front of whole records of another writer.
 *
 * @param at Offset at which no whole record begins.
 * @param previous Offset of the record before. It can be the incomplete one: then the length in its header leads to
 *   `at`, into the middle of another record.
 */
async function findPart(view: FileView, at: number, previous: number | undefined): Promise<Part | undefined> {
  if (previous !== undefined) {
    const within = await findOwnRecord(view, previous + 1, at);
    // A datagram can carry records of pcap. If the records found here end exactly at `at`, they are such a payload.
    if (within !== undefined && !(await leadsTo(view, within, at))) return { from: previous, to: within };
  }
  const to = await findOwnRecord(view, at + 1, Math.min(view.size, at + RECORD_HEADER_BYTES + MAX_PACKET_BYTES));
  return to === undefined ? undefined : { from: at, to };
}

/** Finds the first whole record that udpcat wrote, with another record or the end of the file behind it. */
async function findOwnRecord(view: FileView, from: number, before: number): Promise<number | undefined> {
  const needed = RECORD_HEADER_BYTES + PACKET_HEADER_BYTES;
  for (let at = from; at < before; at += 1) {
    if (!view.holds(at, needed)) await view.load(at);
    const recordBytes = ownRecordBytes(view.bytes(at, needed));
    if (recordBytes === undefined || at + recordBytes > view.size) continue;
    const next = await view.read(at + recordBytes, BEGINNING_BYTES);
    if (next.length < BEGINNING_BYTES || isBeginning(next)) return at;
  }
  return undefined;
}

/** Whether records follow each other without a gap from one offset to another. */
async function leadsTo(view: FileView, from: number, to: number): Promise<boolean> {
  let at: number | undefined = from;
  while (at !== undefined && at < to) at = await endOfRecord(view, at);
  return at === to;
}

/**
 * Makes a patch that turns an incomplete record into a packet that the capture cut off. If not even the header of the
 * record is whole, the part is added to the record before it.
 *
 * @returns undefined if there is no record before it
 */
async function closePart(view: FileView, { from, to }: Part, before: number | undefined): Promise<Patch | undefined> {
  const start = to - from > RECORD_HEADER_BYTES ? from : before;
  if (start === undefined) return undefined;
  const bytes = Buffer.from(await view.read(start, RECORD_HEADER_BYTES));
  const captured = to - start - RECORD_HEADER_BYTES;
  bytes.writeUInt32LE(Math.min(bytes.readUInt32LE(4), NANOSECONDS - 1), 4);
  bytes.writeUInt32LE(captured, 8);
  bytes.writeUInt32LE(Math.max(captured, Math.min(bytes.readUInt32LE(12), MAX_PACKET_BYTES)), 12);
  return { at: start, bytes };
}
