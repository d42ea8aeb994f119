import type { ByteWindow } from '../byte-window.js';
import { CaptureError } from '../capture-error.js';
import type { Packet } from '../packets/packet.js';
import type { Decoder } from './decoder.js';
import {
  FILE_HEADER_BYTES,
  MAGIC_MICROSECONDS,
  MAGIC_MODIFIED,
  MAGIC_NANOSECONDS,
  MAX_PACKET_BYTES,
  MODIFIED_RECORD_HEADER_BYTES,
  RECORD_HEADER_BYTES,
} from './pcap-format.js';

/** Mask for the link type. The other bits of its field are the length of a frame check sequence. */
const LINK_TYPE_BITS = 0x03ff_ffff;

/** How the records of a file are written, from its header. */
interface Layout {
  readonly littleEndian: boolean;
  /** Units of the fraction of a time in a millisecond: 1000 for microseconds, 1,000,000 for nanoseconds. */
  readonly fractionsPerMs: number;
  readonly recordHeaderBytes: number;
  readonly lengths: LengthOrder;
  readonly linkType: number;
}

/**
 * The order of the two lengths of a packet. It depends on the version of the file. Some programs wrote version 2.3 with
 * one order, others with the other: there the smaller length is the captured one, which is never larger than the
 * original.
 */
type LengthOrder = 'captured-first' | 'captured-last' | 'smaller-is-captured';

/** The lengths in a record: the captured bytes of the packet, and the bytes that it had on the wire. */
interface Lengths {
  readonly captured: number;
  readonly wireBytes: number;
}

/** Reads pcap in both byte orders, with micro- and nanoseconds, and in every version that libpcap reads. */
export class PcapDecoder implements Decoder {
  readonly #take: (packet: Packet) => void;
  #layout: Layout | undefined;

  constructor(take: (packet: Packet) => void) {
    this.#take = take;
  }

  /** Whether a file that begins with this big-endian number is pcap. */
  static recognizes(start: number): boolean {
    return layoutOf(start) !== undefined;
  }

  decode(window: ByteWindow): void {
    if (this.#layout === undefined) {
      if (window.available < FILE_HEADER_BYTES) return;
      this.#layout = readFileHeader(window);
    }
    const { littleEndian, fractionsPerMs, recordHeaderBytes, linkType } = this.#layout;
    while (window.available >= recordHeaderBytes) {
      const { captured, wireBytes } = readLengths(window, this.#layout);
      if (captured > MAX_PACKET_BYTES) {
        throw new CaptureError(
          window.offset,
          `a packet says that it has ${captured} bytes; the limit is ${MAX_PACKET_BYTES}`,
        );
      }
      if (window.available < recordHeaderBytes + captured) return;
      const timeMs = window.uint32(0, littleEndian) * 1000 + window.uint32(4, littleEndian) / fractionsPerMs;
      const data = window.take(recordHeaderBytes + captured).subarray(recordHeaderBytes);
      this.#take({ timeMs, linkType, data, wireBytes });
    }
  }

  end(window: ByteWindow): void {
    const { available, offset } = window;
    if (this.#layout === undefined) {
      throw new CaptureError(
        offset,
        `the file ends after ${available} of the ${FILE_HEADER_BYTES} bytes of its header`,
      );
    }
    if (available === 0) return;
    const { recordHeaderBytes } = this.#layout;
    throw new CaptureError(
      offset,
      available < recordHeaderBytes
        ? `the file ends after ${available} of the ${recordHeaderBytes} bytes of a packet's header`
        : `the file ends after ${available - recordHeaderBytes} of the ${readLengths(window, this.#layout).captured} bytes of a packet`,
    );
  }
}

function readLengths(window: ByteWindow, { littleEndian, lengths }: Layout): Lengths {
  const first = window.uint32(8, littleEndian);
  const second = window.uint32(12, littleEndian);
  const isExchanged = lengths === 'captured-last' || (lengths === 'smaller-is-captured' && first > second);
  const captured = isExchanged ? second : first;
  return { captured, wireBytes: Math.max(first, second) };
}

function layoutOf(start: number): Omit<Layout, 'lengths' | 'linkType'> | undefined {
  for (const littleEndian of [false, true]) {
    switch (littleEndian ? reversed(start) : start) {
      case MAGIC_MICROSECONDS:
        return { littleEndian, fractionsPerMs: 1000, recordHeaderBytes: RECORD_HEADER_BYTES };
      case MAGIC_NANOSECONDS:
        return { littleEndian, fractionsPerMs: 1_000_000, recordHeaderBytes: RECORD_HEADER_BYTES };
      case MAGIC_MODIFIED:
        return { littleEndian, fractionsPerMs: 1000, recordHeaderBytes: MODIFIED_RECORD_HEADER_BYTES };
    }
  }
  return undefined;
}

function reversed(value: number): number {
  return ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}

function readFileHeader(window: ByteWindow): Layout {
  const layout = layoutOf(window.uint32(0, false));
  if (layout === undefined) throw new CaptureError(0, 'it is no pcap file');
  const { littleEndian } = layout;
  const major = window.uint16(4, littleEndian);
  const minor = window.uint16(6, littleEndian);
  const lengths = lengthOrderOf(major, minor);
  if (lengths === undefined) {
    throw new CaptureError(4, `it is pcap of version ${major}.${minor}; 2.0 to 2.4 and 543.0 are read`);
  }
  const linkType = window.uint32(20, littleEndian) & LINK_TYPE_BITS;
  window.take(FILE_HEADER_BYTES);
  return { ...layout, lengths, linkType };
}

/** Returns the order of the lengths in a version; undefined if the version is not read. DG/UX's tcpdump wrote 543.0. */
function lengthOrderOf(major: number, minor: number): LengthOrder | undefined {
  if (major === 543 && minor === 0) return 'captured-last';
  if (major !== 2 || minor > 4) return undefined;
  if (minor === 4) return 'captured-first';
  return minor === 3 ? 'smaller-is-captured' : 'captured-last';
}
