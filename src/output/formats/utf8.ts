import { escapePayload } from '../../text/escape.js';
import type { ChunkBuilder } from '../chunk-builder.js';
import { type OutputFormat, withMeta } from './format.js';

/** Writes payloads as text, each with a newline at its end. On a terminal control characters are escaped. */
export const utf8: OutputFormat = {
  create: (options) => withMeta(options.terminal ? writeEscaped : writeText, options),
};

const NEWLINE = 0x0a;

function writeText(bytes: Uint8Array, from: number, to: number, chunk: ChunkBuilder): void {
  chunk.bytes(bytes.subarray(from, to));
  if (to === from || bytes[to - 1] !== NEWLINE) chunk.byte(NEWLINE);
}

function writeEscaped(bytes: Uint8Array, from: number, to: number, chunk: ChunkBuilder): void {
  const end = to > from && bytes[to - 1] === NEWLINE ? to - 1 : to;
  chunk.text(`${escapePayload(bytes.subarray(from, end))}\n`);
}
