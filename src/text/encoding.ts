/** The notation of a payload: as it is, in hex, in base64, or with backslash escapes. See {@link decode}. */
export type Encoding = 'utf8' | 'hex' | 'base64' | 'escaped';

export const ENCODINGS: readonly Encoding[] = ['utf8', 'hex', 'base64', 'escaped'];

/**
 * Thrown by {@link decode}. The message says what is wrong and what is accepted. It fits behind a colon: "the message
 * "a" is not hex: …".
 */
export class EncodingError extends Error {
  override readonly name = 'EncodingError';
}

/**
 * Returns the bytes of a payload that was written in an encoding.
 *
 * - `utf8`: the bytes unchanged, also if they are not valid UTF-8.
 * - `hex`: pairs of digits of either case. Blanks, `:`, `-` or `,` may stand between bytes, `0x` or `\x` before them.
 * - `base64`: RFC 4648 section 4. Padding may be left out; ASCII white space may stand anywhere.
 * - `escaped`: the escapes `\n \r \t \\ \0 \xNN`. Other bytes stay unchanged.
 *
 * @throws {EncodingError}
 */
export function decode(written: Uint8Array, encoding: Encoding): Uint8Array {
  switch (encoding) {
    case 'utf8':
      return written;
    case 'hex':
      return decodeHex(utf8(written));
    case 'base64':
      return decodeBase64(utf8(written));
    case 'escaped':
      return decodeEscaped(written);
  }
}

function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

// Not \s, which matches white space beyond ASCII too. A separator stands between two bytes only.
const HEX = /^[\t-\r ]*(?:(?:0x|\\x)?[\da-f]{2}[\t-\r ]*(?:[:,-](?=[\t-\r ]*[\da-f\\])[\t-\r ]*)?)*$/i;
/** Like {@link HEX}, but `??` may stand for a pair. */
const MASKED_HEX = /^[\t-\r ]*(?:(?:0x|\\x)?(?:[\da-f]{2}|\?\?)[\t-\r ]*(?:[:,-](?=[\t-\r ]*[\da-f\\?])[\t-\r ]*)?)*$/i;

function decodeHex(text: string): Uint8Array {
  return Buffer.from(hexDigits(text), 'hex');
}

/**
 * Returns the digits of bytes that were written in hex, two for each byte, without separators and prefixes.
 *
 * @param isMasked Whether `??` may stand for any byte.
 * @throws {EncodingError}
 */
export function hexDigits(text: string, isMasked = false): string {
  if ((isMasked ? MASKED_HEX : HEX).test(text)) return text.replace(/0x|\\x|[\t-\r :,-]/gi, '');
  const rest = text.replace(/0x|\\x/gi, '');
  const [bad] = /[^\da-f\t-\r :,-]/iu.exec(isMasked ? rest.replaceAll('?', '') : rest) ?? [];
  if (bad !== undefined) {
    throw new EncodingError(`${JSON.stringify(bad)} is not a hex digit; write pairs of digits, for example 0a ff`);
  }
  const masks = isMasked ? ', and ?? is any byte' : '';
  throw new EncodingError(`hex digits come in pairs, for example 0a ff${masks}`);
}

function withoutSpace(text: string): string {
  return text.replace(/[\t-\r ]+/g, '');
}

/**
 * Decodes base64 of RFC 4648 section 4. Refuses other characters. Refuses a last digit with surplus bits (section 3.5).
 *
 * @throws {EncodingError}
 */
export function decodeBase64(text: string): Uint8Array {
  const compact = withoutSpace(text);
  const digits = compact.replace(/={1,2}$/, '');
  const bytes = Buffer.from(digits, 'base64');
  const canonical = bytes.toString('base64');
  if (compact !== canonical && compact !== canonical.replace(/=+$/, '')) {
    throw new EncodingError('it is not base64 (A-Z a-z 0-9 + /, padded with = or not at all)');
  }
  return bytes;
}

const BACKSLASH = 0x5c;
const ESCAPES = new Map([
  ['n', 0x0a],
  ['r', 0x0d],
  ['t', 0x09],
  ['\\', BACKSLASH],
  ['0', 0x00],
]);

function decodeEscaped(written: Uint8Array): Uint8Array {
  const decoded = Buffer.allocUnsafe(written.length);
  let length = 0;
  for (let index = 0; index < written.length; index += 1) {
    let byte = written[index] ?? 0;
    if (byte === BACKSLASH) {
      const letter = String.fromCharCode(written[index + 1] ?? 0x20);
      const digits = String.fromCharCode(...written.subarray(index + 2, index + 4));
      const known = ESCAPES.get(letter);
      if (/^(0[0-7]|[1-7])/.test(letter + digits)) {
        throw noEscape(utf8(written.subarray(index + 1, index + 4)));
      } else if (known !== undefined) {
        byte = known;
        index += 1;
      } else if (letter === 'x' && /^[\da-f]{2}$/i.test(digits)) {
        byte = Number.parseInt(digits, 16);
        index += 3;
      } else {
        throw noEscape(utf8(written.subarray(index + 1, index + 5)));
      }
    }
    decoded[length] = byte;
    length += 1;
  }
  return decoded.subarray(0, length);
}

/** Escapes of C and of shells that are not accepted, and the same as `\xNN`. */
const REMEDIES: Readonly<Record<string, string>> = { a: '\\x07', b: '\\x08', e: '\\x1b', f: '\\x0c', v: '\\x0b' };

/** The error about a backslash that begins no escape. @param after the characters behind the backslash, at most four */
function noEscape(after: string): EncodingError {
  const [octal = ''] = /^[0-7]{1,3}/.exec(after) ?? [];
  const value = Number.parseInt(octal, 8);
  if (value <= 0xff) {
    const hex = `\\x${value.toString(16).padStart(2, '0')}`;
    return new EncodingError(`"\\${octal}" is octal, which is not accepted; write ${hex}`);
  }
  const [digit] = /^x([\da-f])/i.exec(after)?.slice(1) ?? [];
  const [character = ''] = after;
  const remedy = digit === undefined ? REMEDIES[character] : `\\x0${digit}`;
  const instead = remedy === undefined ? '' : `; write ${remedy}`;
  const escapes = 'the escapes are \\n \\r \\t \\\\ \\0 \\xNN';
  return new EncodingError(`"\\${character}" is not an escape; ${escapes}${instead}`);
}
