import { type OutputFormat, withMeta } from './format.js';

/** Writes a line of hex digits for each datagram. */
export const hex: OutputFormat = encoded('hex');

/** Writes a line of base64 for each datagram. */
export const base64: OutputFormat = encoded('base64');

function encoded(encoding: 'hex' | 'base64'): OutputFormat {
  return {
    create: (options) =>
      withMeta(({ data }, chunk) => {
        chunk.text(`${asBuffer(data).toString(encoding)}\n`);
      }, options),
  };
}

function asBuffer(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
