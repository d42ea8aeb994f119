import { crc32 } from 'node:zlib';
import { generatePayload, HEADER_BYTES } from './payload.js';

/** Where the fields of the header begin. The checksum is at 0. */
export const RUN_OFFSET = 4;
export const SEQUENCE_OFFSET = 10;
/** Bytes of the number of the run, and of the sequence number. */
export const FIELD_BYTES = 6;
/** The numbers of runs and transmissions are below this. */
export const MAX_NUMBER = 2 ** 48;
/** A payload with at least this many bytes of the run's number in their place is one of the run, even if other bytes differ. */
export const LEAST_LIKENESS = 3;

/** The header of a generated payload, decoded. */
export interface PayloadHeader {
  /** The random number of the run that sent the payload. */
  readonly run: number;
  /** The number of the transmission in the run, from 0. */
  readonly sequence: number;
  /** Whether the checksum is right: no byte of the payload was changed, added or cut off. */
  readonly intact: boolean;
  /** CRC-32 of the bytes behind the header. */
  readonly patternCheck: number;
}

/**
 * Decodes the header of a payload. Undefined if the payload is shorter than a header.
 *
 * @param bytes memory in which the payload stands from `from` to before `to`. Default: all of it is the payload.
 */
export function readHeader(bytes: Uint8Array, from = 0, to = bytes.length): PayloadHeader | undefined {
  if (to - from < HEADER_BYTES) return undefined;
  const patternCheck = patternCheckOf(bytes, from + HEADER_BYTES, to);
  return {
    run: readField(bytes, from + RUN_OFFSET),
    sequence: readField(bytes, from + SEQUENCE_OFFSET),
    intact: readCheck(bytes, from) === checkOf(bytes, from + RUN_OFFSET, patternCheck),
    patternCheck,
  };
}

function readCheck(bytes: Uint8Array, at: number): number {
  return ((word(bytes, at) << 16) | word(bytes, at + 2)) >>> 0;
}

function readField(bytes: Uint8Array, at: number): number {
  return word(bytes, at) * 2 ** 32 + word(bytes, at + 2) * 2 ** 16 + word(bytes, at + 4);
}

/** A number of two bytes. */
function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/** The pattern of {@link generatePayload}, as long as the longest payload so far, and the CRC-32 of its beginnings by length. */
let pattern = Buffer.alloc(0);
const patternChecks = new Map<number, number>();

/** CRC-32 of the bytes behind a header. To compare them with the pattern is faster than to calculate. */
function patternCheckOf(bytes: Uint8Array, from: number, to: number): number {
  const buffer = asBuffer(bytes);
  const length = to - from;
  if (pattern.length < length) pattern = Buffer.from(generatePayload(Math.max(length, 2 * pattern.length)));
  if (buffer.compare(pattern, 0, length, from, to) !== 0) return crc32(buffer.subarray(from, to));
  let check = patternChecks.get(length);
  if (check === undefined) {
    check = crc32(pattern.subarray(0, length));
    patternChecks.set(length, check);
  }
  return check;
}

/** What CRC-32 makes of each byte. Made at the first use. */
const table = new Int32Array(256);

/**
 * Continues a CRC-32 with the numbers of a header: 12 bytes from `at` on. A call of zlib for so few bytes takes ten times as
 * long.
 */
export function checkOf(bytes: Uint8Array, at: number, patternCheck: number): number {
  if (table[1] === 0) fillTable();
  let check = ~patternCheck;
  for (let next = at; next < at + 2 * FIELD_BYTES; next += 1) {
    check = (check >>> 8) ^ (table[(check ^ (bytes[next] ?? 0)) & 0xff] ?? 0);
  }
  return ~check >>> 0;
}

function fillTable(): void {
  for (let byte = 0; byte < table.length; byte += 1) {
    let check = byte;
    for (let bit = 0; bit < 8; bit += 1) check = (check & 1) === 1 ? (check >>> 1) ^ 0xedb8_8320 : check >>> 1;
    table[byte] = check;
  }
}

/** How many of the six bytes of a run's number a payload has in their place. */
export function likenessTo(run: number, data: Uint8Array): number {
  let same = 0;
  let rest = run;
  for (let at = SEQUENCE_OFFSET - 1; at >= RUN_OFFSET; at -= 1) {
    if (data[at] === rest % 256) same += 1;
    rest = Math.floor(rest / 256);
  }
  return same;
}

/**
 * Finds the sequence number of a payload with wrong bytes. The checksum of the sender, if it is intact, fits one number only.
 *
 * @param data the first 16 bytes of the payload, or more; fewer if it was cut off, but at least 4
 * @param run the number of the run that sent it
 * @param patternCheck CRC-32 of the bytes behind the header, as the sender sent them
 * @param due the first number that is due next, and how many numbers from there on are tried after the one in the payload
 * @returns `certain` if the checksum fits the number. Otherwise the number in the payload: undefined if it was cut off.
 */
export function findSequence(
  data: Uint8Array,
  run: number,
  patternCheck: number,
  due: { readonly from: number; readonly count: number },
): { readonly sequence: number | undefined; readonly certain: boolean } {
  const written = data.length < HEADER_BYTES ? undefined : readField(data, SEQUENCE_OFFSET);
  const check = readCheck(data, 0);
  const numbers = Buffer.alloc(2 * FIELD_BYTES);
  numbers.writeUIntBE(run, 0, FIELD_BYTES);
  const fits = (sequence: number): boolean => {
    numbers.writeUIntBE(sequence, FIELD_BYTES, FIELD_BYTES);
    return checkOf(numbers, 0, patternCheck) === check;
  };
  if (written !== undefined && fits(written)) return { sequence: written, certain: true };
  const end = Math.min(due.from + due.count, MAX_NUMBER);
  for (let sequence = due.from; sequence < end; sequence += 1) {
    if (fits(sequence)) return { sequence, certain: true };
  }
  return { sequence: written, certain: false };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
