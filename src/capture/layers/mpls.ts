import { uint16 } from '../byte-order.js';
import { stepOfEtherType } from './ethertype.js';
import { advance, type Cursor, MALFORMED, notRead, notUdp, type Step } from './layer.js';

const LABEL_BYTES = 4;
const ETHERNET_HEADER_BYTES = 14;
/** Of a pseudowire: 0 in its first four bits, and a sequence number (RFC 4385 section 3). */
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
  if (isIp(cursor, version)) return 'ip';
  if (version === 0 && isEthernet(data, at + CONTROL_WORD_BYTES)) {
    cursor.at += CONTROL_WORD_BYTES;
    return 'ethernet';
  }
  if (isEthernet(data, at)) return 'ethernet';
  if (version === 4 || version === 6) return 'ip';
  // An associated channel (RFC 4385 section 5), in which pings of the path and alarms go.
  return version === 1 ? notUdp('MPLS OAM') : notRead('MPLS pseudowire');
}

/** Whether a header can be one of IP, rather than an address of Ethernet that begins with these bits. */
function isIp({ data, at, end }: Cursor, version: number): boolean {
  if (version === 6) return at + 40 + uint16(data, at + 4) <= end;
  const headerBytes = ((data[at] ?? 0) & 0xf) * 4;
  const totalBytes = uint16(data, at + 2);
  return version === 4 && headerBytes >= 20 && at + Math.max(headerBytes, totalBytes) <= end;
}

/** Whether an Ethernet header can be there: its type is known, or is a length before an unnumbered frame of LLC. */
function isEthernet(data: Uint8Array, at: number): boolean {
  const payloadAt = at + ETHERNET_HEADER_BYTES;
  if (payloadAt > data.length) return false;
  const type = uint16(data, at + 12);
  if (type < 0x0600) return data[payloadAt] === data[payloadAt + 1] && data[payloadAt + 2] === 3;
  const step = stepOfEtherType(type);
  return typeof step === 'string' || step?.kind === 'not-udp';
}
