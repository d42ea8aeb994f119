/** The part of the Basic Encoding Rules that SNMP uses: definite lengths, tags of one octet (X.690 section 8, RFC 3417 section 8). */
import { ByteReader } from './byte-reader.js';
import { MalformedReply } from './probe.js';

/** Identifier octets of the universal types (X.680 section 8.4). */
export const INTEGER = 0x02;
export const OCTET_STRING = 0x04;
export const NULL = 0x05;
export const OBJECT_IDENTIFIER = 0x06;
export const SEQUENCE = 0x30;

/** More octets than these make a length that no datagram has. */
const MAX_LENGTH_OCTETS = 4;
/** The most arcs of an object identifier, and the largest number that one may be (RFC 2578 section 3.5). */
export const MAX_ARCS = 128;
export const MAX_ARC = 0xffff_ffff;

/** One type, length and value. */
export interface Element {
  /** The identifier octet: class, primitive or constructed, number. */
  readonly tag: number;
  readonly content: Buffer;
}

/** Writes an element of the contents given, one after the other. */
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

/** Writes an integer of at most 32 bits with its sign. */
export function writeInteger(value: number): Buffer {
  const octets = Buffer.alloc(4);
  octets.writeInt32BE(value);
  let from = 0;
  while (from < 3 && isRedundant(octets.subarray(from))) from += 1;
  return writeElement(INTEGER, octets.subarray(from));
}

/** The content of an object identifier of at least two arcs, of which one writes the first two as one (X.690 section 8.19). */
export function encodeObjectIdentifier([first = 0, second = 0, ...rest]: readonly number[]): Buffer {
  return Buffer.from([first * 40 + second, ...rest].flatMap(septets));
}

/** A number in groups of seven bits, all but the last with the top bit set. */
function septets(value: number): number[] {
  const groups = [value % 0x80];
  for (let left = Math.floor(value / 0x80); left > 0; left = Math.floor(left / 0x80))
    groups.unshift(0x80 | (left % 0x80));
  return groups;
}

/** Reads the next element. @throws {MalformedReply} unless all of it is there */
function readElement(reader: ByteReader): Element {
  const tag = reader.u8();
  if ((tag & 0x1f) === 0x1f) throw new MalformedReply('a tag in it has more than one octet');
  return { tag, content: reader.bytes(readLength(reader)) };
}

/** A length may have more octets than it needs (RFC 3417 section 8). */
function readLength(reader: ByteReader): number {
  const first = reader.u8();
  if (first < 0x80) return first;
  const octets = first & 0x7f;
  if (octets === 0) throw new MalformedReply('a length in it is indefinite');
  if (octets > MAX_LENGTH_OCTETS) throw new MalformedReply(`a length in it has ${octets} octets`);
  return reader.bytes(octets).readUIntBE(0, octets);
}

/** Reads the element that fills the rest. @throws {MalformedReply} where there is none, or more than one */
export function readRest(reader: ByteReader): Element {
  const element = readElement(reader);
  if (reader.left > 0) throw new MalformedReply(`${reader.left} bytes are left over`);
  return element;
}

/** Reads the content of the next element, which has that tag. @throws {MalformedReply} */
export function readContent(reader: ByteReader, tag: number): Buffer {
  return contentOf(readElement(reader), tag);
}

/** Opens the element that fills the rest, and has that tag. @throws {MalformedReply} */
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

/** Reads an integer, which the protocol bounds to 32 bits with their sign. @throws {MalformedReply} */
export function readInteger(reader: ByteReader): number {
  return Number(decodeInteger(readContent(reader, INTEGER), -0x8000_0000n, 0x7fff_ffffn));
}

/** The value of an integer of whatever type, from `least` to `most`. @throws {MalformedReply} for any other */
export function decodeInteger(content: Buffer, least: bigint, most: bigint): bigint {
  // Nine hold all of 64 bits without a sign.
  if (content.length === 0 || content.length > 9)
    throw new MalformedReply(`an integer in it has ${content.length} octets`);
  if (isRedundant(content)) throw new MalformedReply('an integer in it has more octets than it needs');
  const value = BigInt.asIntN(8 * content.length, BigInt(`0x${content.toString('hex')}`));
  if (value < least || value > most) throw new MalformedReply(`an integer in it is not from ${least} to ${most}`);
  return value;
}

/** Whether the first octet only repeats the sign that the second has (X.690 section 8.3.2). */
function isRedundant(octets: Buffer): boolean {
  const [first = 0, second] = octets;
  return second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80));
}

/** The arcs of an object identifier. @throws {MalformedReply} */
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
