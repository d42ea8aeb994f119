import type { Datagram, Endpoint } from '../net/index.js';

/**
 * Returns the code unit that stands for a byte in a text of bytes. Bytes from 80 on are characters for private use, which are no
 * letters: in Latin-1 the byte e0 would be a letter, and `(?i)` would take c0 for the same one.
 */
export function charCodeOfByte(byte: number): number {
  return byte < 0x80 ? byte : 0xe000 + byte;
}

/** A received datagram, as rules look at it. Its text is decoded once for all rules, and only if a rule needs it. */
export class RuleRequest {
  readonly #datagram: Datagram;
  #text: string | undefined;
  #byteText: string | undefined;

  constructor(datagram: Datagram) {
    this.#datagram = datagram;
  }

  get data(): Uint8Array {
    return this.#datagram.data;
  }

  get remote(): Endpoint {
    return this.#datagram.remote;
  }

  get timeMs(): number {
    return this.#datagram.timeMs;
  }

  /** The payload read as UTF-8, with invalid bytes replaced by U+FFFD; a byte-order mark stays. */
  get text(): string {
    this.#text ??= new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.#datagram.data);
    return this.#text;
  }

  /** The payload as a text of bytes: one UTF-16 code unit for each byte, see {@link charCodeOfByte}. */
  get byteText(): string {
    this.#byteText ??= Buffer.from(Uint16Array.from(this.#datagram.data, charCodeOfByte).buffer).toString('utf16le');
    return this.#byteText;
  }
}
