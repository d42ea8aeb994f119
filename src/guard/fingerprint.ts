import type { Endpoint, Run } from '../net/index.js';

/** Odd numbers whose bits look random. xxHash uses the same. */
const PRIME1 = 0x9e3779b1;
const PRIME2 = 0x85ebca77;
const PRIME3 = 0xc2b2ae3d;

/**
 * A hash of 64 bits, of a peer, or of a datagram and its peer. Each process uses another random seed, so that an attacker
 * cannot choose two datagrams with the same hash. The object is reused: a new one for each datagram would be slow.
 *
 * A CRC would not do: many protocols put a CRC at the end of a datagram, and the CRC over both is always the same.
 */
export class Fingerprint {
  readonly #seed = Math.floor(Math.random() * 0x1_0000_0000);
  #low = 0;
  #high = 0;
  /** The address that was hashed last, and its hash: the next datagram often comes from the same one. */
  #address = '';
  #addressLow = 0;
  #addressHigh = 0;
  /** A view of the memory of the last payload. The next payload often stands in the same memory, and to make a view takes time. */
  #view: DataView = new DataView(new ArrayBuffer(0));

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

  /**
   * Hashes a datagram together with the peer that it comes from or goes to.
   *
   * @param payloads memory in which the payload stands from `from` to before `to`. Default: all of it.
   */
  setDatagram(peer: Endpoint, payloads: Uint8Array, from = 0, to = payloads.length): void {
    this.setPeer(peer);
    this.#add(to - from);
    const { byteOffset } = payloads;
    this.#addBytes(this.#viewOf(payloads), byteOffset + from, byteOffset + to);
  }

  /**
   * Hashes each datagram of a run together with its peer: payloads of up to `wholeBytes` bytes as {@link setDatagram} does. Of a longer
   * payload it hashes a sketch: the length, the first 32 and the last 16 bytes. Equal datagrams have equal sketches.
   *
   * @param wholeBytes at least 48
   * @param hashes gets the lower and the upper 32 bits of each hash, one after another
   */
  hashRun({ remote, bytes, segmentBytes, count }: Run, wholeBytes: number, hashes: Int32Array): void {
    this.setPeer(remote);
    const [peerLow, peerHigh] = [this.#low, this.#high];
    const view = this.#viewOf(bytes);
    const end = bytes.byteOffset + bytes.length;
    for (let nth = 0, from = bytes.byteOffset; nth < count; nth += 1, from += segmentBytes) {
      const to = nth === count - 1 ? end : from + segmentBytes;
      this.#low = peerLow;
      this.#high = peerHigh;
      this.#add(to - from);
      if (to - from <= wholeBytes) this.#addBytes(view, from, to);
      else {
        this.#addBytes(view, from, from + 32);
        this.#addBytes(view, to - 16, to);
      }
      hashes[2 * nth] = this.#low;
      hashes[2 * nth + 1] = this.#high;
    }
  }

  #viewOf({ buffer }: Uint8Array): DataView {
    if (this.#view.buffer !== buffer) this.#view = new DataView(buffer);
    return this.#view;
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

  /**
   * Hashes four words of four bytes in each step, then the remaining ones by {@link #add}. The multiplications of a step do not
   * wait for each other, so a processor makes them at the same time. Each step can be undone: two payloads that differ in one
   * step only never have the same state after it.
   */
  #addBytes(view: DataView, from: number, to: number): void {
    let a = this.#low;
    let b = this.#high;
    let c = a ^ PRIME2;
    let d = b ^ PRIME3;
    let at = from;
    for (; at + 16 <= to; at += 16) {
      a = Math.imul(a ^ view.getInt32(at, true), PRIME1);
      b = Math.imul(b ^ view.getInt32(at + 4, true), PRIME1);
      c = Math.imul(c ^ view.getInt32(at + 8, true), PRIME1);
      const last = Math.imul(d ^ view.getInt32(at + 12, true), PRIME1);
      a = (((a << 13) | (a >>> 19)) + d) | 0;
      b = (((b << 13) | (b >>> 19)) + a) | 0;
      c = (((c << 13) | (c >>> 19)) + b) | 0;
      d = (((last << 13) | (last >>> 19)) + c) | 0;
    }
    // The same as #add(c) and #add(d). In variables it takes less time.
    a = Math.imul(a ^ c, PRIME1);
    b = Math.imul((b + c) | 0, PRIME3);
    a = Math.imul(((((a << 13) | (a >>> 19)) + PRIME2) | 0) ^ d, PRIME1);
    b = Math.imul((((b << 17) | (b >>> 15)) + d) | 0, PRIME3);
    this.#low = (((a << 13) | (a >>> 19)) + PRIME2) | 0;
    this.#high = (b << 17) | (b >>> 15);
    for (; at + 4 <= to; at += 4) this.#add(view.getInt32(at, true));
    for (; at < to; at += 1) this.#add(view.getUint8(at));
  }
}
