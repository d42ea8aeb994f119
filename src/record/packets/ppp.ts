import { uint16 } from '../byte-order.js';
import { stepOfEtherType } from './ethertype.js';
import { advance, type Cursor, hex4, type LayerName, MALFORMED, notRead, notUdp, type Step } from './layer.js';

/**
 * The address field of a frame; a control field follows it (RFC 1662 section 3.1). Peers may agree to leave both out.
 * No protocol number begins with this byte, so it shows whether they are there.
 */
const ALL_STATIONS = 0xff;

/** Protocols that are read, by their numbers: https://www.iana.org/assignments/ppp-numbers */
const LAYERS: ReadonlyMap<number, LayerName> = new Map([
  [0x0021, 'ip'],
  [0x0057, 'ip'],
  [0x0281, 'mpls'],
  [0x0283, 'mpls'],
]);
const BRIDGING = 0x0031;
/** From this number on protocols negotiate the link. They carry no data. */
const LEAST_CONTROL = 0x8000;

const WITHOUT_UDP: ReadonlyMap<number, string> = new Map([
  [0x0023, 'OSI'],
  [0x002b, 'IPX'],
  [0x002d, 'compressed TCP'],
  [0x002f, 'compressed TCP'],
  [0xc021, 'LCP'],
  [0xc023, 'PAP'],
  [0xc025, 'PPP link quality'],
  [0xc223, 'CHAP'],
  [0xc227, 'EAP'],
]);

const NOT_READ: ReadonlyMap<number, string> = new Map([
  [0x0003, 'ROHC'],
  [0x0005, 'ROHC'],
  [0x003d, 'multilink PPP'],
  [0x0053, 'encrypted PPP'],
  [0x0055, 'encrypted PPP'],
  [0x00fb, 'compressed PPP'],
  [0x00fd, 'compressed PPP'],
]);

/** Reads a PPP header (RFC 1661), with or without the address and control fields of RFC 1662. */
export function readPpp(cursor: Cursor): Step {
  const { data } = cursor;
  if (data[cursor.at] === ALL_STATIONS) cursor.at += 2;
  const { at } = cursor;
  // A number below 0x100 may be written in one byte. The last byte of a number is odd, others even (RFC 1661 sections
  // 2, 6.5).
  const isShort = ((data[at] ?? 0) & 1) !== 0;
  if (!advance(cursor, isShort ? 1 : 2)) return MALFORMED;
  return stepOfProtocol(cursor, isShort ? (data[at] ?? 0) : uint16(data, at));
}

function stepOfProtocol(cursor: Cursor, protocol: number): Step {
  const layer = LAYERS.get(protocol);
  if (layer !== undefined) return layer;
  if (protocol === BRIDGING) return readBridged(cursor);
  const other = WITHOUT_UDP.get(protocol) ?? (protocol >= LEAST_CONTROL ? `PPP control ${hex4(protocol)}` : undefined);
  return other === undefined ? notRead(NOT_READ.get(protocol) ?? `PPP protocol ${hex4(protocol)}`) : notUdp(other);
}

/** Reads a bridged frame. Flags and a MAC type stand before it (RFC 3518 section 4.2). */
function readBridged(cursor: Cursor): Step {
  const kind = cursor.data[cursor.at + 1];
  if (!advance(cursor, 2)) return MALFORMED;
  return kind === 1 ? 'ethernet' : notRead(`bridged PPP of MAC type ${kind ?? 0}`);
}

/** Reads the byte before a PPP header that says whether the packet was sent or received. */
export function readPppWithDirection(cursor: Cursor): Step {
  return advance(cursor, 1) ? 'ppp' : MALFORMED;
}

/** The first byte of a Cisco HDLC frame: to one station, or to all. */
const CISCO_ADDRESSES: readonly (number | undefined)[] = [0x0f, 0x8f];

/** Reads a frame of a serial line: PPP, or Cisco HDLC if the first byte is one of its addresses. */
export function readPppSerial({ data, at }: Cursor): Step {
  return CISCO_ADDRESSES.includes(data[at]) ? 'cisco-hdlc' : 'ppp';
}

/** Reads a Cisco HDLC header: address, control, and an EtherType. */
export function readCiscoHdlc(cursor: Cursor): Step {
  const typeAt = cursor.at + 2;
  if (!advance(cursor, 4)) return MALFORMED;
  const type = uint16(cursor.data, typeAt);
  // Keepalives use the EtherType that is RARP's elsewhere.
  return type === 0x8035 ? notUdp('SLARP') : stepOfEtherType(type);
}

const SESSION = 0;

/** Reads a PPPoE header (RFC 2516 section 4). Its length is not needed: the IP packet has its own. */
export function readPppoe(cursor: Cursor): Step {
  const code = cursor.data[cursor.at + 1];
  if (!advance(cursor, 6)) return MALFORMED;
  return code === SESSION ? 'ppp' : notUdp('PPPoE discovery');
}
