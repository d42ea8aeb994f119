import { isUtf8 } from 'node:buffer';
import { MAX_PIECE_BYTES } from './framing.js';

/** A part of a line that does not change. */
class Part {
  readonly length: number;
  /** Its bytes in groups of four. */
  readonly #words: Int32Array;
  /** Its last four bytes, of which some stand in `#words`, too. */
  readonly #end: number;

  /** @param bytes at least four */
  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.length = bytes.length;
    this.#words = Int32Array.from({ length: this.length >> 2 }, (_, nth) => view.getInt32(4 * nth));
    this.#end = view.getInt32(this.length - 4);
  }

  static of(text: string): Part {
    return new Part(Buffer.from(text));
  }

  /** Returns the offset behind the part, which must stand at `at`; otherwise -1. Returns -1 for a negative `at`, too. */
  skip(view: DataView, at: number): number {
    const end = at + this.length;
    if (at < 0 || end > view.byteLength || view.getInt32(end - 4) !== this.#end) return -1;
    const words = this.#words;
    for (let nth = 0; nth < words.length; nth += 1) if (view.getInt32(at + 4 * nth) !== words[nth]) return -1;
    return end;
  }
}

/** The parts that are the same in all lines. Between them stand time, addresses, size and payload. */
const BEGIN = Part.of('{"v":1,"type":"datagram","time":"');
const FROM = Part.of('","dir":"in","from":"');
const TO = Part.of('","to":"');
const LOCAL = Part.of('","local":"');
const SIZE = Part.of('","size":');
const DATA = Part.of(',"data":"');
const BASE64 = Part.of(',"base64":"');
const [NEWLINE, QUOTE, CLOSING] = [0x0a, 0x22, 0x7d];

/** The most digits of the size of a payload. */
const SIZE_DIGITS = 5;
/** Size of the blocks from which payloads are cut. */
const BLOCK_BYTES = 65_536;
const [ZERO, EQUALS, BACKSLASH, U] = [0x30, 0x3d, 0x5c, 0x75];

/** A byte that stands for itself in a JSON string, and is ASCII. */
const ASCII = 3;
/** A byte of a character beyond ASCII. */
const BEYOND_ASCII = 1;
/** The kind of each byte in a JSON string. 0: it is no part of a string, or begins an escape or ends the string. */
const KINDS = Uint8Array.from({ length: 0x100 }, (_, byte) => {
  if (byte >= 0x80) return BEYOND_ASCII;
  return byte < 0x20 || byte === BACKSLASH || byte === 0x22 ? 0 : ASCII;
});

/** The byte for each letter behind a backslash, -1 for others (RFC 8259 section 7). */
const ESCAPES = tableOf('"\\/bfnrt', (nth) => '"\\/\b\f\n\r\t'.charCodeAt(nth));
const HEX_DIGITS = tableOf('0123456789abcdefABCDEF', (nth) => (nth < 16 ? nth : nth - 6));
const BASE64_DIGITS = tableOf('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/', (nth) => nth);

/** Makes a table of the values of some characters. The value of all other bytes is -1. */
function tableOf(characters: string, valueOf: (nth: number) => number): Int8Array {
  const table = new Int8Array(0x100).fill(-1);
  for (let nth = 0; nth < characters.length; nth += 1) table[characters.charCodeAt(nth)] = valueOf(nth);
  return table;
}

/**
 * Reads lines of received datagrams that stand exactly as `udpcat -o json` writes them. That is many times as fast as a parser of
 * JSON, and gives the same payloads.
 */
export class OwnLines {
  readonly #limitBytes: number;
  /** The memory of payloads, which is never overwritten, and how many bytes of it are used. */
  #block = new Uint8Array();
  #used = 0;
  #payload: Uint8Array = this.#block;
  #bytes: Uint8Array = this.#block;
  #view: DataView = new DataView(this.#block.buffer);
  /** What stood in the last line between its time and its size. Lines of one peer have it in common. */
  #addresses = SIZE;

  /** @param limitBytes Lines with a larger payload are not read. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** The payload of the line that was read last. */
  get payload(): Uint8Array {
    return this.#payload;
  }

  /**
   * Reads the line that begins at `from`. Returns the offset behind its newline, or -1 if the line stands in another way, or does
   * not end in `bytes`.
   */
  read(bytes: Uint8Array, from: number): number {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    const view = this.#view;
    const addressesAt = skipText(bytes, BEGIN.skip(view, from));
    let at = this.#addresses.skip(view, addressesAt);
    if (at < 0) at = this.#skipAddresses(bytes, addressesAt);
    const digitsAt = at;
    let size = 0;
    for (let digit = digitAt(bytes, at); digit >= 0; digit = digitAt(bytes, at)) {
      size = size * 10 + digit;
      at += 1;
    }
    const digits = at - digitsAt;
    // JSON has no number that begins with another zero.
    if (digits === 0 || digits > SIZE_DIGITS || (digits > 1 && bytes[digitsAt] === ZERO)) return -1;
    // Each byte of the payload takes at least one byte of the line.
    if (size > this.#limitBytes || size > bytes.length - at) return -1;
    if (size > this.#block.length - this.#used) {
      this.#block = new Uint8Array(Buffer.allocUnsafeSlow(Math.max(size, BLOCK_BYTES)).buffer);
      this.#used = 0;
    }
    const text = DATA.skip(view, at);
    at = text < 0 ? this.#readBase64(bytes, BASE64.skip(view, at), size) : this.#readText(bytes, text, size);
    if (at < 0 || bytes[at] !== QUOTE || bytes[at + 1] !== CLOSING || bytes[at + 2] !== NEWLINE) return -1;
    const end = at + 3;
    // A longer line is an error.
    if (end - from > MAX_PIECE_BYTES + 1) return -1;
    this.#payload = new Uint8Array(this.#block.buffer, this.#used, size);
    this.#used += size;
    return end;
  }

  /** Returns the offset of the size, for a line with other addresses than the last one; -1 if there is none. */
  #skipAddresses(bytes: Uint8Array, from: number): number {
    const view = this.#view;
    const local = skipText(bytes, FROM.skip(view, from));
    const to = TO.skip(view, local);
    const end = SIZE.skip(view, skipText(bytes, to < 0 ? LOCAL.skip(view, local) : to));
    if (end >= 0) this.#addresses = new Part(bytes.subarray(from, end));
    return end;
  }

  /** Decodes the text of a JSON string as `size` bytes. Returns the offset behind it, or -1. */
  #readText(bytes: Uint8Array, from: number, size: number): number {
    const block = this.#block;
    const end = this.#used + size;
    let at = from;
    let to = this.#used;
    let kinds = ASCII;
    while (to < end) {
      // Four bytes at a time: nearly all payloads of text have few escapes, and one test for four bytes is faster.
      for (; to + 4 <= end && at + 4 <= bytes.length; at += 4, to += 4) {
        const a = bytes[at] as number;
        const b = bytes[at + 1] as number;
        const c = bytes[at + 2] as number;
        const d = bytes[at + 3] as number;
        const common = (KINDS[a] as number) & (KINDS[b] as number) & (KINDS[c] as number) & (KINDS[d] as number);
        if (common === 0) break;
        kinds &= common;
        block[to] = a;
        block[to + 1] = b;
        block[to + 2] = c;
        block[to + 3] = d;
      }
      for (; to < end; at += 1) {
        const byte = bytes[at] as number;
        const kind = KINDS[byte] as number;
        if (!(kind > 0)) break;
        kinds &= kind;
        block[to++] = byte;
      }
      if (to === end) break;
      // Bytes that are escaped often stand together.
      do {
        const escaped = bytes[at] === BACKSLASH ? escapedAt(bytes, at + 1) : -1;
        if (escaped < 0) return -1;
        block[to++] = escaped;
        at += bytes[at + 1] === U ? 6 : 2;
      } while (to < end && bytes[at] === BACKSLASH);
    }
    return kinds === ASCII || isUtf8(block.subarray(this.#used, end)) ? at : -1;
  }

  /** Decodes base64 with padding (RFC 4648 section 4) as `size` bytes. Returns the offset behind it, or -1. */
  #readBase64(bytes: Uint8Array, from: number, size: number): number {
    const rest = size % 3;
    const end = from + Math.ceil(size / 3) * 4;
    if (from < 0 || end > bytes.length) return -1;
    const block = this.#block;
    const whole = rest === 0 ? end : end - 4;
    let at = from;
    let to = this.#used;
    for (; at < whole; at += 4, to += 3) {
      const value =
        (sextet(bytes, at) << 18) |
        (sextet(bytes, at + 1) << 12) |
        (sextet(bytes, at + 2) << 6) |
        sextet(bytes, at + 3);
      if (value < 0) return -1;
      block[to] = value >> 16;
      block[to + 1] = value >> 8;
      block[to + 2] = value;
    }
    if (rest === 0) return end;
    // The bits that are left over must be 0. So each payload has one spelling only.
    const third = rest === 1 ? (bytes[at + 2] === EQUALS ? 0 : -1) : sextet(bytes, at + 2);
    const value = (sextet(bytes, at) << 18) | (sextet(bytes, at + 1) << 12) | (third << 6);
    if (value < 0 || bytes[at + 3] !== EQUALS || (value & (rest === 1 ? 0xffff : 0xff)) !== 0) return -1;
    block[to] = value >> 16;
    if (rest === 2) block[to + 1] = value >> 8;
    return end;
  }
}

/** Returns the offset of the first byte, from `at` on, that is not ASCII of a string; -1 for a negative `at`. */
function skipText(bytes: Uint8Array, at: number): number {
  if (at < 0) return -1;
  let end = at;
  while (end < bytes.length && KINDS[bytes[end] as number] === ASCII) end += 1;
  return end;
}

/** The value of the digit at an offset; negative if there is none. */
function digitAt(bytes: Uint8Array, at: number): number {
  const digit = at < 0 || at >= bytes.length ? -1 : (bytes[at] as number) - ZERO;
  return digit > 9 ? -1 : digit;
}

/** The ASCII character of the escape whose letter stands at `at`; negative for another escape. */
function escapedAt(bytes: Uint8Array, at: number): number {
  const letter = bytes[at] as number;
  if (letter !== U) return ESCAPES[letter] ?? -1;
  if (at + 4 >= bytes.length || bytes[at + 1] !== ZERO || bytes[at + 2] !== ZERO) return -1;
  const code = ((HEX_DIGITS[bytes[at + 3] as number] as number) << 4) | (HEX_DIGITS[bytes[at + 4] as number] as number);
  return code < 0x80 ? code : -1;
}

/** The value of the digit of base64 at an offset; -1 if there is none. */
function sextet(bytes: Uint8Array, at: number): number {
  return BASE64_DIGITS[bytes[at] as number] as number;
}
