import type { Datagram } from '../../net/index.js';
import { escapePayload } from '../../text/escape.js';
import type { ChunkBuilder } from '../chunk-builder.js';
import { type OutputFormat, withMeta } from './format.js';

/** Writes payloads as text, each with a newline at its end. On a terminal control characters are escaped. */
export const utf8: OutputFormat = {
  create: (options) => withMeta(options.terminal ? writeEscaped : writeText, options),
};

const NEWLINE = 0x0a;

function writeText({ data }: Datagram, chunk: ChunkBuilder): void {
  chunk.bytes(data);
  if (data[data.length - 1] !== NEWLINE) chunk.byte(NEWLINE);
}

function writeEscaped({ data }: Datagram, chunk: ChunkBuilder): void {
  const line = data[data.length - 1] === NEWLINE ? data.subarray(0, -1) : data;
  chunk.text(`${escapePayload(line)}\n`);
}
