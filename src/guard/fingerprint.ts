import { crc32 } from 'node:zlib';
import type { Endpoint } from '../net/index.js';

/** Bytes that are hashed here; of more, those at either end, and a CRC of all, which costs less by far. */
const HASHED_BYTES = 512;
const END_BYTES = 64;

/** Odd numbers whose bits look random, as xxHash multiplies by. */
const PRIME1 = 0x9e3779b1;
const PRIME2 = 0x85ebca77;
const PRIME3 = 0xc2b2ae3d;

/**
 * 64 bits that stand for a peer, or for a datagram and its peer: others have the same by chance only, and nobody knows
 * which, as every process has its own. It is one object that is used again and again, because there is one for every datagram.
 *
 * A CRC alone would be the same for all datagrams that end in their own, as those of many protocols do.
 */
export class Fingerprint {
  readonly #seed = Math.floor(Math.random() * 0x1_0000_0000);
  #low = 0;
  #high = 0;
  /** The address that was hashed last: as a rule it is that of the next datagram, too. */
  #address = '';
  #addressLow = 0;
  #addressHigh = 0;

  /** Either half is a whole number of 32 bits with a sign. */
  get low(): number {
    return this.#low;
  }

  get high(): number {
    return this.#high;
  }

  /** Becomes that of a peer. */
  setPeer({ address, port }: Endpoint): void {
    if (address !== this.#address) this.#hashAddress(address);
    this.#low = this.#addressLow;
    this.#high = this.#addressHigh;
    this.#add(port);
  }

  /** Becomes that of a datagram from or to a peer. */
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

  /** As {@link #add} does with words of four bytes, and what is left one by one: in variables, as this is where the time goes. */
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
