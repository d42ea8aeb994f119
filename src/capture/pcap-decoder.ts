import type { ByteWindow } from './byte-window.js';
import { CaptureError } from './capture-error.js';
import type { Decoder, Packet } from './decoder.js';
import { isReadLinkType } from './link-layer.js';
import {
  FILE_HEADER_BYTES,
  MAGIC_MICROSECONDS,
  MAGIC_MODIFIED,
  MAGIC_NANOSECONDS,
  MAX_PACKET_BYTES,
  MODIFIED_RECORD_HEADER_BYTES,
  RECORD_HEADER_BYTES,
} from './pcap-format.js';

/** Bits of the link type that say something else: the length of a frame check sequence. */
const LINK_TYPE_BITS = 0x03ff_ffff;

interface Layout {
  readonly littleEndian: boolean;
  /** Fractions of a second in a millisecond. */
  readonly fractionsPerMs: number;
  readonly recordHeaderBytes: number;
  readonly linkType: number;
}

/** Reads pcap: micro- and nanoseconds, both byte orders. */
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
      const captured = window.uint32(8, littleEndian);
      if (captured > MAX_PACKET_BYTES) {
        throw new CaptureError(
          window.offset,
          `a packet says that it has ${captured} bytes, and ${MAX_PACKET_BYTES} are the most`,
        );
      }
      if (window.available < recordHeaderBytes + captured) return;
      const timeMs = window.uint32(0, littleEndian) * 1000 + window.uint32(4, littleEndian) / fractionsPerMs;
      const wireBytes = Math.max(captured, window.uint32(12, littleEndian));
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
    const { littleEndian, recordHeaderBytes } = this.#layout;
    throw new CaptureError(
      offset,
      available < recordHeaderBytes
        ? `the file ends after ${available} of the ${recordHeaderBytes} bytes of a packet's header`
        : `the file ends after ${available - recordHeaderBytes} of the ${window.uint32(8, littleEndian)} bytes of a packet`,
    );
  }
}

function layoutOf(start: number): Omit<Layout, 'linkType'> | undefined {
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
  if (major !== 2 || minor !== 4) {
    throw new CaptureError(4, `it is pcap of version ${major}.${minor}, and 2.4 is read`);
  }
  const linkType = window.uint32(20, littleEndian) & LINK_TYPE_BITS;
  if (!isReadLinkType(linkType)) {
    throw new CaptureError(
      20,
      `its packets have link type ${linkType}; Ethernet, Linux cooked, raw IP and loopback are read`,
    );
  }
  window.take(FILE_HEADER_BYTES);
  return { ...layout, linkType };
}
