import { type Datagram, type Endpoint, formatEndpoint } from '../../net/index.js';
import { formatMs, formatTime } from '../../text/time.js';
import type { ChunkBuilder } from '../chunk-builder.js';
import type { Palette } from '../palette.js';

/** Writes one datagram into a chunk. */
export type Format = (datagram: Datagram, chunk: ChunkBuilder) => void;

/** Options of all formats. */
export interface FormatOptions {
  /** Whether a text format writes time, addresses and size before each datagram. */
  readonly meta: boolean;
  /** Whether `dump` writes its header line. Default: it does. */
  readonly header?: boolean | undefined;
  /** Whether stdout is a terminal. Control characters are then escaped. */
  readonly terminal: boolean;
  readonly palette: Palette;
  /** The round-trip time of a reply, in milliseconds, which is written before it. Default: none is. */
  readonly rttMs?: ((datagram: Datagram) => number | undefined) | undefined;
  /** The bound address. It is shown if the datagram's own local address is not known. */
  readonly bound: Endpoint;
}

/** A format of stdout: a row of the table of formats. */
export interface OutputFormat {
  /** Makes a writer of datagrams. Undefined: the format writes nothing. */
  readonly create: ((options: FormatOptions) => Format) | undefined;
  /** Whether events are written between the datagrams. Default: false. */
  readonly hasEvents?: boolean;
  /**
   * Whether it writes the bytes of payloads as they are. They could harm a terminal, and do not end in a newline, so
   * there is no status line below. Default: false.
   */
  readonly isRaw?: boolean;
}

/**
 * Makes a format that writes time, addresses and size before each datagram if `options.meta` is set. Otherwise it writes the
 * round-trip time, if that is known.
 */
export function withMeta(write: Format, options: FormatOptions): Format {
  const { meta, rttMs, palette } = options;
  if (!meta && rttMs === undefined) return write;
  if (!meta) {
    return (datagram, chunk) => {
      const time = describeRtt(datagram, options);
      if (time !== '') chunk.text(`${palette.dim(time)}: `);
      write(datagram, chunk);
    };
  }
  return (datagram, chunk) => {
    chunk.text(`${describe(datagram, options)}: `);
    write(datagram, chunk);
  };
}

/** Returns the time, addresses, size and, if known, round-trip time of a datagram as one line, without a newline. */
export function describe(datagram: Datagram, options: FormatOptions): string {
  const { remote, local, data, timeMs } = datagram;
  const { bound, palette } = options;
  const rtt = describeRtt(datagram, options);
  const addresses = `${formatEndpoint(remote)} > ${formatEndpoint(local ?? bound)}`;
  return `${palette.dim(formatTime(timeMs))} ${palette.cyan(addresses)} ${data.length} ${data.length === 1 ? 'byte' : 'bytes'}${rtt === '' ? '' : `, ${rtt}`}`;
}

function describeRtt(datagram: Datagram, { rttMs }: FormatOptions): string {
  const ms = rttMs?.(datagram);
  return ms === undefined ? '' : `${formatMs(ms)} ms`;
}
