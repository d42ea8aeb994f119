import { isUtf8 } from 'node:buffer';
import { decodeBase64, EncodingError } from './encoding.js';

/**
 * The payload that one JSON line stands for, or undefined for a line that is no received datagram (an event, an empty
 * line, a datagram that was sent).
 *
 * @param line One line of `udpcat -o json`, without its newline.
 * @throws {EncodingError} If it is not such a line, or its payload is not given exactly once and exactly.
 */
export function decodeJsonLine(line: Uint8Array): Uint8Array | undefined {
  const text = decodeText(line);
  if (text.trim() === '') return undefined;
  const fields = parseObject(text);
  if (typeof fields.type !== 'string') throw new EncodingError('it has no "type", such as "datagram"');
  if (fields.v !== undefined && fields.v !== 1) throw new EncodingError('its "v" is not 1');
  if (fields.type !== 'datagram' || fields.dir === 'out') return undefined;
  if (fields.dir !== undefined && fields.dir !== 'in') throw new EncodingError('its "dir" is neither "in" nor "out"');
  return decodePayload(fields);
}

interface Fields {
  readonly [name: string]: unknown;
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

function decodePayload({ data, base64 }: Fields): Uint8Array {
  if ((data === undefined) === (base64 === undefined)) {
    throw new EncodingError('a datagram has exactly one of "data" and "base64"');
  }
  const written = data ?? base64;
  if (typeof written !== 'string') {
    throw new EncodingError(`its "${data === undefined ? 'base64' : 'data'}" is not a string`);
  }
  if (data === undefined) return decodeBase64(written);
  if (/\p{Surrogate}/u.test(written)) throw new EncodingError('its "data" has a lone surrogate, which is no text');
  return Buffer.from(written, 'utf8');
}
