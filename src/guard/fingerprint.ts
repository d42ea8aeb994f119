import { crc32 } from 'node:zlib';
import type { Endpoint } from '../net/index.js';

/** A payload up to this size is hashed whole. Of a larger one both ends and a CRC of all bytes are, which is much faster. */
const HASHED_BYTES = 512;
const END_BYTES = 64;

/** Odd numbers whose bits look random. xxHash uses the same. */
const PRIME1 = 0x9e3779b1;
const PRIME2 = 0x85ebca77;
const PRIME3 = 0xc2b2ae3d;

/**
 * A hash of 64 bits, of a peer, or of a datagram and its peer. Each process uses another random seed, so that an attacker
 * cannot choose two datagrams with the same hash. The object is reused: a new one for each datagram would be slow.
 *
 * A CRC alone would not do: many protocols put a CRC at the end of a datagram, and the CRC over both is always the same.
 */
export class Fingerprint {
  readonly #seed = Math.floor(Math.random() * 0x1_0000_0000);
  #low = 0;
  #high = 0;
  /** The address that was hashed last, and its hash: the next datagram often comes from the same one. */
  #address = '';
  #addressLow = 0;
  #addressHigh = 0;

  /** The lower 32 bits, as a signed integer. */
  get low(): number {
    return this.#low;
  }

  /** The upper 32 bits, as a signed integer. */
  get high(): number {
    return this.#high;
  }

  /** Hashes a peer. */
  setPeer({ address, port }: Endpoint): void {
    if (address !== this.#address) this.#hashAddress(address);
    this.#low = this.#addressLow;
    this.#high = this.#addressHigh;
    this.#add(port);
  }

  /** Hashes a datagram together with the peer that it comes from or goes to. */
  setDatagram(peer: Endpoint, data: Uint8Array): void {
    this.setPeer(peer);
    const { length } = data;
    this.#add(length);
    if (length <= HASHED_BYTES) {
      this.#addBytes(data, 0, length);
    } else {
      this.#add(crc32(data));
      this.#addBytes(data, 0, END_BYTES);
      this.#addBytes(data, length - END_BYTES, length);
    }
  }

  /** Hashes as {@link setDatagram} does. The datagram stands in `run` from `from` to before `to`. */
  setPart(peer: Endpoint, run: DataView, from: number, to: number): void {
    this.setPeer(peer);
    this.#add(to - from);
    if (to - from <= HASHED_BYTES) {
      this.#addPart(run, from, to);
    } else {
      this.#add(crc32(new Uint8Array(run.buffer, run.byteOffset + from, to - from)));
      this.#addPart(run, from, from + END_BYTES);
      this.#addPart(run, to - END_BYTES, to);
    }
  }

  #hashAddress(address: string): void {
    this.#low = this.#seed;
    this.#high = ~this.#seed;
    for (let index = 0; index < address.length; index += 1) this.#add(address.charCodeAt(index));
    this.#address = address;
    this.#addressLow = this.#low;
    this.#addressHigh = this.#high;
  }

  #add(word: number): void {
    const low = Math.imul(this.#low ^ word, PRIME1);
    const high = Math.imul((this.#high + word) | 0, PRIME3);
    this.#low = (((low << 13) | (low >>> 19)) + PRIME2) | 0;
    this.#high = (high << 17) | (high >>> 15);
  }

  /** Hashes as {@link #addBytes} does. A `DataView` reads whole words, which is faster, but to make one takes time. */
  #addPart(view: DataView, from: number, to: number): void {
    let low = this.#low;
    let high = this.#high;
    let at = from;
    for (; at + 4 <= to; at += 4) {
      const word = view.getInt32(at, true);
      low = Math.imul(low ^ word, PRIME1);
      high = Math.imul((high + word) | 0, PRIME3);
      low = (((low << 13) | (low >>> 19)) + PRIME2) | 0;
      high = (high << 17) | (high >>> 15);
    }
    this.#low = low;
    this.#high = high;
    for (; at < to; at += 1) this.#add(view.getUint8(at));
  }

  /**
   * Hashes words of four bytes as {@link #add} does, then the remaining bytes one by one. The loop works on local variables:
   * it takes most of the time of a fingerprint, and fields are slower.
   */
  #addBytes(data: Uint8Array, from: number, to: number): void {
    let low = this.#low;
    let high = this.#high;
    let at = from;
    for (; at + 4 <= to; at += 4) {
      const word =
        (data[at] ?? 0) | ((data[at + 1] ?? 0) << 8) | ((data[at + 2] ?? 0) << 16) | ((data[at + 3] ?? 0) << 24);
      low = Math.imul(low ^ word, PRIME1);
      high = Math.imul((high + word) | 0, PRIME3);
      low = (((low << 13) | (low >>> 19)) + PRIME2) | 0;
      high = (high << 17) | (high >>> 15);
    }
    this.#low = low;
    this.#high = high;
    for (; at < to; at += 1) this.#add(data[at] ?? 0);
  }
}
