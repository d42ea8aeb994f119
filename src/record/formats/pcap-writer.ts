import { type Endpoint, type Family, familyOf, MAX_PAYLOAD_BYTES, type Run } from '../../net/index.js';
import type { ChunkBuilder } from '../../output/chunk-builder.js';
import { addressToBytes } from '../packets/address-bytes.js';
import { checksumOf, copyWords, sumWords } from '../packets/checksum.js';
import { LINK_RAW } from '../packets/link-type.js';
import { FILE_HEADER_BYTES, MAGIC_NANOSECONDS, MAX_PACKET_BYTES, RECORD_HEADER_BYTES } from './pcap-format.js';

const IP_HEADER_BYTES: Readonly<Record<Family, number>> = { 4: 20, 6: 40 };
const UDP_HEADER_BYTES = 8;
const UDP = 17;
/** Time to live and hop limit of the written packets: the default of Linux. The real values are not known. */
const HOPS = 64;
/** Time to live of packets to 224.0.0.0/24, which no router forwards (RFC 5771 section 4). */
const HOPS_LOCAL_CONTROL = 1;
/** Time to live of multicast DNS (RFC 6762 section 11). */
const HOPS_MULTICAST_DNS = 255;

/** Makes the header of a pcap file: little-endian, times in nanoseconds, packets that begin with their IP header. */
export function pcapHeader(): Uint8Array {
  const header = Buffer.alloc(FILE_HEADER_BYTES);
  header.writeUInt32LE(MAGIC_NANOSECONDS, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(MAX_PACKET_BYTES, 16);
  header.writeUInt32LE(LINK_RAW, 20);
  return header;
}

/** The fields that all packets from one address to another have in common. */
interface Pair {
  readonly source: string;
  readonly destination: string;
  readonly family: Family;
  /** The IP header as big-endian words of four bytes. Its lengths, and the checksum of IPv4, are 0. */
  readonly header: readonly number[];
  /** The sum of the 16-bit words of `header`, for the checksum of IPv4. */
  readonly headerSum: number;
  /** The sum of the 16-bit words of the pseudo-header, without the length (RFC 768, RFC 8200 section 8.1). */
  readonly pseudoSum: number;
}

/** Payloads of up to this size are copied by {@link copyWords}, which reads them once. It is slower for larger ones. */
const COPIED_BY_WORDS = 128;

/** How many pairs of addresses are kept at most. When one more comes, all are forgotten. */
const MOST_PAIRS = 4096;

/**
 * Writes datagrams as records of a pcap file: a time, an IP header, a UDP header with valid checksums, and the payload.
 */
export class PcapRecords {
  readonly #pairs = new Map<string, Pair>();
  #last = createPair('0.0.0.0', '0.0.0.0');
  /** The time of the packets that are written. */
  #seconds = 0;
  #nanoseconds = 0;

  /**
   * Writes each datagram of a run as one packet, never in fragments. Zones are left out. A wildcard address is written in the
   * family of the other end.
   *
   * @param run its time must be from 1970 to 2106
   * @throws {RangeError} if a payload is larger than a packet can carry
   */
  write(
    { bytes, segmentBytes, count, timeMs }: Run,
    source: Endpoint,
    destination: Endpoint,
    chunk: ChunkBuilder,
  ): void {
    const pair = this.#pairOf(source.address, destination.address);
    checkSize(segmentBytes, pair);
    const headerBytes = headerBytesOf(pair);
    let at = chunk.extend(count * headerBytes + bytes.length);
    const { buffer, view } = chunk;
    const payloads = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#setTime(timeMs);
    for (let nth = 0, from = 0; nth < count; nth += 1, from += segmentBytes) {
      const length = nth < count - 1 ? segmentBytes : bytes.length - from;
      const dataAt = at + headerBytes;
      let sum: number;
      if (length <= COPIED_BY_WORDS && length % 4 === 0) {
        sum = copyWords(payloads, from, view, dataAt, length);
      } else {
        buffer.set(bytes.subarray(from, from + length), dataAt);
        sum = sumWords(view, dataAt, dataAt + length);
      }
      this.#writeHeaders(view, at, pair, source.port, destination.port, length, sum);
      at = dataAt + length;
    }
  }

  #setTime(timeMs: number): void {
    this.#seconds = Math.floor(timeMs / 1000);
    this.#nanoseconds = Math.round((timeMs - this.#seconds * 1000) * 1e6);
    if (this.#nanoseconds === 1e9) {
      this.#seconds += 1;
      this.#nanoseconds = 0;
    }
  }

  /** Writes all that stands before a payload. @param dataSum the sum of the words of the payload */
  #writeHeaders(
    view: DataView,
    at: number,
    { family, header, headerSum, pseudoSum }: Pair,
    sourcePort: number,
    destinationPort: number,
    dataBytes: number,
    dataSum: number,
  ): void {
    const udpBytes = UDP_HEADER_BYTES + dataBytes;
    const packetBytes = IP_HEADER_BYTES[family] + udpBytes;
    view.setUint32(at, this.#seconds, true);
    view.setUint32(at + 4, this.#nanoseconds, true);
    view.setUint32(at + 8, packetBytes, true);
    view.setUint32(at + 12, packetBytes, true);
    const ipAt = at + RECORD_HEADER_BYTES;
    for (let nth = 0; nth < header.length; nth += 1) view.setUint32(ipAt + 4 * nth, header[nth] as number);
    if (family === 4) {
      view.setUint16(ipAt + 2, packetBytes);
      view.setUint16(ipAt + 10, checksumOf(headerSum + packetBytes));
    } else {
      // The length in an IPv6 header does not count the header itself.
      view.setUint16(ipAt + 4, udpBytes);
    }
    const udpAt = ipAt + IP_HEADER_BYTES[family];
    const checksum = checksumOf(pseudoSum + 2 * udpBytes + sourcePort + destinationPort + dataSum);
    view.setUint16(udpAt, sourcePort);
    view.setUint16(udpAt + 2, destinationPort);
    view.setUint16(udpAt + 4, udpBytes);
    // A checksum of 0 would mean that the datagram has none (RFC 768).
    view.setUint16(udpAt + 6, checksum === 0 ? 0xffff : checksum);
  }

  #pairOf(source: string, destination: string): Pair {
    const last = this.#last;
    if (last.source === source && last.destination === destination) return last;
    const key = `${source} ${destination}`;
    let pair = this.#pairs.get(key);
    if (pair === undefined) {
      pair = createPair(source, destination);
      if (this.#pairs.size >= MOST_PAIRS) this.#pairs.clear();
      this.#pairs.set(key, pair);
    }
    this.#last = pair;
    return pair;
  }
}

function checkSize(dataBytes: number, { family }: Pair): void {
  if (dataBytes <= MAX_PAYLOAD_BYTES[family]) return;
  throw new RangeError(`an IPv${family} packet carries ${MAX_PAYLOAD_BYTES[family]} bytes, not ${dataBytes}`);
}

function headerBytesOf({ family }: Pair): number {
  return RECORD_HEADER_BYTES + IP_HEADER_BYTES[family] + UDP_HEADER_BYTES;
}

function createPair(source: string, destination: string): Pair {
  const family = packetFamily(source, destination);
  const bytes = new Uint8Array(IP_HEADER_BYTES[family]);
  const header = new DataView(bytes.buffer);
  if (family === 4) writeIPv4Header(header, hopsTo(destination));
  else writeIPv6Header(header);
  const addressBytes = family === 4 ? 4 : 16;
  // The addresses are the last fields of both headers.
  const addressesAt = bytes.length - 2 * addressBytes;
  bytes.set(bytesIn(family, source), addressesAt);
  bytes.set(bytesIn(family, destination), addressesAt + addressBytes);
  return {
    source,
    destination,
    family,
    header: Array.from({ length: bytes.length / 4 }, (_, nth) => header.getUint32(4 * nth)),
    headerSum: sumWords(header, 0, bytes.length),
    pseudoSum: sumWords(header, addressesAt, bytes.length) + UDP,
  };
}

/**
 * Chooses the family of a packet: IPv6 if one of the ends needs it. IPv4 addresses can be mapped into IPv6, and the
 * wildcard address exists in both families.
 */
function packetFamily(source: string, destination: string): Family {
  const needsIPv6 = (address: string): boolean => familyOf(address) === 6 && address !== '::';
  if (needsIPv6(source) || needsIPv6(destination)) return 6;
  return familyOf(source) === 6 && familyOf(destination) === 6 ? 6 : 4;
}

const WILDCARD: Readonly<Record<Family, Uint8Array>> = { 4: new Uint8Array(4), 6: new Uint8Array(16) };

function bytesIn(family: Family, address: string): Uint8Array {
  if (familyOf(address) === family) return addressToBytes(address);
  if (address === '::' || address === '0.0.0.0') return WILDCARD[family];
  return addressToBytes(`::ffff:${address}`);
}

/** Returns the time to live of a packet to an IPv4 address. Wireshark warns about other values for local multicast. */
function hopsTo(ipv4: string): number {
  if (!ipv4.startsWith('224.0.0.')) return HOPS;
  return ipv4 === '224.0.0.251' ? HOPS_MULTICAST_DNS : HOPS_LOCAL_CONTROL;
}

/** Writes an IPv4 header (RFC 791) with "don't fragment": then its identification may be 0 (RFC 6864). */
function writeIPv4Header(header: DataView, hops: number): void {
  header.setUint16(0, 0x4500);
  header.setUint16(6, 0x4000);
  header.setUint16(8, (hops << 8) | UDP);
}

/** Writes an IPv6 header (RFC 8200 section 3). */
function writeIPv6Header(header: DataView): void {
  header.setUint16(0, 0x6000);
  header.setUint16(6, (UDP << 8) | HOPS);
}
