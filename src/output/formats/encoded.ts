import { type OutputFormat, withMeta } from './format.js';

/** Writes a line of hex digits for each datagram. */
const NEWLINE = 0x0a;

export const hex: OutputFormat = encoded('hex');

/** Writes a line of base64 for each datagram. */
export const base64: OutputFormat = encoded('base64');

function encoded(encoding: 'hex' | 'base64'): OutputFormat {
  return {
    create: (options) =>
      withMeta(({ data }, chunk) => {
        chunk.ascii(asBuffer(data).toString(encoding));
        chunk.byte(NEWLINE);
      }, options),
  };
}

function asBuffer(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
