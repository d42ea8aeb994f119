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

/** Number of bytes that show the format of a file. */
export const MAGIC_BYTES = 4;

/** Where decoders hand on what they read: packets of a capture, or datagrams. */
interface Outlets {
  readonly packet: (packet: Packet) => void;
  readonly datagram: (datagram: CapturedDatagram) => void;
}

/** The formats that udpcat reads. */
const FORMATS: readonly {
  /** Whether a file has this format. @param start its first four bytes as a big-endian number */
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
 * Makes the decoder for the format that the window begins with.
 *
 * @param packets Finds the datagram in a packet.
 * @param take Called with each datagram.
 * @throws {CaptureError} if the format is unknown
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
  return `a file that begins with the bytes ${bytes.toString('hex')} is no recording; pcap, pcapng and JSON lines are read, and editcap converts other captures to pcap`;
}
