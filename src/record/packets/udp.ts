import { addressToBytes } from './address-bytes.js';
import { uint16 } from '../byte-order.js';
import type { CapturedDatagram } from '../captured-datagram.js';
import { checksumOf, sumWords } from './checksum.js';
import type { Skip } from '../skip-tally.js';
import { type Cursor, MALFORMED } from './layer.js';

const HEADER_BYTES = 8;
const MAX_BYTES = 65_535;
const UDP = 17;
/**
 * The maximum number of bytes of an IP packet in an Ethernet frame. A larger packet comes from a larger MTU, or was
 * joined.
 */
const ETHERNET_MTU = 1500;

/** Reads a UDP header and its payload (RFC 768). */
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
 * Whether a datagram may be several that the kernel had not cut yet, or had joined. Such a packet has no valid
 * checksum: the kernel writes only the sum of the pseudo-header, or leaves the checksum of the first datagram. A
 * checksum of 0 means that there is none.
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
