import { decode, type Encoding, EncodingError } from '../input/encoding.js';

/** One thing that a reply must be. */
export interface Expectation {
  /** Why a reply does not meet it, to follow "the reply …"; undefined if it does. */
  mismatch(data: Uint8Array): string | undefined;
}

/**
 * The reply must contain these bytes.
 *
 * @param written As the user wrote it; in hex, `??` is any byte.
 * @throws {EncodingError}
 */
export function expectContains(written: Uint8Array, encoding: Encoding): Expectation {
  const shown = show(written);
  const pattern = encoding === 'hex' ? parseHexPattern(show(written)) : asPattern(decode(written, encoding));
  return { mismatch: (data) => (findPattern(data, pattern) ? undefined : `does not contain ${quote(shown)}`) };
}

/** The reply must be exactly these bytes. Otherwise as {@link expectContains}. */
export function expectExact(written: Uint8Array, encoding: Encoding): Expectation {
  const shown = show(written);
  const pattern = encoding === 'hex' ? parseHexPattern(show(written)) : asPattern(decode(written, encoding));
  return {
    mismatch: (data) =>
      data.length === pattern.length && matchesAt(data, 0, pattern) ? undefined : `is not ${quote(shown)}`,
  };
}

/** The size of the reply in bytes; either bound may be missing. */
export function expectSize({ min = 0, max = Infinity }: SizeRange): Expectation {
  return {
    mismatch: ({ length }) => {
      if (length >= min && length <= max) return undefined;
      const wanted = min === max ? String(min) : `${min}..${max === Infinity ? '' : max}`;
      return `has ${length} bytes, not ${wanted}`;
    },
  };
}

/** Bounds of a size in bytes, both included. */
export interface SizeRange {
  readonly min?: number;
  readonly max?: number;
}

/**
 * The reply, read as UTF-8 with invalid bytes replaced, must contain a match. RE2 syntax, in time linear in the reply,
 * so that no reply can hold up the check.
 *
 * @throws {EncodingError} If it is no such expression.
 */
export async function expectRegex(source: string): Promise<Expectation> {
  const { RE2JS } = await import('re2js');
  try {
    const regex = RE2JS.compile(source);
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    return {
      mismatch: (data) => (regex.matcher(decoder.decode(data)).find() ? undefined : `does not match ${quote(source)}`),
    };
  } catch (error) {
    throw new EncodingError(error instanceof Error ? error.message : String(error));
  }
}

/** A byte, or undefined for any byte. */
type BytePattern = readonly (number | undefined)[];

function asPattern(bytes: Uint8Array): BytePattern {
  return Array.from(bytes);
}

/**
 * Reads hex with `??` for any byte, white space between pairs.
 *
 * @throws {EncodingError}
 */
export function parseHexPattern(text: string): BytePattern {
  const pairs = text.trim();
  if (!/^(([\da-f]{2}|\?\?)\s*)*$/i.test(pairs)) {
    throw new EncodingError('hex digits come in pairs, such as 0a ff, and ?? is any byte');
  }
  const found: readonly string[] = pairs.match(/[\da-f]{2}|\?\?/gi) ?? [];
  return found.map((pair) => (pair === '??' ? undefined : Number.parseInt(pair, 16)));
}

function findPattern(data: Uint8Array, pattern: BytePattern): boolean {
  const fixed = pattern.filter((byte) => byte !== undefined);
  if (fixed.length === pattern.length) {
    return Buffer.from(data.buffer, data.byteOffset, data.byteLength).includes(Buffer.from(fixed));
  }
  for (let at = 0; at + pattern.length <= data.length; at += 1) {
    if (matchesAt(data, at, pattern)) return true;
  }
  return false;
}

function matchesAt(data: Uint8Array, at: number, pattern: BytePattern): boolean {
  return pattern.every((byte, index) => byte === undefined || byte === data[at + index]);
}

function show(written: Uint8Array): string {
  return Buffer.from(written.buffer, written.byteOffset, written.byteLength).toString('utf8');
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}
