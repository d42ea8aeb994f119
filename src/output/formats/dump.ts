import { writeHexByte } from '../../text/digits.js';
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

const [NEWLINE, SPACE, DOT, BAR] = [0x0a, 0x20, 0x2e, 0x7c];
const BYTES_A_LINE = 16;
const OFFSET_DIGITS = 8;
/** Columns between the first digit of the bytes and the bar. Each byte takes three, and one more separates the halves. */
const BYTES_COLUMNS = 3 * BYTES_A_LINE + 2;
/** The longest line: offset, two spaces, bytes, two bars with a character for each byte between them, and the newline. */
const LINE_BYTES = OFFSET_DIGITS + 2 + BYTES_COLUMNS + 2 + BYTES_A_LINE + 1;

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
  const line = chunk.begin(LINE_BYTES);
  const { buffer } = chunk;
  let column = writeHex(at - from, buffer, line);
  buffer[column++] = SPACE;
  buffer[column++] = SPACE;
  const bar = column + BYTES_COLUMNS;
  const end = Math.min(to, at + BYTES_A_LINE);
  const half = at + BYTES_A_LINE / 2 - 1;
  let gutter = bar;
  buffer[gutter++] = BAR;
  for (let nth = at; nth < end; nth += 1) {
    const byte = bytes[nth] as number;
    writeHexByte(byte, buffer, column);
    buffer[column + 2] = SPACE;
    column += 3;
    if (nth === half) buffer[column++] = SPACE;
    buffer[gutter++] = byte >= 0x20 && byte <= 0x7e ? byte : DOT;
  }
  while (column < bar) buffer[column++] = SPACE;
  buffer[gutter++] = BAR;
  buffer[gutter++] = NEWLINE;
  chunk.end(gutter);
}

function writeOffset(offset: number, chunk: ChunkBuilder): void {
  const at = chunk.begin(OFFSET_DIGITS);
  chunk.end(writeHex(offset, chunk.buffer, at));
  chunk.byte(NEWLINE);
}

/** Writes an offset as eight hex digits. Returns the place behind them. */
function writeHex(offset: number, buffer: Uint8Array, at: number): number {
  for (let nth = 0; nth < OFFSET_DIGITS / 2; nth += 1) {
    writeHexByte((offset >> (8 * (OFFSET_DIGITS / 2 - 1 - nth))) & 0xff, buffer, at + 2 * nth);
  }
  return at + OFFSET_DIGITS;
}
