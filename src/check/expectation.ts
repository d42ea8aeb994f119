import { decode, type Encoding, EncodingError, hexDigits } from '../text/encoding.js';
import { ValueError } from '../net/errors.js';
import { readSize } from '../text/size.js';

/** One condition that a reply must meet. */
export interface Expectation {
  /** Why a reply does not meet the condition, in words that follow "the reply"; undefined if it does. */
  mismatch(data: Uint8Array): string | undefined;
  /** The longest time that {@link mismatch} may take, in nanoseconds for each byte of the reply. Measured on a machine of 2025. */
  readonly worstNsPerByte: number;
}

/** The longest time of one step of RE2JS through its program. */
const REGEX_STEP_NS = 50;
/** The longest time to compare one byte with a pattern that has `??`. */
const MASKED_STEP_NS = 3;
/** The longest time of `Buffer.includes` for one byte of the reply and one of the pattern. */
const BYTES_STEP_NS = 0.2;

/**
 * The reply must contain these bytes.
 *
 * @param written the text of the user, as UTF-8. With the encoding `hex`, `??` is any byte.
 * @throws {EncodingError} if the text is not in this encoding
 */
export function expectContains(written: Uint8Array, encoding: Encoding): Expectation {
  const pattern = readPattern(written, encoding);
  const mismatch = `does not contain ${quote(show(written))}`;
  return {
    mismatch: (data) => (findPattern(data, pattern) ? undefined : mismatch),
    worstNsPerByte: pattern.length * (Buffer.isBuffer(pattern) ? BYTES_STEP_NS : MASKED_STEP_NS),
  };
}

/** The reply must be exactly these bytes. The parameters and errors are those of {@link expectContains}. */
export function expectExact(written: Uint8Array, encoding: Encoding): Expectation {
  const pattern = readPattern(written, encoding);
  const mismatch = `is not ${quote(show(written))}`;
  return {
    mismatch: (data) => (data.length === pattern.length && matchesAt(data, 0, pattern) ? undefined : mismatch),
    worstNsPerByte: MASKED_STEP_NS,
  };
}

/** The reply must have a size in this range. */
export function expectSize({ min = 0, max = Infinity }: SizeRange): Expectation {
  return {
    mismatch: ({ length }) => {
      if (length >= min && length <= max) return undefined;
      const wanted = min === max ? String(min) : `${min}..${max === Infinity ? '' : max}`;
      return `has ${length} bytes, not ${wanted}`;
    },
    worstNsPerByte: 0,
  };
}

/** A range of sizes in bytes. Both bounds are included. */
export interface SizeRange {
  /** Default: 0. */
  readonly min?: number;
  /** Default: no limit. */
  readonly max?: number;
}

/**
 * The reply must contain a match of a regular expression in RE2 syntax. The reply is read as UTF-8, with invalid bytes
 * replaced by U+FFFD. The search takes time in proportion to the size of the reply and to the size of the expression: with
 * thousands of repetitions, a reply of 65 kB may take seconds.
 *
 * @throws {EncodingError} if the expression is not valid
 */
export async function expectRegex(source: string): Promise<Expectation> {
  const { RE2JS } = await import('re2js');
  try {
    const regex = RE2JS.compile(source);
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    return {
      // A matcher of RE2JS also finds the place of the match, which takes up to 400 times as long.
      mismatch: (data) => (regex.test(decoder.decode(data)) ? undefined : `does not match ${quote(source)}`),
      worstNsPerByte: regex.programSize() * REGEX_STEP_NS,
    };
  } catch (error) {
    throw new EncodingError(error instanceof Error ? error.message : String(error));
  }
}

/** The bytes to find: a buffer, or a list in which undefined stands for any byte. */
type BytePattern = Buffer | readonly (number | undefined)[];

function readPattern(written: Uint8Array, encoding: Encoding): BytePattern {
  const text = show(written);
  return encoding === 'hex' && text.includes('?') ? parseMaskedHex(text) : asBuffer(decode(written, encoding));
}

function parseMaskedHex(text: string): BytePattern {
  const pairs: readonly string[] = hexDigits(text, true).match(/../g) ?? [];
  return pairs.map((pair) => (pair === '??' ? undefined : Number.parseInt(pair, 16)));
}

function findPattern(data: Uint8Array, pattern: BytePattern): boolean {
  if (Buffer.isBuffer(pattern)) return asBuffer(data).includes(pattern);
  for (let at = 0; at + pattern.length <= data.length; at += 1) {
    if (matchesAt(data, at, pattern)) return true;
  }
  return false;
}

function matchesAt(data: Uint8Array, at: number, pattern: BytePattern): boolean {
  for (let index = 0; index < pattern.length; index += 1) {
    const byte = pattern[index];
    if (byte !== undefined && byte !== data[at + index]) return false;
  }
  return true;
}

function show(written: Uint8Array): string {
  return asBuffer(written).toString('utf8');
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}

/** Reads a range of sizes: `5`, `5..`, `..9` or `5..9`. @throws {ValueError} for any other text */
export function parseSizeRange(text: string): SizeRange {
  const [, from = '', dots, to = ''] = /^([^.]*)(\.\.)?([^.]*)$/.exec(text) ?? [];
  const min = readSize(from);
  const max = dots === undefined ? min : readSize(to);
  const wellFormed =
    (from === '' || min !== undefined) && (to === '' || max !== undefined) && (from !== '' || to !== '');
  if (!wellFormed || (min !== undefined && max !== undefined && min > max)) {
    throw new ValueError('A size in bytes is 5, 5.., ..9 or 5..9.');
  }
  return { ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
}
