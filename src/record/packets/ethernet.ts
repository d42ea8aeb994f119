import { uint16 } from '../byte-order.js';
import { stepOfEtherType } from './ethertype.js';
import { advance, type Cursor, hex4, MALFORMED, notRead, notUdp, type Step } from './layer.js';

/** The smallest EtherType. A smaller number is the length of an IEEE 802.3 frame, and an LLC header follows. */
const LEAST_ETHERTYPE = 0x0600;

/** Reads an Ethernet header: destination, source, and the type of the next header. */
export function readEthernet(cursor: Cursor): Step {
  const typeAt = cursor.at + 12;
  if (!advance(cursor, 14)) return MALFORMED;
  const type = uint16(cursor.data, typeAt);
  return type < LEAST_ETHERTYPE ? readLength(cursor) : stepOfEtherType(type);
}

/** Reads a VLAN tag, and the type of the next header. */
export function readVlan(cursor: Cursor): Step {
  const typeAt = cursor.at + 2;
  if (!advance(cursor, 4)) return MALFORMED;
  const type = uint16(cursor.data, typeAt);
  return type < LEAST_ETHERTYPE ? readLength(cursor) : stepOfEtherType(type);
}

/**
 * Returns the header behind a length: LLC. NetWare's oldest frames have IPX there, which begins with the checksum FFFF.
 */
function readLength({ data, at }: Cursor): Step {
  return uint16(data, at) === 0xffff && at + 2 <= data.length ? notUdp('IPX') : 'llc';
}

/** Reads a service instance tag. The frame of a customer follows it (IEEE 802.1ah). */
export function readPbb(cursor: Cursor): Step {
  return advance(cursor, 4) ? 'ethernet' : MALFORMED;
}

/** Reads the header of a Linux capture on "any": https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html */
export function readLinuxCooked(cursor: Cursor): Step {
  const typeAt = cursor.at + 14;
  return advance(cursor, 16) ? stepOfCookedType(uint16(cursor.data, typeAt)) : MALFORMED;
}

/** Reads version 2 of that header: https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html */
export function readLinuxCooked2(cursor: Cursor): Step {
  const typeAt = cursor.at;
  return advance(cursor, 20) ? stepOfCookedType(uint16(cursor.data, typeAt)) : MALFORMED;
}

/** Returns the header behind such a type. Below the EtherTypes Linux has numbers of its own (linux/if_ether.h). */
function stepOfCookedType(type: number): Step {
  switch (type) {
    case 0x0001:
      return notUdp('IPX');
    case 0x0004:
      return 'llc';
    case 0x000c:
    case 0x000d:
      return notUdp('CAN');
    case 0x0019:
      return notRead('IEEE 802.11');
    default:
      return stepOfEtherType(type);
  }
}

/** Service access points of LLC for SNAP and for IP (RFC 1042). */
const SAP_SNAP = 0xaa;
const SAP_IP = 0x06;
/** Service access points of protocols without UDP. */
const SAPS: ReadonlyMap<number, string> = new Map([
  [0x00, 'LLC'],
  [0x42, 'STP'],
  [0xe0, 'IPX'],
  [0xf0, 'NetBEUI'],
  [0xfe, 'OSI'],
]);
/** The control field of an unnumbered frame, one byte. Numbered frames have two bytes there. */
const UNNUMBERED_INFORMATION = 0x03;

/** Reads an LLC header (IEEE 802.2). */
export function readLlc(cursor: Cursor): Step {
  const { data, at } = cursor;
  if (!advance(cursor, 3)) return MALFORMED;
  const sap = data[at] ?? 0;
  const isInformation = data[at + 2] === UNNUMBERED_INFORMATION;
  if (sap === SAP_SNAP && isInformation) return readSnap(cursor);
  if (sap === SAP_IP && isInformation) return 'ip';
  const other = SAPS.get(sap);
  return other === undefined ? notRead(`LLC of SAP 0x${sap.toString(16).padStart(2, '0')}`) : notUdp(other);
}

/** Organizations in a SNAP header that number their protocols by EtherType: RFC 1042, and bridges of IEEE 802.1H. */
const OUIS_ETHERTYPE = new Set([0x000000, 0x0000f8]);
const OUI_CISCO = 0x00000c;
/** Protocols that Cisco numbers itself. */
const CISCO: ReadonlyMap<number, string> = new Map([
  [0x0104, 'PAgP'],
  [0x010b, 'STP'],
  [0x0111, 'UDLD'],
  [0x2000, 'CDP'],
  [0x2003, 'VTP'],
  [0x2004, 'DTP'],
]);
const OUI_APPLE = 0x080007;

function readSnap(cursor: Cursor): Step {
  const { data, at } = cursor;
  if (!advance(cursor, 5)) return MALFORMED;
  const oui = (uint16(data, at) << 8) | (data[at + 2] ?? 0);
  const protocol = uint16(data, at + 3);
  if (OUIS_ETHERTYPE.has(oui)) return stepOfEtherType(protocol);
  if (oui === OUI_APPLE) return notUdp('AppleTalk');
  const name = oui === OUI_CISCO ? CISCO.get(protocol) : undefined;
  if (name !== undefined) return notUdp(name);
  return notRead(`SNAP protocol ${hex4(protocol)} of 0x${oui.toString(16).padStart(6, '0')}`);
}

/** Reads a network service header, which names the next protocol (RFC 8300 section 2.2). */
export function readNsh(cursor: Cursor): Step {
  const { data, at } = cursor;
  const bytes = ((data[at + 1] ?? 0) & 0x3f) * 4;
  if (bytes < 8 || !advance(cursor, bytes)) return MALFORMED;
  switch (data[at + 3]) {
    case 1:
    case 2:
      return 'ip';
    case 3:
      return 'ethernet';
    case 5:
      return 'mpls';
    default:
      return notRead(`NSH protocol ${data[at + 3] ?? 0}`);
  }
}
