import { MalformedReply } from './probe.js';

/**
 * Reads the fields of a message one after the other, in network byte order. Each method throws a {@link MalformedReply}
 * if the message ends before the field does.
 */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Number of bytes that are not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** Reads the next `length` bytes. They share memory with the message. */
  bytes(length: number): Buffer {
    if (length > this.left) throw new MalformedReply(`it ends after ${this.#bytes.length} bytes`);
    const from = this.#at;
    this.#at += length;
    return this.#bytes.subarray(from, this.#at);
  }

  /** Reads all remaining bytes. */
  rest(): Buffer {
    return this.bytes(this.left);
  }

  /** Reads the bytes before the next zero byte, and the zero byte. */
  untilZero(): Buffer {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) throw new MalformedReply('a text in it has no end');
    const text = this.bytes(end - this.#at);
    this.#at += 1;
    return text;
  }

  /** Reads an unsigned integer of 8 bits. */
  u8(): number {
    return this.bytes(1).readUInt8();
  }

  /** Reads an unsigned integer of 16 bits. */
  u16(): number {
    return this.bytes(2).readUInt16BE();
  }

  /** Reads an unsigned integer of 32 bits. */
  u32(): number {
    return this.bytes(4).readUInt32BE();
  }
}
