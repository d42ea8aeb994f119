import { isUtf8 } from 'node:buffer';
import { decodeBase64, EncodingError } from '../text/encoding.js';

/**
 * Reads the payload of a received datagram from a line of `udpcat -o json`. Returns undefined for an event, an empty
 * line, and a datagram that was sent.
 *
 * @param line One line without its newline.
 * @throws {EncodingError} if the line is no such JSON, or does not have exactly one valid payload
 */
export function decodeJsonLine(line: Uint8Array): Uint8Array | undefined {
  const fields = parseDatagramLine(line);
  return fields === undefined || fields.dir === 'out' ? undefined : decodePayload(fields);
}

/** The members of a JSON line. Only `v`, `type` and `dir` are checked. */
export interface Fields {
  readonly [name: string]: unknown;
}

/**
 * Reads a JSON line of type `datagram`, received or sent. Returns undefined for an empty line, and for other types.
 *
 * @param line One line without its newline.
 * @throws {EncodingError} if the line is no such JSON
 */
export function parseDatagramLine(line: Uint8Array): Fields | undefined {
  const text = decodeText(line);
  if (text.trim() === '') return undefined;
  const fields = parseObject(text);
  if (typeof fields.type !== 'string') throw new EncodingError('it has no "type", such as "datagram"');
  if (fields.v !== undefined && fields.v !== 1) throw new EncodingError('its "v" is not 1');
  if (fields.type !== 'datagram') return undefined;
  if (fields.dir !== undefined && fields.dir !== 'in' && fields.dir !== 'out') {
    throw new EncodingError('its "dir" is neither "in" nor "out"');
  }
  return fields;
}

function decodeText(line: Uint8Array): string {
  const bytes = Buffer.from(line.buffer, line.byteOffset, line.byteLength);
  if (!isUtf8(bytes)) throw new EncodingError('it is not valid UTF-8');
  return bytes.toString('utf8');
}

function parseObject(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new EncodingError('it is not valid JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new EncodingError('it is not a JSON object');
  }
  return value as Fields;
}

/**
 * Decodes the payload of a line of type `datagram`: its member `data` is text, `base64` is bytes.
 *
 * @throws {EncodingError} if the line does not have exactly one of them, or its value is not valid
 */
export function decodePayload({ data, base64 }: Fields): Uint8Array {
  if ((data === undefined) === (base64 === undefined)) {
    throw new EncodingError('a datagram has exactly one of "data" and "base64"');
  }
  const written = data ?? base64;
  if (typeof written !== 'string') {
    throw new EncodingError(`its "${data === undefined ? 'base64' : 'data'}" is not a string`);
  }
  if (data === undefined) return decodeBase64(written);
  if (/\p{Surrogate}/u.test(written))
    throw new EncodingError('its "data" has a lone surrogate, which is no valid text');
  return Buffer.from(written, 'utf8');
}
