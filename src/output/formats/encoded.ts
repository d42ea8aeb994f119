import { writeHexByte } from '../../text/digits.js';
import type { ChunkBuilder } from '../chunk-builder.js';
import type { PayloadWriter } from '../payloads.js';
import { type OutputFormat, withMeta } from './format.js';

const NEWLINE = 0x0a;
/** Digits of more bytes are made by Node. For fewer, a loop is faster. */
const LONG_BYTES = 192;

/** Writes a line of hex digits for each datagram. */
export const hex: OutputFormat = { create: (options) => withMeta(writeHexLine, options) };

/** Writes a line of base64 for each datagram. */
export const base64: OutputFormat = { create: (options) => withMeta(encodedLine('base64'), options) };

const writeLongHexLine = encodedLine('hex');

function writeHexLine(bytes: Uint8Array, from: number, to: number, chunk: ChunkBuilder): void {
  const length = to - from;
  if (length > LONG_BYTES) {
    writeLongHexLine(bytes, from, to, chunk);
    return;
  }
  const at = chunk.extend(2 * length + 1);
  const { buffer } = chunk;
  for (let nth = 0; nth < length; nth += 1) writeHexByte(bytes[from + nth] as number, buffer, at + 2 * nth);
  buffer[at + 2 * length] = NEWLINE;
}

function encodedLine(encoding: 'hex' | 'base64'): PayloadWriter {
  return (bytes, from, to, chunk) => {
    chunk.ascii(Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString(encoding));
    chunk.byte(NEWLINE);
  };
}
