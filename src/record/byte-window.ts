import { uint16In, uint32In } from './byte-order.js';

const LEAST_BYTES = 64 * 1024;

/**
 * The part of a byte stream that has arrived and is not taken yet. What was taken is never overwritten, so that payloads
 * may be views of it.
 */
export class ByteWindow {
  #bytes: Uint8Array = new Uint8Array();
  #from = 0;
  #to = 0;
  /** Bytes to be dropped as they arrive. */
  #toSkip = 0;
  #offset = 0;

  /** Bytes that are here. */
  get available(): number {
    return this.#to - this.#from;
  }

  /** Of the first byte here, in the whole stream. */
  get offset(): number {
    return this.#offset;
  }

  /** Whether bytes that were to be skipped have not come yet. */
  get isSkipping(): boolean {
    return this.#toSkip > 0;
  }

  /** Adds a chunk, which must not change any more. */
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

  /** The number at `at`, counted from the first byte here, which must be here. */
  uint16(at: number, littleEndian: boolean): number {
    return uint16In(this.#bytes, this.#from + at, littleEndian);
  }

  uint32(at: number, littleEndian: boolean): number {
    return uint32In(this.#bytes, this.#from + at, littleEndian);
  }

  /** Where the byte is, counted from the first byte here, and looked for from `from`; -1 if it is not here. */
  indexOf(byte: number, from: number): number {
    const at = this.#bytes.subarray(0, this.#to).indexOf(byte, this.#from + from);
    return at < 0 ? -1 : at - this.#from;
  }

  /** The next bytes, as many of them as are here; they stay. */
  peek(length: number): Uint8Array {
    return this.#bytes.subarray(this.#from, Math.min(this.#from + length, this.#to));
  }

  /** The next bytes, all of which must be here. */
  take(length: number): Uint8Array {
    const taken = this.peek(length);
    this.#from += length;
    this.#offset += length;
    return taken;
  }

  /** Drops the next bytes, those too that have not arrived. */
  skip(length: number): void {
    const here = Math.min(length, this.available);
    this.take(here);
    this.#toSkip = length - here;
  }
}
