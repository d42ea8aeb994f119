import { Memory } from './memory.js';

/** Size and offsets, in bytes, of `struct mmsghdr` (recvmmsg(2)), which starts with a `struct msghdr`. */
export const MMSGHDR = {
  bytes: 64,
  name: 0,
  nameLength: 8,
  vector: 16,
  vectorLength: 24,
  control: 32,
  controlLength: 40,
  flags: 48,
  length: 56,
} as const;

/** Size and offsets, in bytes, of `struct iovec` (readv(2)). */
export const IOVEC = { bytes: 16, base: 0, length: 8 } as const;

/**
 * Size and offsets, in bytes, of `struct cmsghdr` (cmsg(3)). Its data follow it; the next one is aligned to 8 bytes.
 */
export const CMSGHDR = { bytes: 16, length: 0, level: 8, type: 12 } as const;

/** Room for a `sockaddr_in6` of 28 bytes, rounded up so that the memory behind it is aligned. */
export const NAME_BYTES = 32;

/** Rounds the length of a control message up to the start of the next one. */
export function aligned(length: number): number {
  return (length + 7) & ~7;
}

/**
 * The headers of several messages for recvmmsg(2) and sendmmsg(2), each with an address and control data. There are as many
 * buffers as messages, and each message has one of them, unless {@link setBuffers} gives it others.
 */
export class Messages {
  readonly memory: Memory;
  readonly count: number;
  readonly #vectors: number;
  readonly #names: number;
  readonly #controls: number;
  readonly #controlBytes: number;

  constructor(count: number, controlBytes: number, addressOf: (buffer: ArrayBuffer) => number) {
    this.count = count;
    this.#vectors = count * MMSGHDR.bytes;
    this.#names = this.#vectors + count * IOVEC.bytes;
    this.#controls = this.#names + count * NAME_BYTES;
    this.#controlBytes = controlBytes;
    const memory = new Memory(this.#controls + count * controlBytes, addressOf);
    this.memory = memory;
    for (let nth = 0; nth < count; nth += 1) {
      const header = nth * MMSGHDR.bytes;
      memory.setPointer(header + MMSGHDR.name, memory.address + this.nameOffset(nth));
      memory.setPointer(header + MMSGHDR.control, memory.address + this.controlOffset(nth));
      this.setBuffers(nth, nth, 1);
    }
  }

  /** Offset of the address of message `nth`. */
  nameOffset(nth: number): number {
    return this.#names + nth * NAME_BYTES;
  }

  /** Offset of the control data of message `nth`. */
  controlOffset(nth: number): number {
    return this.#controls + nth * this.#controlBytes;
  }

  /** Sets buffer `nth`. */
  setBuffer(nth: number, address: number, length: number): void {
    const vector = this.#vectors + nth * IOVEC.bytes;
    this.memory.setPointer(vector + IOVEC.base, address);
    this.memory.setSize(vector + IOVEC.length, length);
  }

  /** Lets message `nth` consist of `count` buffers, from buffer `first` on. */
  setBuffers(nth: number, first: number, count: number): void {
    const header = nth * MMSGHDR.bytes;
    this.memory.setPointer(header + MMSGHDR.vector, this.memory.address + this.#vectors + first * IOVEC.bytes);
    this.memory.setSize(header + MMSGHDR.vectorLength, count);
  }

  setNameLength(nth: number, length: number): void {
    this.memory.view.setUint32(nth * MMSGHDR.bytes + MMSGHDR.nameLength, length, true);
  }

  nameLength(nth: number): number {
    return this.memory.view.getUint32(nth * MMSGHDR.bytes + MMSGHDR.nameLength, true);
  }

  setControlLength(nth: number, length: number): void {
    this.memory.setSize(nth * MMSGHDR.bytes + MMSGHDR.controlLength, length);
  }

  /** Length of the control data of message `nth` in bytes. */
  controlLength(nth: number): number {
    return this.memory.view.getUint32(nth * MMSGHDR.bytes + MMSGHDR.controlLength, true);
  }

  /** How many bytes of message `nth` were received or sent. */
  length(nth: number): number {
    return this.memory.view.getUint32(nth * MMSGHDR.bytes + MMSGHDR.length, true);
  }

  /** Prepares the first `messages` messages for receiving: offers the whole room for addresses and control data. */
  offerRoom(messages: number): void {
    for (let nth = 0; nth < messages; nth += 1) {
      this.setNameLength(nth, NAME_BYTES);
      this.setControlLength(nth, this.#controlBytes);
    }
  }

  /** Writes the header of a control message. Returns the offset of its data. */
  startControl(offset: number, level: number, type: number, dataBytes: number): number {
    const { memory } = this;
    memory.setSize(offset + CMSGHDR.length, CMSGHDR.bytes + dataBytes);
    memory.view.setInt32(offset + CMSGHDR.level, level, true);
    memory.view.setInt32(offset + CMSGHDR.type, type, true);
    return offset + CMSGHDR.bytes;
  }
}
