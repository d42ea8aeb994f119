import { type Endpoint, type Family, familyOf, MAX_PAYLOAD_BYTES } from '../net/index.js';
import { addressToBytes } from './address-bytes.js';
import type { CapturedDatagram } from './captured-datagram.js';
import { checksumOf, sumWords } from './checksum.js';
import {
  FILE_HEADER_BYTES,
  LINK_RAW,
  MAGIC_NANOSECONDS,
  MAX_PACKET_BYTES,
  RECORD_HEADER_BYTES,
} from './pcap-format.js';

const IP_HEADER_BYTES: Readonly<Record<Family, number>> = { 4: 20, 6: 40 };
const UDP_HEADER_BYTES = 8;
const UDP = 17;
/** Time to live and hop limit, which nobody told: what Linux sends with. */
const HOPS = 64;
/** To 224.0.0.0/24, which no router forwards (RFC 5771 section 4), and to multicast DNS there (RFC 6762 section 11). */
const HOPS_LOCAL_CONTROL = 1;
const HOPS_MULTICAST_DNS = 255;

/** The beginning of a pcap file: little-endian, nanoseconds, packets that begin with their IP header. */
export function pcapHeader(): Uint8Array {
  const header = Buffer.alloc(FILE_HEADER_BYTES);
  header.writeUInt32LE(MAGIC_NANOSECONDS, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(MAX_PACKET_BYTES, 16);
  header.writeUInt32LE(LINK_RAW, 20);
  return header;
}

/**
 * One datagram as a record of that file: its time, and the packet as one IP and one UDP header with valid checksums
 * carry it, never in fragments. Packets have no zones; the wildcard address stands as that of the other end's family.
 *
 * @param datagram Its time from 1970 to 2106.
 * @throws {RangeError} If the payload is larger than any packet can carry.
 */
export function pcapRecord({ timeMs, source, destination, data }: CapturedDatagram): Uint8Array {
  const family = packetFamily(source.address, destination.address);
  if (data.length > MAX_PAYLOAD_BYTES[family]) {
    throw new RangeError(`an IPv${family} packet carries ${MAX_PAYLOAD_BYTES[family]} bytes, not ${data.length}`);
  }
  const udpAt = RECORD_HEADER_BYTES + IP_HEADER_BYTES[family];
  const udpBytes = UDP_HEADER_BYTES + data.length;
  const record = Buffer.allocUnsafe(udpAt + udpBytes);
  writeRecordHeader(record, timeMs);
  if (family === 4) writeIPv4Header(record, udpBytes, hopsTo(destination.address));
  else writeIPv6Header(record, udpBytes);
  const addressBytes = family === 4 ? 4 : 16;
  // In both headers the addresses stand last.
  record.set(bytesIn(family, source), udpAt - 2 * addressBytes);
  record.set(bytesIn(family, destination), udpAt - addressBytes);
  if (family === 4) {
    const checksum = checksumOf(sumWords(record, RECORD_HEADER_BYTES, udpAt));
    writeUint16(record, RECORD_HEADER_BYTES + 10, checksum);
  }
  writeUint16(record, udpAt, source.port);
  writeUint16(record, udpAt + 2, destination.port);
  writeUint16(record, udpAt + 4, udpBytes);
  writeUint16(record, udpAt + 6, 0);
  record.set(data, udpAt + UDP_HEADER_BYTES);
  // The pseudo-header: addresses, protocol and length (RFC 768, RFC 8200 section 8.1).
  const checksum = checksumOf(sumWords(record, udpAt - 2 * addressBytes, record.length) + UDP + udpBytes);
  // 0 would say that there is none.
  writeUint16(record, udpAt + 6, checksum === 0 ? 0xffff : checksum);
  return record;
}

/** IPv4 can stand in IPv6, as a mapped address, and the wildcard address in either. */
function packetFamily(source: string, destination: string): Family {
  const needsIPv6 = (address: string): boolean => familyOf(address) === 6 && address !== '::';
  if (needsIPv6(source) || needsIPv6(destination)) return 6;
  return familyOf(source) === 6 && familyOf(destination) === 6 ? 6 : 4;
}

const WILDCARD: Readonly<Record<Family, Uint8Array>> = { 4: new Uint8Array(4), 6: new Uint8Array(16) };

function bytesIn(family: Family, { address }: Endpoint): Uint8Array {
  if (familyOf(address) === family) return addressToBytes(address);
  if (address === '::' || address === '0.0.0.0') return WILDCARD[family];
  return addressToBytes(`::ffff:${address}`);
}

function writeRecordHeader(record: Buffer, timeMs: number): void {
  let seconds = Math.floor(timeMs / 1000);
  let nanoseconds = Math.round((timeMs - seconds * 1000) * 1e6);
  if (nanoseconds === 1e9) {
    seconds += 1;
    nanoseconds = 0;
  }
  const packetBytes = record.length - RECORD_HEADER_BYTES;
  record.writeUInt32LE(seconds, 0);
  record.writeUInt32LE(nanoseconds, 4);
  record.writeUInt32LE(packetBytes, 8);
  record.writeUInt32LE(packetBytes, 12);
}

/** Wireshark complains of any other. */
function hopsTo(ipv4: string): number {
  if (!ipv4.startsWith('224.0.0.')) return HOPS;
  return ipv4 === '224.0.0.251' ? HOPS_MULTICAST_DNS : HOPS_LOCAL_CONTROL;
}

/** RFC 791, the checksum still 0. Never to be fragmented, so that its identification may be 0 (RFC 6864). */
function writeIPv4Header(record: Buffer, udpBytes: number, hops: number): void {
  const at = RECORD_HEADER_BYTES;
  writeUint16(record, at, 0x4500);
  writeUint16(record, at + 2, IP_HEADER_BYTES[4] + udpBytes);
  writeUint16(record, at + 4, 0);
  writeUint16(record, at + 6, 0x4000);
  writeUint16(record, at + 8, (hops << 8) | UDP);
  writeUint16(record, at + 10, 0);
}

/** RFC 8200 section 3. Its length does not count the header itself, so that a UDP length of 65535 fits. */
function writeIPv6Header(record: Buffer, udpBytes: number): void {
  const at = RECORD_HEADER_BYTES;
  writeUint16(record, at, 0x6000);
  writeUint16(record, at + 2, 0);
  writeUint16(record, at + 4, udpBytes);
  writeUint16(record, at + 6, (UDP << 8) | HOPS);
}

function writeUint16(record: Buffer, at: number, value: number): void {
  record[at] = value >> 8;
  record[at + 1] = value;
}
