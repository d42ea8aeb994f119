/**
 * Characters that control a terminal or make text look like other text: C0 and C1 control characters, line and
 * paragraph separators, and marks that change the direction of writing (Unicode TR 36).
 */
// eslint-disable-next-line no-control-regex -- this pattern finds control characters
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f\ufeff]/g;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\0': '\\0' };

/**
 * Escapes the characters of text that could control a terminal: as `\n`, `\r`, `\t`, `\0`, or as `\xNN` for each byte
 * of their UTF-8. Before a digit, `\0` would look like an octal escape: there it is `\x00`.
 */
export function escapeText(text: string): string {
  return text.replace(UNSAFE, (character, offset: number) => {
    const isBeforeDigit = character === '\0' && /^[0-7]/.test(text.slice(offset + 1, offset + 2));
    const short = isBeforeDigit ? undefined : SHORT[character];
    return short ?? Array.from(Buffer.from(character), escapeByte).join('');
  });
}

/**
 * Writes bytes as UTF-8 text. Escapes characters like {@link escapeText}, and bytes that are not valid UTF-8 as `\xNN`.
 */
export function escapePayload(data: Uint8Array): string {
  let escaped = '';
  let from = 0;
  while (from < data.length) {
    const to = validPrefix(data, from);
    if (to > from) escaped += escapeText(utf8(data.subarray(from, to)));
    if (to < data.length) escaped += escapeByte(data[to] ?? 0);
    from = to + 1;
  }
  return escaped;
}

function escapeByte(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

/** Returns the offset where the well-formed UTF-8 (RFC 3629 section 4) that begins at `from` ends. */
function validPrefix(data: Uint8Array, from: number): number {
  let at = from;
  for (;;) {
    const length = sequenceLength(data, at);
    if (length === 0) return at;
    at += length;
  }
}

/** Returns the length in bytes of the well-formed UTF-8 character at an offset; 0 if there is none. */
function sequenceLength(data: Uint8Array, at: number): number {
  const lead = data[at];
  if (lead === undefined) return 0;
  if (lead < 0x80) return 1;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + length > data.length) return 0;
  for (let index = 1; index < length; index += 1) {
    if (((data[at + index] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  const second = data[at + 1] ?? 0;
  // Refuse overlong forms, surrogates, and characters beyond U+10FFFF.
  if (lead === 0xe0 && second < 0xa0) return 0;
  if (lead === 0xed && second > 0x9f) return 0;
  if (lead === 0xf0 && second < 0x90) return 0;
  if (lead === 0xf4 && second > 0x8f) return 0;
  return length;
}

/**
 * Escapes the characters of JSON that could control a terminal, as `\\uNNNN`, which means the same in JSON. Keeps
 * newlines between values.
 */
export function escapeJson(json: string): string {
  return json.replace(UNSAFE, (character) => {
    return character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** Whether {@link escapeJson} escapes a character beyond ASCII, as `UNSAFE` says. @param code the code of the character, from 0x80 */
export function isUnsafe(code: number): boolean {
  return (
    code <= 0x9f ||
    code === 0x061c ||
    code === 0x200e ||
    code === 0x200f ||
    (code >= 0x2028 && code <= 0x202e) ||
    (code >= 0x2066 && code <= 0x206f) ||
    code === 0xfeff
  );
}
