import { uint16In, uint32In } from './byte-order.js';

const LEAST_BYTES = 64 * 1024;

/**
 * Collects the chunks of a byte stream, so that a parser can wait for a whole record. Taken bytes are never
 * overwritten: payloads can be views of them.
 */
export class ByteWindow {
  #bytes: Uint8Array = new Uint8Array();
  #from = 0;
  #to = 0;
  /** Number of bytes to drop when they arrive. */
  #toSkip = 0;
  #offset = 0;

  /** Number of bytes that have arrived and are not taken. */
  get available(): number {
    return this.#to - this.#from;
  }

  /** Offset of the first byte of the window in the whole stream. */
  get offset(): number {
    return this.#offset;
  }

  /** Whether {@link skip} still waits for bytes that have not arrived. */
  get isSkipping(): boolean {
    return this.#toSkip > 0;
  }

  /** Adds a chunk at the end. Its bytes must not change any more. */
  push(chunk: Uint8Array): void {
    const skipped = Math.min(this.#toSkip, chunk.length);
    this.#toSkip -= skipped;
    this.#offset += skipped;
    const rest = chunk.subarray(skipped);
    if (this.available === 0) {
      this.#bytes = rest;
      this.#from = 0;
      this.#to = rest.length;
      return;
    }
    if (this.#to + rest.length > this.#bytes.length) this.#grow(this.available + rest.length);
    this.#bytes.set(rest, this.#to);
    this.#to += rest.length;
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafe(Math.max(LEAST_BYTES, 2 * needed));
    larger.set(this.#bytes.subarray(this.#from, this.#to));
    this.#to -= this.#from;
    this.#from = 0;
    this.#bytes = larger;
  }

  /** Reads a number of two bytes. @param at offset in the window; the bytes there must have arrived */
  uint16(at: number, littleEndian: boolean): number {
    return uint16In(this.#bytes, this.#from + at, littleEndian);
  }

  /** Reads a number of four bytes, as {@link uint16} does. */
  uint32(at: number, littleEndian: boolean): number {
    return uint32In(this.#bytes, this.#from + at, littleEndian);
  }

  /** Returns the offset of a byte in the window, from offset `from` on; -1 if it has not arrived. */
  indexOf(byte: number, from: number): number {
    const at = this.#bytes.subarray(0, this.#to).indexOf(byte, this.#from + from);
    return at < 0 ? -1 : at - this.#from;
  }

  /** Returns the next `length` bytes, or as many as have arrived, and does not take them. */
  peek(length: number): Uint8Array {
    return this.#bytes.subarray(this.#from, Math.min(this.#from + length, this.#to));
  }

  /** Takes the next bytes. All of them must have arrived. */
  take(length: number): Uint8Array {
    const taken = this.peek(length);
    this.#from += length;
    this.#offset += length;
    return taken;
  }

  /** Drops the next bytes, also those that have not arrived yet. */
  skip(length: number): void {
    const here = Math.min(length, this.available);
    this.take(here);
    this.#toSkip = length - here;
  }
}
