import { uint16In, uint32In } from '../byte-order.js';
import type { ByteWindow } from '../byte-window.js';
import { CaptureError } from '../capture-error.js';
import type { Packet } from '../packets/packet.js';
import { type Decoder, isTime } from './decoder.js';
import { MAX_PACKET_BYTES } from './pcap-format.js';

/** Block types and options of https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/ */
const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const OLD_PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
const OPTION_END = 0;
const OPTION_TIME_RESOLUTION = 9;
const OPTION_TIME_OFFSET = 14;

const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

/** Bytes around the body of a block: its type and length before it, and its length again after it. */
const FRAME_BYTES = 12;
/** Offset of the body in a block. */
const BODY_AT = 8;
/** Offset of the options in a section header. */
const SECTION_OPTIONS_AT = 24;
/** The maximum number of bytes of a block that is read: it is held in memory as a whole. The limit is Wireshark's. */
const MAX_BLOCK_BYTES = 16 * 1024 * 1024;
/** The maximum number of interfaces of a section: as many as the 16-bit number in an obsolete packet block can name. */
const MAX_INTERFACES = 65_536;

interface Interface {
  readonly linkType: number;
  /** The maximum number of captured bytes of each packet (the snap length); 0 for no limit. */
  readonly snapBytes: number;
  /** Units of a packet's time in a millisecond. */
  readonly unitsPerMs: number;
  readonly offsetSeconds: number;
}

/** Reads pcapng: any number of sections, in both byte orders. Blocks without packets or interfaces are skipped. */
export class PcapngDecoder implements Decoder {
  readonly #take: (packet: Packet) => void;
  #littleEndian = true;
  #interfaces: Interface[] = [];
  /** The time of the last packet. A simple packet block has no time of its own, and gets this one. */
  #latestMs = NaN;
  /** The block that is being skipped. Its length must be repeated at its end. */
  #skipped: { readonly offset: number; readonly length: number } | undefined;

  constructor(take: (packet: Packet) => void) {
    this.#take = take;
  }

  /** Whether a file that begins with this big-endian number is pcapng. */
  static recognizes(start: number): boolean {
    return start === SECTION_HEADER;
  }

  decode(window: ByteWindow): void {
    for (;;) {
      if (this.#skipped !== undefined && !this.#endSkipped(window, this.#skipped)) return;
      // The byte order of a section header is in its body, and is needed to read its length.
      if (window.available < FRAME_BYTES) return;
      const isSection = window.uint32(0, true) === SECTION_HEADER;
      if (isSection) this.#littleEndian = readByteOrder(window);
      const type = window.uint32(0, this.#littleEndian);
      const length = window.uint32(4, this.#littleEndian);
      const { offset } = window;
      if (length < FRAME_BYTES || length % 4 !== 0) {
        throw new CaptureError(offset, `a block says that it has ${length} bytes, which no block can have`);
      }
      if (!isRead(type)) {
        window.skip(length - 4);
        this.#skipped = { offset, length };
        continue;
      }
      if (length > MAX_BLOCK_BYTES) {
        throw new CaptureError(offset, `a block says that it has ${length} bytes; the limit is ${MAX_BLOCK_BYTES}`);
      }
      if (window.available < length) return;
      this.#readBlock(type, offset, window.peek(length));
      window.take(length);
    }
  }

  end(window: ByteWindow): void {
    const { available, offset, isSkipping } = window;
    if (this.#skipped !== undefined) {
      const missing = isSkipping ? 'in the middle of a block' : 'before the end of a block';
      throw new CaptureError(this.#skipped.offset, `the file ends ${missing} of ${this.#skipped.length} bytes`);
    }
    if (available === 0) return;
    throw new CaptureError(
      offset,
      available < FRAME_BYTES
        ? `the file ends after ${available} bytes of a block`
        : `the file ends after ${available} of the ${window.uint32(4, this.#littleEndian)} bytes of a block`,
    );
  }

  /** Checks the end of the block that is being skipped. Returns whether the end has arrived. */
  #endSkipped(window: ByteWindow, { offset, length }: { offset: number; length: number }): boolean {
    if (window.isSkipping || window.available < 4) return false;
    checkTrailer(offset, length, window.uint32(0, this.#littleEndian));
    window.take(4);
    this.#skipped = undefined;
    return true;
  }

  #readBlock(type: number, offset: number, block: Uint8Array): void {
    const read32 = (at: number): number => uint32In(block, at, this.#littleEndian);
    checkTrailer(offset, block.length, read32(block.length - 4));
    const least = LEAST_BYTES[type] ?? FRAME_BYTES;
    if (block.length < least) {
      throw new CaptureError(offset, `a block of type ${type} has ${block.length} bytes; it needs at least ${least}`);
    }
    switch (type) {
      case SECTION_HEADER:
        this.#startSection(offset, block);
        break;
      case INTERFACE_DESCRIPTION:
        this.#addInterface(offset, block);
        break;
      case ENHANCED_PACKET:
        this.#takePacket(offset, block, read32(8));
        break;
      case OLD_PACKET:
        this.#takePacket(offset, block, uint16In(block, 8, this.#littleEndian));
        break;
      case SIMPLE_PACKET:
        this.#takeSimplePacket(offset, block, read32(8));
        break;
    }
  }

  #startSection(offset: number, block: Uint8Array): void {
    const major = uint16In(block, 12, this.#littleEndian);
    if (major !== 1) {
      const minor = uint16In(block, 14, this.#littleEndian);
      throw new CaptureError(offset, `it is pcapng of version ${major}.${minor}; only version 1 is read`);
    }
    this.#interfaces = [];
  }

  #addInterface(offset: number, block: Uint8Array): void {
    if (this.#interfaces.length === MAX_INTERFACES) {
      throw new CaptureError(offset, `a section has more than ${MAX_INTERFACES} interfaces`);
    }
    let unitsPerMs = 1000;
    let offsetSeconds = 0;
    for (let at = 16; at + 4 <= block.length - 4;) {
      const code = uint16In(block, at, this.#littleEndian);
      const length = uint16In(block, at + 2, this.#littleEndian);
      if (code === OPTION_END) break;
      at += 4;
      if (at + length > block.length - 4) {
        throw new CaptureError(offset, `an option of an interface has ${length} bytes, more than its block`);
      }
      if (code === OPTION_TIME_RESOLUTION && length >= 1) unitsPerMs = readResolution(block[at] ?? 0) / 1000;
      if (code === OPTION_TIME_OFFSET && length >= 8) {
        offsetSeconds = Number(readInt64(block, at, this.#littleEndian));
      }
      at += Math.ceil(length / 4) * 4;
    }
    const linkType = uint16In(block, 8, this.#littleEndian);
    const snapBytes = uint32In(block, 12, this.#littleEndian);
    this.#interfaces.push({ linkType, snapBytes, unitsPerMs, offsetSeconds });
  }

  /** Reads an enhanced or an obsolete packet block. They differ only in the field of the interface's number. */
  #takePacket(offset: number, block: Uint8Array, number: number): void {
    const { linkType, unitsPerMs, offsetSeconds } = this.#interfaceOf(offset, number);
    const units = uint32In(block, 12, this.#littleEndian) * 2 ** 32 + uint32In(block, 16, this.#littleEndian);
    const writtenMs = offsetSeconds * 1000 + units / unitsPerMs;
    const timeMs = isTime(writtenMs) ? writtenMs : NaN;
    this.#latestMs = timeMs;
    const captured = uint32In(block, 20, this.#littleEndian);
    const wireBytes = uint32In(block, 24, this.#littleEndian);
    this.#give(offset, { linkType, timeMs, wireBytes }, block.subarray(28, -4), captured);
  }

  #takeSimplePacket(offset: number, block: Uint8Array, wireBytes: number): void {
    const { linkType, snapBytes } = this.#interfaceOf(offset, 0);
    const captured = snapBytes === 0 ? wireBytes : Math.min(snapBytes, wireBytes);
    this.#give(offset, { linkType, timeMs: this.#latestMs, wireBytes }, block.subarray(12, -4), captured);
  }

  #interfaceOf(offset: number, number: number): Interface {
    const found = this.#interfaces[number];
    if (found === undefined) {
      throw new CaptureError(offset, `a packet is of interface ${number}, and the section has not described it`);
    }
    return found;
  }

  #give(offset: number, packet: Omit<Packet, 'data'>, body: Uint8Array, captured: number): void {
    if (captured > body.length || captured > MAX_PACKET_BYTES) {
      const most = Math.min(body.length, MAX_PACKET_BYTES);
      throw new CaptureError(offset, `a packet says that it has ${captured} bytes; the limit in its block is ${most}`);
    }
    const wireBytes = Math.max(captured, packet.wireBytes);
    this.#take({ ...packet, wireBytes, data: body.subarray(0, captured) });
  }
}

/** Fewest bytes of each type of block that is read. */
const LEAST_BYTES: Readonly<Record<number, number>> = {
  [SECTION_HEADER]: SECTION_OPTIONS_AT + 4,
  [INTERFACE_DESCRIPTION]: 20,
  [OLD_PACKET]: 32,
  [SIMPLE_PACKET]: 16,
  [ENHANCED_PACKET]: 32,
};

function isRead(type: number): boolean {
  return type in LEAST_BYTES;
}

function readByteOrder(window: ByteWindow): boolean {
  if (window.uint32(BODY_AT, true) === BYTE_ORDER_MAGIC) return true;
  if (window.uint32(BODY_AT, false) === BYTE_ORDER_MAGIC) return false;
  throw new CaptureError(window.offset, 'a section header does not tell its byte order');
}

function checkTrailer(offset: number, length: number, trailer: number): void {
  if (length === trailer) return;
  throw new CaptureError(offset, `a block says at its start that it has ${length} bytes, and at its end ${trailer}`);
}

/** Returns the units in a second: a power of 10, or of 2 if the highest bit is set. */
function readResolution(value: number): number {
  return (value & 0x80) === 0 ? 10 ** value : 2 ** (value & 0x7f);
}

function readInt64(data: Uint8Array, at: number, littleEndian: boolean): bigint {
  return new DataView(data.buffer, data.byteOffset + at, 8).getBigInt64(0, littleEndian);
}
