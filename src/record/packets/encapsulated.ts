import { uint16, uint16In, uint32, uint32In } from '../byte-order.js';
import { stepOfLinkType } from './link-type.js';
import { stepOfEtherType } from './ethertype.js';
import { advance, type Cursor, MALFORMED, notRead, notUdp, type Step } from './layer.js';

/** The numbers of IPv4 and IPv6 as address families of Linux, the BSDs, macOS and Windows. */
const ADDRESS_FAMILIES = new Set([2, 10, 23, 24, 28, 30]);

/**
 * Reads the address family before a packet of BSD's loopback, in the byte order of the capturing host or of the
 * network.
 */
export function readAddressFamily(cursor: Cursor): Step {
  const family = uint32(cursor.data, cursor.at);
  if (!advance(cursor, 4)) return MALFORMED;
  return stepOfFamily((family & 0xff_ffff) === 0 ? family >>> 24 : family);
}

function stepOfFamily(family: number): Step {
  return ADDRESS_FAMILIES.has(family) ? 'ip' : notRead(`address family ${family}`);
}

const NFLOG_PACKET_HEADER = 1;
const NFLOG_PAYLOAD = 9;
const NFLOG_FAMILY_BRIDGE = 7;

/**
 * Reads a packet logged by Linux netfilter: fields of length, type and value
 * (https://www.tcpdump.org/linktypes/LINKTYPE_NFLOG.html). They are in the byte order of the capturing host. A type is
 * a small number: so the position of its zero byte shows the byte order.
 */
export function readNflog(cursor: Cursor): Step {
  const { data } = cursor;
  const family = data[cursor.at] ?? 0;
  if (!advance(cursor, 4)) return MALFORMED;
  const littleEndian = data[cursor.at + 2] !== 0;
  let etherType: number | undefined;
  while (cursor.at + 4 <= data.length) {
    const { at } = cursor;
    const bytes = uint16In(data, at, littleEndian);
    const type = uint16In(data, at + 2, littleEndian) & 0x7fff;
    if (bytes < 4) return MALFORMED;
    if (type === NFLOG_PAYLOAD) {
      cursor.at += 4;
      cursor.end = Math.min(cursor.end, at + bytes);
      if (family !== NFLOG_FAMILY_BRIDGE) return stepOfFamily(family);
      return etherType === undefined ? 'ip' : stepOfEtherType(etherType);
    }
    // The EtherType in the packet header is in network byte order on every host.
    if (type === NFLOG_PACKET_HEADER) etherType = uint16(data, at + 4);
    cursor.at += Math.ceil(bytes / 4) * 4;
  }
  return cursor.end > data.length ? MALFORMED : notUdp('NFLOG without a packet');
}

/**
 * Reads a packet logged by BSD's packet filter. The header begins with two bytes: its length without padding, and the
 * address family.
 */
export function readPflog(cursor: Cursor): Step {
  const { data, at } = cursor;
  const bytes = Math.ceil((data[at] ?? 0) / 4) * 4;
  const family = data[at + 1] ?? 0;
  if (bytes < 4 || !advance(cursor, bytes)) return MALFORMED;
  return stepOfFamily(family);
}

/** Reads a packet of BSD's IPsec interface: address family, security parameter index and flags stand before it. */
export function readEnc(cursor: Cursor): Step {
  const family = uint32(cursor.data, cursor.at);
  if (!advance(cursor, 12)) return MALFORMED;
  return stepOfFamily((family & 0xff_ffff) === 0 ? family >>> 24 : family);
}

/** Reads the header of a macOS capture on several interfaces. It has the link type of the packet behind it. */
export function readPktap(cursor: Cursor): Step {
  const { data, at } = cursor;
  const littleEndian = uint32In(data, at, true) <= 0xffff;
  const bytes = uint32In(data, at, littleEndian);
  const linkType = uint32In(data, at + 8, littleEndian);
  if (bytes < 12 || !advance(cursor, bytes)) return MALFORMED;
  return stepOfLinkType(linkType);
}

/** Reads a PPI header, which has the link type of the packet (https://www.tcpdump.org/linktypes/LINKTYPE_PPI.html). */
export function readPpi(cursor: Cursor): Step {
  const { data, at } = cursor;
  const bytes = uint16In(data, at + 2, true);
  const linkType = uint32In(data, at + 4, true);
  if (bytes < 8 || !advance(cursor, bytes)) return MALFORMED;
  return stepOfLinkType(linkType);
}
