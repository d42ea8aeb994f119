import type { ChunkBuilder } from '../chunk-builder.js';
import { describe, type OutputFormat } from './format.js';

/** Writes payloads as `hexdump -C -v` does, below a line with time, addresses and size, unless `header` is false. */
export const dump: OutputFormat = {
  create: (options) => (datagram, chunk) => {
    const { header = true } = options;
    if (header) chunk.text(`${describe(datagram, options)}\n`);
    writeDump(datagram.data, chunk);
    // Without its header, an empty datagram would leave no trace.
    if (!header && datagram.data.length === 0) chunk.text(`${formatOffset(0)}\n`);
  },
};

const NEWLINE = 0x0a;
const BYTES_A_LINE = 16;
/** First column of the bytes. Each byte takes three columns, and a space separates the two halves of the line. */
const BYTES_COLUMN = 10;
/** First column of the printable characters. */
const GUTTER_COLUMN = 60;
const HEX_DIGITS = Buffer.from('0123456789abcdef');
const [SPACE, DOT, BAR, TILDE] = [0x20, 0x2e, 0x7c, 0x7e];

/** The current line. Its memory is reused for all lines. */
const dumpLine = Buffer.alloc(GUTTER_COLUMN + BYTES_A_LINE + '||\n'.length);

/** Writes lines of an offset, two groups of eight bytes, and printable ASCII. The last line is the length. */
function writeDump(data: Uint8Array, chunk: ChunkBuilder): void {
  for (let offset = 0; offset < data.length; offset += BYTES_A_LINE) {
    dumpLine.fill(SPACE);
    dumpLine.write(formatOffset(offset), 'latin1');
    let column = BYTES_COLUMN;
    let gutter = GUTTER_COLUMN;
    dumpLine[gutter++] = BAR;
    for (const byte of data.subarray(offset, offset + BYTES_A_LINE)) {
      dumpLine[column] = HEX_DIGITS[byte >> 4] ?? 0;
      dumpLine[column + 1] = HEX_DIGITS[byte & 0xf] ?? 0;
      column += gutter === GUTTER_COLUMN + BYTES_A_LINE / 2 ? 4 : 3;
      dumpLine[gutter++] = byte >= SPACE && byte <= TILDE ? byte : DOT;
    }
    dumpLine[gutter++] = BAR;
    dumpLine[gutter++] = NEWLINE;
    chunk.bytes(dumpLine.subarray(0, gutter));
  }
  if (data.length > 0) chunk.text(`${formatOffset(data.length)}\n`);
}

function formatOffset(offset: number): string {
  return offset.toString(16).padStart(8, '0');
}
