import { isUtf8 } from 'node:buffer';
import { type Endpoint, formatEndpoint } from '../net/index.js';
import { writeNumber } from '../text/digits.js';
import { isUnsafe } from '../text/escape.js';
import { TIME_BYTES, writeTime } from '../text/time.js';
import type { ChunkBuilder } from './chunk-builder.js';
import { JSON_LINES_VERSION } from './json-lines.js';
import { PairTexts } from './pair-texts.js';
import { eachPayload, type Format, type HeadWriter } from './payloads.js';

/** The line before the time. */
const BEGIN = `{"v":${JSON_LINES_VERSION},"type":"datagram","time":"`;
const NO_NOTE = Buffer.alloc(0);
const DATA = Buffer.from(',"data":"');
const BASE64 = Buffer.from(',"base64":"');
const END = Buffer.from('"}\n');
/** The longest size of a payload in digits. */
const SIZE_DIGITS = 5;
/** The longest escape of one byte: `\u001f`. */
const ESCAPE_BYTES = 6;
const [EQUALS, BACKSLASH, U, DELETE] = [0x3d, 0x5c, 0x75, 0x7f];
/** `\u` as the upper half of a number of four bytes. */
const HEX_ESCAPE = (BACKSLASH << 24) | (U << 16);
/** The two hex digits of each byte, as a number of two bytes. {@link fillTables} sets them. */
const HEX_PAIRS = new Uint16Array(0x100);

/** The kind of a byte beyond ASCII. In valid UTF-8 it is written as it is. */
const BEYOND_ASCII = 0x80;
/** The kind of the first byte of characters beyond ASCII of which some are escaped: see `isUnsafe`. */
const SUSPICIOUS = 0x01;
const SUSPICIOUS_LEADS: ReadonlySet<number> = new Set([0xc2, 0xd8, 0xe2, 0xef]);
/**
 * The kind of each byte: 0 if it is written as it is, a kind from above, or the letter behind the backslash of its escape
 * (RFC 8259 section 7). {@link fillTables} sets them.
 */
const KINDS = new Uint8Array(0x100);
/** Base64 of more bytes is made by Node. For fewer, a loop is faster. */
const LONG_BYTES = 192;
const BASE64_DIGITS = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');

/** Fills `HEX_PAIRS` and `KINDS`. Only a run that writes JSON needs them, so they cost other runs no time at the start. */
function fillTables(): void {
  for (let byte = 0; byte < 0x100; byte += 1) {
    HEX_PAIRS[byte] = Buffer.from(byte.toString(16).padStart(2, '0')).readUInt16BE();
    KINDS[byte] = kindOf(byte);
  }
}

function kindOf(byte: number): number {
  if (byte >= 0x80) return SUSPICIOUS_LEADS.has(byte) ? SUSPICIOUS : BEYOND_ASCII;
  const short = '\b\t\n\f\r"\\'.indexOf(String.fromCharCode(byte));
  if (short >= 0) return 'btnfr"\\'.charCodeAt(short);
  return byte < 0x20 || byte === DELETE ? U : 0;
}

/**
 * Makes a format that writes each datagram as a line, newline included. The payload is the text `data` if it is valid UTF-8,
 * otherwise `base64`.
 *
 * @param dir `in` for received datagrams, `out` for sent ones
 * @param bound the address of the socket, which is the field `local` if the local address of a datagram is not known
 * @param known the local address of datagrams that do not have their own; default: it is not known
 */
export function jsonDatagrams(dir: 'in' | 'out', bound: Endpoint, known?: Endpoint): Format {
  if (HEX_PAIRS[0] === 0) fillTables();
  const [theirs, own] = dir === 'in' ? ['from', 'to'] : ['to', 'from'];
  const heads = new PairTexts((remote, local = known) => {
    const mine = local === undefined ? `"local":"${formatEndpoint(bound)}"` : `"${own}":"${formatEndpoint(local)}"`;
    return `${BEGIN}${' '.repeat(TIME_BYTES)}","dir":"${dir}","${theirs}":"${formatEndpoint(remote)}",${mine},"size":`;
  });
  const writeHead: HeadWriter = (item, size, chunk) => {
    const note = 'note' in item ? item.note : undefined;
    const head = heads.of(item.remote, item.local);
    const noted = note === undefined ? NO_NOTE : Buffer.from(`,${JSON.stringify(note).slice(1, -1)}`);
    const from = chunk.begin(head.length + SIZE_DIGITS + noted.length);
    const { buffer } = chunk;
    buffer.set(head, from);
    writeTime(item.timeMs, buffer, from + BEGIN.length);
    chunk.end(writeShort(noted, buffer, writeNumber(size, buffer, from + head.length)));
  };
  return eachPayload(writeHead, writePayload);
}

/** Writes the member of a payload, and the end of its line. */
function writePayload(bytes: Uint8Array, from: number, to: number, chunk: ChunkBuilder): void {
  const at = chunk.begin(BASE64.length + (to - from) * ESCAPE_BYTES + END.length);
  const { buffer } = chunk;
  let end = writeText(bytes, from, to, chunk, writeShort(DATA, buffer, at));
  if (end < 0) end = writeBase64(bytes, from, to, buffer, writeShort(BASE64, buffer, at));
  chunk.end(writeShort(END, buffer, end));
}

/** Writes UTF-8 as the content of a JSON string. Returns the offset behind it, or -1 if the bytes are no UTF-8. */
function writeText(bytes: Uint8Array, from: number, to: number, { buffer, view }: ChunkBuilder, at: number): number {
  let nth = from;
  let end = at;
  /** The bits of the kinds that are not written as they are. */
  let special = 0xff;
  while (nth < to) {
    // Four bytes at a time: nearly all payloads of text have few escapes, and one test for four bytes is faster.
    for (; nth + 4 <= to; nth += 4, end += 4) {
      const a = bytes[nth] as number;
      const b = bytes[nth + 1] as number;
      const c = bytes[nth + 2] as number;
      const d = bytes[nth + 3] as number;
      const kinds = (KINDS[a] as number) | (KINDS[b] as number) | (KINDS[c] as number) | (KINDS[d] as number);
      if ((kinds & special) !== 0) break;
      buffer[end] = a;
      buffer[end + 1] = b;
      buffer[end + 2] = c;
      buffer[end + 3] = d;
    }
    while (nth < to && ((KINDS[bytes[nth] as number] as number) & special) === 0) {
      buffer[end++] = bytes[nth++] as number;
    }
    // Bytes that are escaped often stand together.
    while (nth < to) {
      const byte = bytes[nth] as number;
      const kind = KINDS[byte] as number;
      if ((kind & special) === 0) break;
      if (byte < 0x80) {
        end = writeEscape(kind, byte, view, end);
        nth += 1;
      } else if ((special & BEYOND_ASCII) !== 0) {
        if (!isUtf8(bytes.subarray(from, to))) return -1;
        special &= ~BEYOND_ASCII;
      } else {
        const length = byte < 0xe0 ? 2 : 3;
        const code = codeAt(bytes, nth, length);
        if (isUnsafe(code)) end = writeHexEscape(code, view, end);
        else for (let copied = 0; copied < length; copied += 1) buffer[end++] = bytes[nth + copied] as number;
        nth += length;
      }
    }
  }
  return end;
}

/** Writes the escape of an ASCII character. Returns the offset behind it. @param letter stands behind the backslash */
function writeEscape(letter: number, code: number, view: DataView, at: number): number {
  if (letter === U) return writeHexEscape(code, view, at);
  view.setUint16(at, (BACKSLASH << 8) | letter);
  return at + 2;
}

/** Writes a character of the first plane as an escape of four digits. Returns the offset behind it. */
function writeHexEscape(code: number, view: DataView, at: number): number {
  view.setUint32(at, HEX_ESCAPE | (HEX_PAIRS[code >> 8] as number));
  view.setUint16(at + 4, HEX_PAIRS[code & 0xff] as number);
  return at + 6;
}

/** Returns the code of a character of two or three bytes of valid UTF-8 (RFC 3629 section 3). */
function codeAt(bytes: Uint8Array, at: number, length: 2 | 3): number {
  const lead = bytes[at] as number;
  const last = (bytes[at + length - 1] as number) & 0x3f;
  return length === 2
    ? ((lead & 0x1f) << 6) | last
    : ((lead & 0x0f) << 12) | (((bytes[at + 1] as number) & 0x3f) << 6) | last;
}

/** Writes bytes as base64 with padding (RFC 4648 section 4). Returns the offset behind it. */
function writeBase64(bytes: Uint8Array, from: number, to: number, buffer: Buffer, at: number): number {
  if (to - from > LONG_BYTES) {
    const data = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from);
    return at + buffer.write(data.toString('base64'), at, 'latin1');
  }
  let end = at;
  for (let nth = from; nth < to; nth += 3, end += 4) {
    // Bytes behind the last one count as 0.
    const second = nth + 1 < to ? (bytes[nth + 1] as number) : 0;
    const third = nth + 2 < to ? (bytes[nth + 2] as number) : 0;
    const value = ((bytes[nth] as number) << 16) | (second << 8) | third;
    buffer[end] = BASE64_DIGITS[value >> 18] as number;
    buffer[end + 1] = BASE64_DIGITS[(value >> 12) & 0x3f] as number;
    buffer[end + 2] = BASE64_DIGITS[(value >> 6) & 0x3f] as number;
    buffer[end + 3] = BASE64_DIGITS[value & 0x3f] as number;
  }
  const rest = (to - from) % 3;
  if (rest > 0) buffer[end - 1] = EQUALS;
  if (rest === 1) buffer[end - 2] = EQUALS;
  return end;
}

/** Writes a few bytes: a loop is faster than `set` then. Returns the offset behind them. */
function writeShort(bytes: Uint8Array, buffer: Uint8Array, at: number): number {
  const { length } = bytes;
  for (let nth = 0; nth < length; nth += 1) buffer[at + nth] = bytes[nth] as number;
  return at + length;
}
