import type { ChunkBuilder } from '../chunk-builder.js';
import { eachPayload } from '../payloads.js';
import { Header, type OutputFormat } from './format.js';

/** Writes payloads as `hexdump -C -v` does, below a line with time, addresses and size, unless `header` is false. */
export const dump: OutputFormat = {
  create: (options) =>
    options.header === false
      ? eachPayload(undefined, writeBareDump)
      : eachPayload(new Header(options, '\n').write, writeDump),
};

const NEWLINE = 0x0a;
const BYTES_A_LINE = 16;
const OFFSET_DIGITS = 8;
/** First column of the bytes. Each byte takes three columns, and a space separates the two halves of the line. */
const BYTES_COLUMN = 10;
/** First column of the printable characters. */
const GUTTER_COLUMN = 60;
const BAR = 0x7c;
/** A line without digits and characters. */
const BLANK_LINE = Buffer.alloc(GUTTER_COLUMN + BYTES_A_LINE + '||\n'.length, ' ');

/** Writes lines of an offset, two groups of eight bytes, and printable ASCII. The last line is the length. */
function writeDump(bytes: Uint8Array, from: number, to: number, chunk: ChunkBuilder): void {
  for (let at = from; at < to; at += BYTES_A_LINE) writeLine(bytes, from, at, to, chunk);
  if (to > from) writeOffset(to - from, chunk);
}

/** Writes a dump without a header. Without it, an empty datagram would leave no trace. */
function writeBareDump(bytes: Uint8Array, from: number, to: number, chunk: ChunkBuilder): void {
  writeDump(bytes, from, to, chunk);
  if (to === from) writeOffset(0, chunk);
}

/** Writes the line of the bytes from `at` on, of a payload from `from` to `to`. */
function writeLine(bytes: Uint8Array, from: number, at: number, to: number, chunk: ChunkBuilder): void {
  const line = chunk.begin(BLANK_LINE.length);
  const { buffer } = chunk;
  buffer.set(BLANK_LINE, line);
  writeHex(at - from, OFFSET_DIGITS, buffer, line);
  let column = line + BYTES_COLUMN;
  let gutter = line + GUTTER_COLUMN;
  buffer[gutter++] = BAR;
  const end = Math.min(to, at + BYTES_A_LINE);
  for (let nth = at; nth < end; nth += 1) {
    const byte = bytes[nth] as number;
    buffer[column] = hexDigit(byte >> 4);
    buffer[column + 1] = hexDigit(byte & 0xf);
    column += nth === at + BYTES_A_LINE / 2 - 1 ? 4 : 3;
    buffer[gutter++] = byte >= 0x20 && byte <= 0x7e ? byte : 0x2e;
  }
  buffer[gutter++] = BAR;
  buffer[gutter++] = NEWLINE;
  chunk.end(gutter);
}

function writeOffset(offset: number, chunk: ChunkBuilder): void {
  const at = chunk.begin(OFFSET_DIGITS);
  chunk.end(writeHex(offset, OFFSET_DIGITS, chunk.buffer, at));
  chunk.byte(NEWLINE);
}

/** Writes a whole number in hex with as many digits. Returns the offset behind it. */
function writeHex(value: number, digits: number, buffer: Uint8Array, at: number): number {
  for (let nth = 0; nth < digits; nth += 1) buffer[at + nth] = hexDigit((value >> (4 * (digits - 1 - nth))) & 0xf);
  return at + digits;
}

/** The ASCII code of a hex digit, 0 to 15. */
function hexDigit(value: number): number {
  return value + (value < 10 ? 0x30 : 0x57);
}
