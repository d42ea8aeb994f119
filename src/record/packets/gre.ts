import { uint16 } from '../byte-order.js';
import { stepOfEtherType } from './ethertype.js';
import { advance, type Cursor, MALFORMED, notRead, notUdp, type Step } from './layer.js';

/** Flags in the first two bytes (RFC 2890 section 2; routing: RFC 1701; acknowledgement: RFC 2637 section 4.1). */
const CHECKSUM = 0x8000;
const ROUTING = 0x4000;
const KEY = 0x2000;
const SEQUENCE = 0x1000;
const ACKNOWLEDGEMENT = 0x0080;
const VERSION = 0x0007;

/** Protocols that are read in another way than their EtherType. */
const KEEPALIVE = 0x0000;
const PPP = 0x880b;
const WCCP = 0x883e;
const ERSPAN = 0x88be;
const ERSPAN_3 = 0x22eb;

/** Reads a GRE header of version 0, or of version 1 (PPTP). */
export function readGre(cursor: Cursor): Step {
  const { data, at } = cursor;
  if (!advance(cursor, 4)) return MALFORMED;
  const flags = uint16(data, at);
  const protocol = uint16(data, at + 2);
  const version = flags & VERSION;
  if (version > 1) return notRead(`GRE of version ${version}`);
  if ((flags & (CHECKSUM | ROUTING)) !== 0) cursor.at += 4;
  if ((flags & KEY) !== 0) cursor.at += 4;
  if ((flags & SEQUENCE) !== 0) cursor.at += 4;
  if (version === 1 && (flags & ACKNOWLEDGEMENT) !== 0) cursor.at += 4;
  if ((flags & ROUTING) !== 0 && version === 0) skipRouting(cursor);
  if (cursor.at > data.length) return MALFORMED;
  if (version === 1 && (flags & SEQUENCE) === 0) return notUdp('PPTP acknowledgement');
  return stepOfProtocol(cursor, protocol, flags);
}

/** Moves the cursor behind the routing entries of RFC 1701. An entry of length 0 is the last. */
function skipRouting(cursor: Cursor): void {
  let length: number;
  do {
    length = cursor.data[cursor.at + 3] ?? 0;
    cursor.at += 4 + length;
  } while (length > 0);
}

function stepOfProtocol(cursor: Cursor, protocol: number, flags: number): Step {
  switch (protocol) {
    case KEEPALIVE:
      return notUdp('GRE keepalive');
    case WCCP:
      // WCCP 2 has a header of four bytes before the IPv4 packet; WCCP 1 has none.
      if ((cursor.data[cursor.at] ?? 0) >> 4 !== 4) cursor.at += 4;
      return 'ip';
    case ERSPAN:
      // ERSPAN type II has a header, and a sequence number in the GRE header. Type I has neither.
      return (flags & SEQUENCE) === 0 || advance(cursor, 8) ? 'ethernet' : MALFORMED;
    case ERSPAN_3:
      return readErspan3(cursor);
    case PPP:
      return 'ppp';
    default:
      return stepOfEtherType(protocol, 'GRE protocol');
  }
}

/** Reads an ERSPAN header of type III (https://datatracker.ietf.org/doc/html/draft-foschiano-erspan-03 section 4.3). */
function readErspan3(cursor: Cursor): Step {
  const bits = uint16(cursor.data, cursor.at + 10);
  const hasSubheader = (bits & 1) !== 0;
  if (!advance(cursor, hasSubheader ? 20 : 12)) return MALFORMED;
  const frame = (bits >> 10) & 0x1f;
  if (frame === 0) return 'ethernet';
  return frame === 2 ? 'ip' : notRead(`ERSPAN of frame type ${frame}`);
}

/** Reads an EtherIP header (RFC 3378). */
export function readEtherIp(cursor: Cursor): Step {
  return advance(cursor, 2) ? 'ethernet' : MALFORMED;
}
