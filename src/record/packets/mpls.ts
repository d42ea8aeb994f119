import { uint16 } from '../byte-order.js';
import { stepOfEtherType } from './ethertype.js';
import { advance, type Cursor, MALFORMED, notRead, notUdp, type Step } from './layer.js';

const ETHERTYPE_IPV4 = 0x0800;
const LABEL_BYTES = 4;
const ETHERNET_HEADER_BYTES = 14;
/** Of a pseudowire of Ethernet: two bytes of 0, and a sequence number (RFC 4448 section 4.6). */
const CONTROL_WORD_BYTES = 4;

/**
 * A stack of labels (RFC 3032). Nothing says what stands behind the last: IP, or a pseudowire of Ethernet, with a control
 * word or without. So it is told by its first four bits, and by whether the header that they announce can be one.
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
  // An associated channel (RFC 4385 section 5), in which pings of the path and alarms go.
  return version === 1 ? notUdp('MPLS OAM') : notRead('MPLS pseudowire');
}

/** Where a packet ends if its header is one of IP, which the address of an Ethernet header may resemble; NaN if it is none. */
function endOfIp(data: Uint8Array, at: number, version: number): number {
  if (version === 6) return at + 40 + uint16(data, at + 4);
  const headerBytes = ((data[at] ?? 0) & 0xf) * 4;
  const totalBytes = uint16(data, at + 2);
  return version === 4 && headerBytes >= 20 && totalBytes >= headerBytes ? at + totalBytes : NaN;
}

/** Whether an Ethernet header can be there: its type is known, or is a length before an unnumbered frame of LLC. */
function isEthernet(data: Uint8Array, at: number): boolean {
  const payloadAt = at + ETHERNET_HEADER_BYTES;
  if (payloadAt > data.length) return false;
  const type = uint16(data, at + 12);
  if (type < 0x0600) return data[payloadAt] === data[payloadAt + 1] && data[payloadAt + 2] === 3;
  const step = stepOfEtherType(type);
  if (step === 'ip') return (data[payloadAt] ?? 0) >> 4 === (type === ETHERTYPE_IPV4 ? 4 : 6);
  return typeof step === 'string' || step?.kind === 'not-udp';
}
