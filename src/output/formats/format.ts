import { type Datagram, type Endpoint, formatEndpoint } from '../../net/index.js';
import { formatTime } from '../../text/time.js';
import type { ChunkBuilder } from '../chunk-builder.js';
import type { Palette } from '../palette.js';

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

/** How datagrams are written to stdout: a row of the table. */
export interface OutputFormat {
  /** Undefined: it writes nothing. */
  readonly create: ((options: FormatOptions) => Format) | undefined;
  /** Whether events are written between the datagrams. Default: false. */
  readonly hasEvents?: boolean;
  /** Whether it writes payloads byte by byte: a terminal is not fed them, and no line of status stands below. Default: false. */
  readonly isRaw?: boolean;
}

/** A format that puts time, addresses and size before each datagram, if they are wanted. */
export function withMeta(write: Format, options: FormatOptions): Format {
  if (!options.meta) return write;
  return (datagram, chunk) => {
    chunk.text(`${describe(datagram, options)}: `);
    write(datagram, chunk);
  };
}

/** Time, addresses and size of a datagram. */
export function describe({ remote, local, data, timeMs }: Datagram, { bound, palette }: FormatOptions): string {
  const addresses = `${formatEndpoint(remote)} > ${formatEndpoint(local ?? bound)}`;
  return `${palette.dim(formatTime(timeMs))} ${palette.cyan(addresses)} ${data.length} ${data.length === 1 ? 'byte' : 'bytes'}`;
}
