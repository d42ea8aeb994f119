import { uint32 } from '../byte-order.js';
import type { ByteWindow } from '../byte-window.js';
import { CaptureError } from '../capture-error.js';
import type { CapturedDatagram } from '../captured-datagram.js';
import type { PacketDecoder } from '../packets/packet-decoder.js';
import type { Packet } from '../packets/packet.js';
import type { Decoder } from './decoder.js';
import { JsonlDecoder } from './jsonl-decoder.js';
import { PcapDecoder } from './pcap-decoder.js';
import { PcapngDecoder } from './pcapng-decoder.js';

/** Bytes that tell the format. */
export const MAGIC_BYTES = 4;

/** The outlets of a decoder: one for the packets of a capture, one for datagrams. */
interface Outlets {
  readonly packet: (packet: Packet) => void;
  readonly datagram: (datagram: CapturedDatagram) => void;
}

/** The formats that are read. */
const FORMATS: readonly {
  /** Whether a file begins like this format. @param start its first four bytes, the first one the highest */
  readonly recognizes: (start: number) => boolean;
  readonly create: (outlets: Outlets) => Decoder;
}[] = [
  { recognizes: (start) => PcapDecoder.recognizes(start), create: ({ packet }) => new PcapDecoder(packet) },
  { recognizes: (start) => PcapngDecoder.recognizes(start), create: ({ packet }) => new PcapngDecoder(packet) },
  {
    recognizes: (start) => JsonlDecoder.recognizes(start >>> 24),
    create: ({ datagram }) => new JsonlDecoder(datagram),
  },
];

/**
 * The decoder for the format that the window begins with.
 *
 * @throws {CaptureError} for an unknown one
 */
export function createDecoder(
  window: ByteWindow,
  packets: PacketDecoder,
  take: (datagram: CapturedDatagram) => void,
): Decoder {
  const start = uint32(window.peek(MAGIC_BYTES), 0);
  const format = FORMATS.find(({ recognizes }) => recognizes(start));
  if (format === undefined) throw new CaptureError(window.offset, unknownFormat(window));
  return format.create({
    packet: (packet) => {
      const datagram = packets.decode(packet);
      if (datagram !== undefined) take(datagram);
    },
    datagram: take,
  });
}

function unknownFormat(window: ByteWindow): string {
  const bytes = Buffer.from(window.peek(MAGIC_BYTES));
  return `what begins with the bytes ${bytes.toString('hex')} is no recording; pcap, pcapng and JSON lines are, and editcap makes pcap of other captures`;
}
