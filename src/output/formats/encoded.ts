import { type OutputFormat, withMeta } from './format.js';

const NEWLINE = 0x0a;

/** Writes a line of hex digits for each datagram. */
export const hex: OutputFormat = encoded('hex');

/** Writes a line of base64 for each datagram. */
export const base64: OutputFormat = encoded('base64');

function encoded(encoding: 'hex' | 'base64'): OutputFormat {
  return {
    create: (options) =>
      withMeta((bytes, from, to, chunk) => {
        chunk.ascii(Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString(encoding));
        chunk.byte(NEWLINE);
      }, options),
  };
}
