/**
 * The part of the Basic Encoding Rules (BER) that SNMP uses: definite lengths, and tags of one octet (X.690 section 8,
 * RFC 3417 section 8).
 */
import { ByteReader } from './byte-reader.js';
import { MalformedReply } from './probe.js';

/** Identifier octets of the universal types (X.680 section 8.4). */
export const INTEGER = 0x02;
export const OCTET_STRING = 0x04;
export const NULL = 0x05;
export const OBJECT_IDENTIFIER = 0x06;
export const SEQUENCE = 0x30;

/** The maximum number of octets of a length. A longer one would be larger than any datagram. */
const MAX_LENGTH_OCTETS = 4;
/** The maximum number of arcs (numbers) of an object identifier (RFC 2578 section 3.5). */
export const MAX_ARCS = 128;
/** The largest arc of an object identifier (RFC 2578 section 3.5). */
export const MAX_ARC = 0xffff_ffff;

/** One element of type, length and value. */
export interface Element {
  /** The identifier octet: class, whether it is constructed, and number. */
  readonly tag: number;
  readonly content: Buffer;
}

/** Writes an element. Its content is the given parts, one after the other. */
export function writeElement(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag]), writeLength(content.length), content]);
}

function writeLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const octets = Buffer.alloc(MAX_LENGTH_OCTETS);
  octets.writeUInt32BE(length);
  return Buffer.concat([Buffer.from([0x80 | MAX_LENGTH_OCTETS]), octets]);
}

/** Writes a signed integer of 32 bits. */
export function writeInteger(value: number): Buffer {
  const octets = Buffer.alloc(4);
  octets.writeInt32BE(value);
  let from = 0;
  while (from < 3 && isRedundant(octets.subarray(from))) from += 1;
  return writeElement(INTEGER, octets.subarray(from));
}

/** Encodes an object identifier of at least two arcs. The first two become one number (X.690 section 8.19). */
export function encodeObjectIdentifier([first = 0, second = 0, ...rest]: readonly number[]): Buffer {
  return Buffer.from([first * 40 + second, ...rest].flatMap(septets));
}

/** Splits a number into octets of seven bits. All but the last octet have the top bit set. */
function septets(value: number): number[] {
  const groups = [value % 0x80];
  for (let left = Math.floor(value / 0x80); left > 0; left = Math.floor(left / 0x80))
    groups.unshift(0x80 | (left % 0x80));
  return groups;
}

/** Reads the next element. @throws {MalformedReply} if it is cut off */
function readElement(reader: ByteReader): Element {
  const tag = reader.u8();
  if ((tag & 0x1f) === 0x1f) throw new MalformedReply('a tag in it has more than one octet');
  return { tag, content: reader.bytes(readLength(reader)) };
}

/** Reads a length. It may have more octets than it needs (RFC 3417 section 8). */
function readLength(reader: ByteReader): number {
  const first = reader.u8();
  if (first < 0x80) return first;
  const octets = first & 0x7f;
  if (octets === 0) throw new MalformedReply('a length in it is indefinite');
  if (octets > MAX_LENGTH_OCTETS) throw new MalformedReply(`a length in it has ${octets} octets`);
  return reader.bytes(octets).readUIntBE(0, octets);
}

/** Reads the last element. @throws {MalformedReply} if there is no element, or bytes follow it */
export function readRest(reader: ByteReader): Element {
  const element = readElement(reader);
  if (reader.left > 0) throw new MalformedReply(`${reader.left} bytes are left over`);
  return element;
}

/** Reads the content of the next element. @throws {MalformedReply} if it has another tag */
export function readContent(reader: ByteReader, tag: number): Buffer {
  return contentOf(readElement(reader), tag);
}

/**
 * Returns a reader of the content of the last element.
 *
 * @throws {MalformedReply} if it has another tag, or bytes follow it
 */
export function openRest(reader: ByteReader, tag: number): ByteReader {
  return new ByteReader(contentOf(readRest(reader), tag));
}

function contentOf({ tag, content }: Element, expected: number): Buffer {
  if (tag !== expected) throw new MalformedReply(`the tag ${hex(tag)} stands where ${hex(expected)} belongs`);
  return content;
}

function hex(tag: number): string {
  return `0x${tag.toString(16).padStart(2, '0')}`;
}

/** Reads a signed integer of 32 bits. @throws {MalformedReply} if the element is none */
export function readInteger(reader: ByteReader): number {
  return Number(decodeInteger(readContent(reader, INTEGER), -0x8000_0000n, 0x7fff_ffffn));
}

/** Decodes an integer. @throws {MalformedReply} if it is not from `least` to `most` */
export function decodeInteger(content: Buffer, least: bigint, most: bigint): bigint {
  // Nine octets hold any unsigned integer of 64 bits.
  if (content.length === 0 || content.length > 9)
    throw new MalformedReply(`an integer in it has ${content.length} octets`);
  if (isRedundant(content)) throw new MalformedReply('an integer in it has more octets than it needs');
  const value = BigInt.asIntN(8 * content.length, BigInt(`0x${content.toString('hex')}`));
  if (value < least || value > most) throw new MalformedReply(`an integer in it is not from ${least} to ${most}`);
  return value;
}

/** Whether the first octet only repeats the sign bit of the second one (X.690 section 8.3.2). */
function isRedundant(octets: Buffer): boolean {
  const [first = 0, second] = octets;
  return second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80));
}

/** Decodes an object identifier to its arcs. @throws {MalformedReply} if it is none */
export function decodeObjectIdentifier(content: Buffer): number[] {
  const numbers: number[] = [];
  const reader = new ByteReader(content);
  do {
    numbers.push(readSeptets(reader));
    if (numbers.length >= MAX_ARCS)
      throw new MalformedReply(`an object identifier in it has more than ${MAX_ARCS} arcs`);
  } while (reader.left > 0);
  const [joined = 0, ...rest] = numbers;
  const first = Math.min(2, Math.floor(joined / 40));
  return [first, joined - first * 40, ...rest];
}

function readSeptets(reader: ByteReader): number {
  let octet = reader.u8();
  if (octet === 0x80) throw new MalformedReply('an arc in it has more octets than it needs');
  let value = octet & 0x7f;
  while (octet >= 0x80) {
    octet = reader.u8();
    value = value * 0x80 + (octet & 0x7f);
    if (value > MAX_ARC) throw new MalformedReply('an arc in it has more than 32 bits');
  }
  return value;
}
