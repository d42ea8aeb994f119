import { uint16 } from '../byte-order.js';
import { stepOfEtherType } from './ethertype.js';
import { advance, type Cursor, MALFORMED, notRead, notUdp, type Step } from './layer.js';

const ETHERTYPE_IPV4 = 0x0800;
const LABEL_BYTES = 4;
const ETHERNET_HEADER_BYTES = 14;
/** The control word of an Ethernet pseudowire: two bytes of 0, and a sequence number (RFC 4448 section 4.6). */
const CONTROL_WORD_BYTES = 4;

/**
 * Reads a stack of MPLS labels (RFC 3032). No field names the protocol behind the last label: it can be IP, or an
 * Ethernet pseudowire with or without a control word. So it is guessed: from the first four bits, and from whether the
 * header that they announce is plausible.
 */
export function readMpls(cursor: Cursor): Step {
  const { data } = cursor;
  let isBottom = false;
  while (!isBottom) {
    isBottom = ((data[cursor.at + 2] ?? 0) & 1) !== 0;
    if (!advance(cursor, LABEL_BYTES)) return MALFORMED;
  }
  const { at } = cursor;
  if (at >= data.length) return MALFORMED;
  const version = (data[at] ?? 0) >> 4;
  const ipEnd = endOfIp(data, at, version);
  if (ipEnd === cursor.end || (ipEnd < cursor.end && !isEthernet(data, at))) return 'ip';
  if (uint16(data, at) === 0 && isEthernet(data, at + CONTROL_WORD_BYTES)) {
    cursor.at += CONTROL_WORD_BYTES;
    return 'ethernet';
  }
  if (isEthernet(data, at)) return 'ethernet';
  if (version === 4 || version === 6) return 'ip';
  // An associated channel (RFC 4385 section 5). It carries pings of the path and alarms.
  return version === 1 ? notUdp('MPLS OAM') : notRead('MPLS pseudowire');
}

/**
 * Returns the end of a packet, if it begins with an IP header; otherwise NaN. A MAC address can look like an IP header.
 */
function endOfIp(data: Uint8Array, at: number, version: number): number {
  if (version === 6) return at + 40 + uint16(data, at + 4);
  const headerBytes = ((data[at] ?? 0) & 0xf) * 4;
  const totalBytes = uint16(data, at + 2);
  return version === 4 && headerBytes >= 20 && totalBytes >= headerBytes ? at + totalBytes : NaN;
}

/**
 * Whether these bytes can be an Ethernet header: its type is known, or it is a length before an unnumbered LLC frame.
 */
function isEthernet(data: Uint8Array, at: number): boolean {
  const payloadAt = at + ETHERNET_HEADER_BYTES;
  if (payloadAt > data.length) return false;
  const type = uint16(data, at + 12);
  if (type < 0x0600) return data[payloadAt] === data[payloadAt + 1] && data[payloadAt + 2] === 3;
  const step = stepOfEtherType(type);
  if (step === 'ip') return (data[payloadAt] ?? 0) >> 4 === (type === ETHERTYPE_IPV4 ? 4 : 6);
  return typeof step === 'string' || step?.kind === 'not-udp';
}
