import { MalformedReply } from './probe.js';

/** Reads the fields of a message one after the other, in network byte order; what is not there makes it malformed. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** The next `length` bytes, which share memory with the message. @throws {MalformedReply} where it is shorter */
  bytes(length: number): Buffer {
    if (length > this.left) throw new MalformedReply(`it ends after ${this.#bytes.length} bytes`);
    const from = this.#at;
    this.#at += length;
    return this.#bytes.subarray(from, this.#at);
  }

  /** All that is left. */
  rest(): Buffer {
    return this.bytes(this.left);
  }

  /** The bytes before the next zero, which is read as well. @throws {MalformedReply} where there is none */
  untilZero(): Buffer {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) throw new MalformedReply('a text in it has no end');
    const text = this.bytes(end - this.#at);
    this.#at += 1;
    return text;
  }

  /** An unsigned integer of 8 bits. */
  u8(): number {
    return this.bytes(1).readUInt8();
  }

  /** An unsigned integer of 16 bits. */
  u16(): number {
    return this.bytes(2).readUInt16BE();
  }

  /** An unsigned integer of 32 bits. */
  u32(): number {
    return this.bytes(4).readUInt32BE();
  }
}
