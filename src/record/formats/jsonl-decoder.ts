import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { EncodingError } from '../../text/encoding.js';
import { decodePayload, type Fields, parseDatagramLine } from '../../input/json-datagram.js';
import { type Endpoint, familyOf, MAX_PAYLOAD_BYTES } from '../../net/index.js';
import type { ByteWindow } from '../byte-window.js';
import { CaptureError } from '../capture-error.js';
import type { CapturedDatagram } from '../captured-datagram.js';
import { type Decoder, isTime } from './decoder.js';

const NEWLINE = 0x0a;
/**
 * The maximum number of bytes of a line: more than the largest datagram needs, and so few that a file without newlines
 * is no danger.
 */
const MAX_LINE_BYTES = 1024 * 1024;

/**
 * Reads JSON lines, as `-o json` and `--record FILE.jsonl` write them. A line of type `datagram` must have a time and
 * both ends. Empty lines and lines of other types are skipped.
 */
export class JsonlDecoder implements Decoder {
  readonly #take: (datagram: CapturedDatagram) => void;
  #line = 1;
  /** Bytes of the window that were searched and hold no newline. */
  #searched = 0;

  constructor(take: (datagram: CapturedDatagram) => void) {
    this.#take = take;
  }

  /** Whether a file that begins with this byte may be JSON lines: `{` or white space. */
  static recognizes(start: number): boolean {
    return start === 0x7b || start === 0x20 || (start >= 0x09 && start <= 0x0d);
  }

  decode(window: ByteWindow): void {
    for (;;) {
      const length = window.indexOf(NEWLINE, this.#searched);
      this.#searched = length < 0 ? window.available : 0;
      if ((length < 0 ? window.available : length) > MAX_LINE_BYTES) {
        throw new CaptureError(window.offset, `it is longer than ${MAX_LINE_BYTES} bytes`, this.#line);
      }
      if (length < 0) return;
      this.#readLine(window, length);
      window.take(1);
    }
  }

  end(window: ByteWindow): void {
    if (window.available > 0) this.#readLine(window, window.available);
  }

  #readLine(window: ByteWindow, length: number): void {
    const { offset } = window;
    try {
      const datagram = decodeLine(window.take(length));
      if (datagram !== undefined) this.#take(datagram);
    } catch (error) {
      if (error instanceof EncodingError) throw new CaptureError(offset, error.message, this.#line);
      throw error;
    }
    this.#line += 1;
  }
}

/** Reads one line. Undefined if it is no datagram. @throws {EncodingError} if the line is broken */
function decodeLine(line: Uint8Array): CapturedDatagram | undefined {
  const fields = parseDatagramLine(line);
  if (fields === undefined) return undefined;
  const data = decodePayload(fields);
  if (fields.size !== undefined && fields.size !== data.length) {
    throw new EncodingError(`its "size" is not that of its payload, which has ${data.length} bytes`);
  }
  const isOut = fields.dir === 'out';
  const source = readEndpoint(fields, 'from', isOut);
  const destination = readEndpoint(fields, 'to', !isOut);
  const limitBytes = MAX_PAYLOAD_BYTES[familyOf(isOut ? destination.address : source.address)];
  if (data.length > limitBytes) throw new EncodingError(`it has ${data.length} bytes, and the limit is ${limitBytes}`);
  return { timeMs: readTime(fields.time), source, destination, data };
}

/** @param isOwn Whether udpcat recorded this end as its own. Then the bound address, `local`, can stand in for it. */
function readEndpoint(fields: Fields, name: 'from' | 'to', isOwn: boolean): Endpoint {
  const written = fields[name] ?? (isOwn ? fields.local : undefined);
  if (written === undefined) throw new EncodingError(`it has no "${name}"${isOwn ? ' and no "local"' : ''}`);
  const endpoint = typeof written === 'string' ? parseEndpoint(written) : undefined;
  if (endpoint === undefined) throw new EncodingError(`its "${name}" is not ADDRESS:PORT or [ADDRESS]:PORT`);
  return endpoint;
}

/** Reads an endpoint as formatEndpoint() writes it. Its zone may be an interface that this host does not have. */
function parseEndpoint(text: string): Endpoint | undefined {
  const [, inBrackets, plain = '', digits] = /^(?:\[([^\]]+)\]|([\d.]+)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) return undefined;
  if (inBrackets === undefined) return isIPv4(plain) ? { address: plain, port } : undefined;
  const [, bare = '', zone = ''] = /^([^%]*)(%[^\s%/]{1,15})?$/.exec(inBrackets) ?? [];
  if (!isIPv6(bare)) return undefined;
  const canonical = new SocketAddress({ address: bare, family: 'ipv6' }).address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(canonical)?.[1];
  return { address: mapped ?? `${canonical}${zone}`, port };
}

/** Reads a time of RFC 3339. Returns milliseconds since the epoch, to the microsecond. */
function readTime(written: unknown): number {
  const [, seconds, fraction = '', zone] =
    (typeof written === 'string'
      ? /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/i.exec(written)
      : null) ?? [];
  const timeMs = Date.parse(`${seconds ?? ''}${zone ?? ''}`) + Number(`0${fraction}`) * 1000;
  if (isTime(timeMs)) return timeMs;
  throw new EncodingError('its "time" is no time from 1970 to 2255, such as 2026-11-22T08:00:00.123456Z');
}
