import { addressToBytes } from './address-bytes.js';
import { uint16 } from '../byte-order.js';
import type { CapturedDatagram } from '../captured-datagram.js';
import { checksumOf, sumWords } from './checksum.js';
import type { Skip } from '../skip-tally.js';
import { type Cursor, MALFORMED } from './layer.js';

const HEADER_BYTES = 8;
const MAX_BYTES = 65_535;
const UDP = 17;
/** What Ethernet carries in one frame: a packet beyond it is one of a larger MTU, or was joined. */
const ETHERNET_MTU = 1500;

/** RFC 768. */
export function readUdp(cursor: Cursor): CapturedDatagram | Skip {
  const { timeMs, data, at, end, from, to } = cursor;
  if (at + HEADER_BYTES > data.length) return MALFORMED;
  const stated = uint16(data, at + 4);
  const bytes = stated === 0 && cursor.hasNoLength ? end - at : stated;
  if (bytes < HEADER_BYTES || bytes > MAX_BYTES || at + bytes > end || at + bytes > data.length) return MALFORMED;
  const datagram = {
    timeMs,
    source: { address: from, port: uint16(data, at) },
    destination: { address: to, port: uint16(data, at + 2) },
    data: data.subarray(at + HEADER_BYTES, at + bytes),
  };
  return mayBeJoined(cursor, bytes) ? { ...datagram, mayBeJoined: true } : datagram;
}

/**
 * Whether a datagram may be several. The kernel gives those that it has not cut yet, or has joined, the sum of the
 * pseudo-header instead of a checksum, or leaves that of the first. A checksum of 0 is none, and says nothing.
 */
function mayBeJoined({ data, at, from, to, isReassembled, ipBytes }: Cursor, bytes: number): boolean {
  if (ipBytes <= ETHERNET_MTU || isReassembled || uint16(data, at + 6) === 0) return false;
  const view = new DataView(data.buffer, data.byteOffset);
  const addresses = [from, to].reduce((sum, address) => {
    const octets = addressToBytes(address);
    return sum + sumWords(new DataView(octets.buffer, octets.byteOffset), 0, octets.length);
  }, 0);
  return checksumOf(addresses + UDP + bytes + sumWords(view, at, at + bytes)) !== 0;
}
