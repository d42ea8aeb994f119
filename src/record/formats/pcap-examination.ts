import { pcapHeader } from './pcap-writer.js';
import { FILE_HEADER_BYTES, MAX_PACKET_BYTES, RECORD_HEADER_BYTES } from './pcap-format.js';
import type { Examination, FileView, Patch } from '../file-view.js';

/** The header of a record, and the first byte of its packet, which holds the version of IP. */
const BEGINNING_BYTES = RECORD_HEADER_BYTES + 1;
/** The largest IP and UDP headers that udpcat writes. */
const PACKET_HEADER_BYTES = 48;
const NANOSECONDS = 1_000_000_000;

/**
 * Finds how far a pcap file is whole.
 *
 * @param from A place where a record is known to begin, or 0.
 * @returns undefined if the file does not begin with the header that udpcat writes
 */
export async function examinePcap(view: FileView, from = 0): Promise<Examination | undefined> {
  const header = await view.read(0, FILE_HEADER_BYTES);
  if (!header.equals(pcapHeader().subarray(0, header.length))) return undefined;
  if (header.length < FILE_HEADER_BYTES) return { wholeBytes: 0, patches: [] };
  const patches: Patch[] = [];
  let at = Math.max(from, FILE_HEADER_BYTES);
  /** Where the last two records begin. */
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

/** Where the record ends that begins here; undefined if none does, or not all of it is there. */
async function endOfRecord(view: FileView, at: number): Promise<number | undefined> {
  if (!view.holds(at, BEGINNING_BYTES)) await view.load(at);
  const bytes = view.bytes(at, BEGINNING_BYTES);
  if (!isBeginning(bytes)) return undefined;
  const end = at + RECORD_HEADER_BYTES + bytes.readUInt32LE(8);
  return end <= view.size ? end : undefined;
}

/**
 * Whether a record of any packet of IP may begin so. Four bytes behind the beginning of a record, the fields that follow
 * could be the header of one, too; the version of IP tells them apart.
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

/** The bytes of a record, if udpcat writes records that begin so. */
function ownRecordBytes(bytes: Buffer): number | undefined {
  // By far the most places are none.
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
 * Finds the part of a record that a killed writer left, before whole records of another one.
 *
 * @param at Where no whole record begins.
 * @param previous Where the record before it begins. It may be the part: the length in its header then leads into the
 *   midst of another record.
 */
async function findPart(view: FileView, at: number, previous: number | undefined): Promise<Part | undefined> {
  if (previous !== undefined) {
    const within = await findOwnRecord(view, previous + 1, at);
    // A payload may hold records of pcap. They end where the payload ends, and are no records of this file.
    if (within !== undefined && !(await leadsTo(view, within, at))) return { from: previous, to: within };
  }
  const to = await findOwnRecord(view, at + 1, Math.min(view.size, at + RECORD_HEADER_BYTES + MAX_PACKET_BYTES));
  return to === undefined ? undefined : { from: at, to };
}

/** Where the first whole record of udpcat's own begins that another one, or the end of the file, follows. */
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

/** Whether one record after the other leads from one place to another. */
async function leadsTo(view: FileView, from: number, to: number): Promise<boolean> {
  let at: number | undefined = from;
  while (at !== undefined && at < to) at = await endOfRecord(view, at);
  return at === to;
}

/**
 * Makes a part a packet that was not captured to its end. A part shorter than a record's header becomes the end of the
 * record before it. @returns undefined if no record is before it
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
