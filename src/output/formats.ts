import { type Datagram, type Endpoint, formatEndpoint } from '../net/index.js';
import type { ChunkBuilder } from './chunk-builder.js';
import { escapePayload } from '../text/escape.js';
import { formatDatagram } from './json-lines.js';
import type { Palette } from './palette.js';
import { formatTime } from '../text/time.js';

/** How received datagrams are written to stdout. */
export type FormatName = 'utf8' | 'hex' | 'dump' | 'base64' | 'json' | 'raw' | 'none';

export const FORMAT_NAMES: readonly FormatName[] = ['utf8', 'hex', 'dump', 'base64', 'json', 'raw', 'none'];

/** Writes one datagram into a chunk. */
export type Format = (datagram: Datagram, chunk: ChunkBuilder) => void;

/** What a format depends on besides its name. */
export interface FormatOptions {
  /** Put time, addresses and size before each datagram of a text format. */
  readonly meta: boolean;
  /** Whether the output is a terminal, which must not be fed control characters. */
  readonly terminal: boolean;
  readonly palette: Palette;
  /** The bound address, shown where a datagram's own destination is not known. */
  readonly bound: Endpoint;
}

/** The format of that name, or undefined for `none`, which writes nothing. */
export function createFormat(name: FormatName, options: FormatOptions): Format | undefined {
  switch (name) {
    case 'none':
      return undefined;
    case 'raw':
      return ({ data }, chunk) => {
        chunk.bytes(data);
      };
    case 'json':
      return (datagram, chunk) => {
        chunk.text(formatDatagram(datagram, 'in', options.bound));
      };
    case 'dump':
      return (datagram, chunk) => {
        chunk.text(`${describe(datagram, options)}\n`);
        writeDump(datagram.data, chunk);
      };
    case 'utf8':
      return withMeta(options.terminal ? writeEscaped : writeText, options);
    case 'hex':
      return withMeta(writeHex, options);
    case 'base64':
      return withMeta(writeBase64, options);
  }
}

function withMeta(write: Format, options: FormatOptions): Format {
  if (!options.meta) return write;
  return (datagram, chunk) => {
    chunk.text(`${describe(datagram, options)}: `);
    write(datagram, chunk);
  };
}

function describe({ remote, local, data, timeMs }: Datagram, { bound, palette }: FormatOptions): string {
  const addresses = `${formatEndpoint(remote)} > ${formatEndpoint(local ?? bound)}`;
  return `${palette.dim(formatTime(timeMs))} ${palette.cyan(addresses)} ${data.length} ${data.length === 1 ? 'byte' : 'bytes'}`;
}

const NEWLINE = 0x0a;

function writeText({ data }: Datagram, chunk: ChunkBuilder): void {
  chunk.bytes(data);
  if (data[data.length - 1] !== NEWLINE) chunk.byte(NEWLINE);
}

function writeEscaped({ data }: Datagram, chunk: ChunkBuilder): void {
  const line = data[data.length - 1] === NEWLINE ? data.subarray(0, -1) : data;
  chunk.text(`${escapePayload(line)}\n`);
}

function writeHex({ data }: Datagram, chunk: ChunkBuilder): void {
  chunk.text(`${asBuffer(data).toString('hex')}\n`);
}

function writeBase64({ data }: Datagram, chunk: ChunkBuilder): void {
  chunk.text(`${asBuffer(data).toString('base64')}\n`);
}

function asBuffer(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

const BYTES_A_LINE = 16;
/** Where the bytes of a line begin, three columns each, with another space in the middle; then the gutter. */
const BYTES_COLUMN = 10;
const GUTTER_COLUMN = 60;
const HEX_DIGITS = Buffer.from('0123456789abcdef');
const [SPACE, DOT, BAR, TILDE] = [0x20, 0x2e, 0x7c, 0x7e];

/** The line being written, used again for each. */
const dumpLine = Buffer.alloc(GUTTER_COLUMN + BYTES_A_LINE + '||\n'.length);

/** As `hexdump -C -v`: offset, two groups of eight bytes, printable ASCII, and the length on a line of its own. */
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
