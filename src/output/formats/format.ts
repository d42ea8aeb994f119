import { type Datagram, type Endpoint, formatEndpoint } from '../../net/index.js';
import { writeNumber } from '../../text/digits.js';
import { formatMs, formatTime, TIME_BYTES, writeTime } from '../../text/time.js';
import type { ChunkBuilder } from '../chunk-builder.js';
import type { DatagramNote } from '../json-lines.js';
import { PairTexts } from '../pair-texts.js';
import type { Palette } from '../palette.js';
import { eachPayload, type Format, type Item, type PayloadWriter } from '../payloads.js';

/** The digits of the largest size of a payload. */
const MOST_DIGITS = 5;

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
export function withMeta(write: PayloadWriter, options: FormatOptions): Format {
  const { meta, rttMs, palette } = options;
  if (meta) return eachPayload(new Header(options, ': ').write, write);
  if (rttMs === undefined) return eachPayload(undefined, write);
  return eachPayload((item, _size, chunk) => {
    const time = describeRtt(item, options);
    if (time !== '') chunk.text(`${palette.dim(time)}: `);
  }, write);
}

/** Writes the time, addresses, size and, if known, round-trip time of datagrams. */
export class Header {
  readonly #options: FormatOptions;
  /** Time, of which only the place is known, and addresses. */
  readonly #heads: PairTexts;
  /** The offset of the time in a head: the codes of its colour stand before it. */
  readonly #timeAt: number;
  readonly #end: string;

  /** @param end ASCII that stands behind each header */
  constructor(options: FormatOptions, end: string) {
    this.#options = options;
    this.#end = end;
    const { bound, palette } = options;
    const blanks = ' '.repeat(TIME_BYTES);
    const time = palette.dim(blanks);
    this.#timeAt = time.indexOf(blanks);
    this.#heads = new PairTexts((remote, local = bound) => {
      return `${time} ${palette.cyan(`${formatEndpoint(remote)} > ${formatEndpoint(local)}`)} `;
    });
  }

  /** Writes the header of a datagram, and the text behind all headers. */
  readonly write = (item: Item, size: number, chunk: ChunkBuilder): void => {
    const { remote, local, timeMs } = item;
    if ('note' in item && item.note !== undefined) this.#writeNoted(item, item.note, size, chunk);
    else {
      const head = this.#heads.of(remote, local);
      const at = chunk.begin(head.length + MOST_DIGITS);
      const { buffer } = chunk;
      buffer.set(head, at);
      writeTime(timeMs, buffer, at + this.#timeAt);
      chunk.end(writeNumber(size, buffer, at + head.length));
      chunk.ascii(size === 1 ? ' byte' : ' bytes');
      const rtt = describeRtt(item, this.#options);
      if (rtt !== '') chunk.ascii(`, ${rtt}`);
    }
    chunk.ascii(this.#end);
  };

  /** Writes the header of a datagram of a relay: the way and the session stand behind the time, the fate at the end. */
  #writeNoted(
    { remote, local, timeMs }: Item,
    { side, session, fate }: DatagramNote,
    size: number,
    chunk: ChunkBuilder,
  ): void {
    const { bound, palette } = this.#options;
    const begin = palette.dim(`${formatTime(timeMs)} ${side === 'client' ? 'up' : 'down'} ${session ?? '-'}`);
    const addresses = palette.cyan(`${formatEndpoint(remote)} > ${formatEndpoint(local ?? bound)}`);
    const unit = size === 1 ? 'byte' : 'bytes';
    chunk.text(`${begin} ${addresses} ${size} ${unit}${fate === undefined ? '' : `, ${palette.magenta(fate)}`}`);
  }
}

/** The round-trip time of a reply with its unit. Empty if it is not known. */
function describeRtt(item: Item, { rttMs }: FormatOptions): string {
  const ms = 'data' in item ? rttMs?.(item) : undefined;
  return ms === undefined ? '' : `${formatMs(ms)} ms`;
}
