import { uint16, uint32 } from './byte-order.js';
import { readIPv4, readIPv6 } from './address-bytes.js';
import type { CapturedDatagram } from './captured-datagram.js';
import type { Packet } from './decoder.js';
import { findIp, isReadLinkType, NOT_IP } from './link-layer.js';
import { Reassembly } from './reassembly.js';
import type { Skip, SkipTally } from './skip-tally.js';

/** Protocol numbers: https://www.iana.org/assignments/protocol-numbers */
const HOP_BY_HOP = 0;
const UDP = 17;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const DESTINATION_OPTIONS = 60;

const MALFORMED: Skip = { kind: 'malformed' };

const UDP_HEADER_BYTES = 8;
const IPV6_HEADER_BYTES = 40;
const FRAGMENT_HEADER_BYTES = 8;

/** Who sent a packet, to whom, and when. */
interface Envelope {
  readonly timeMs: number;
  readonly from: string;
  readonly to: string;
}

/** What stands behind headers: the bytes of `data` from `at` on that were captured, up to where the packet says it ends. */
interface Body {
  readonly protocol: number;
  readonly data: Uint8Array;
  readonly at: number;
  readonly end: number;
}

/** Finds the datagrams in the packets of a capture; what is none is counted. */
export class PacketDecoder {
  readonly #tally: SkipTally;
  readonly #reassembly: Reassembly;

  constructor(tally: SkipTally) {
    this.#tally = tally;
    this.#reassembly = new Reassembly(tally);
  }

  /** The datagram that a packet carries, or that it completes as the last of its fragments. */
  decode(packet: Packet): CapturedDatagram | undefined {
    const found = this.#readPacket(packet);
    if (found === undefined || 'data' in found) return found;
    // What was cut off cannot be told from what was never there but by the length.
    const isCut = found.kind === 'malformed' && packet.data.length < packet.wireBytes;
    this.#tally.add(isCut ? { kind: 'cut' } : found);
    return undefined;
  }

  /** Counts the fragments that are left: nothing more will come. */
  end(): void {
    this.#reassembly.end();
  }

  #readPacket({ timeMs, linkType, data }: Packet): CapturedDatagram | Skip | undefined {
    if (!isReadLinkType(linkType)) return { kind: 'not-read', name: `link type ${linkType}` };
    const at = findIp(linkType, data);
    if (at === NOT_IP) return { kind: 'not-udp', name: 'no IP' };
    if (at >= data.length) return MALFORMED;
    switch ((data[at] ?? 0) >> 4) {
      case 4:
        return this.#readIPv4(timeMs, data, at);
      case 6:
        return this.#readIPv6(timeMs, data, at);
      default:
        return { kind: 'not-udp', name: 'no IP' };
    }
  }

  /** RFC 791. */
  #readIPv4(timeMs: number, data: Uint8Array, at: number): CapturedDatagram | Skip | undefined {
    const headerBytes = ((data[at] ?? 0) & 0xf) * 4;
    const totalBytes = uint16(data, at + 2);
    if (headerBytes < 20 || data.length < at + headerBytes || totalBytes < headerBytes) return MALFORMED;
    const protocol = data[at + 9] ?? 0;
    if (protocol !== UDP) return { kind: 'not-udp', name: 'IP, and no UDP' };
    const envelope = { timeMs, from: readIPv4(data, at + 12), to: readIPv4(data, at + 16) };
    const body = { protocol, data, at: at + headerBytes, end: at + totalBytes };
    const flagsAndOffset = uint16(data, at + 6);
    const isLast = (flagsAndOffset & 0x2000) === 0;
    const offset = (flagsAndOffset & 0x1fff) * 8;
    if (isLast && offset === 0) return readUdp(envelope, body);
    const identification = uint16(data, at + 4);
    return this.#addFragment(envelope, body, { identification, offset, isLast });
  }

  /** RFC 8200. */
  #readIPv6(timeMs: number, data: Uint8Array, at: number): CapturedDatagram | Skip | undefined {
    if (data.length < at + IPV6_HEADER_BYTES) return MALFORMED;
    const envelope = { timeMs, from: readIPv6(data, at + 8), to: readIPv6(data, at + 24) };
    const end = at + IPV6_HEADER_BYTES + uint16(data, at + 4);
    const body = skipExtensions({ protocol: data[at + 6] ?? 0, data, at: at + IPV6_HEADER_BYTES, end });
    if (body === undefined) return MALFORMED;
    if (body.protocol !== FRAGMENT) return readUdp(envelope, body);
    const headerAt = body.at;
    if (body.end < headerAt + FRAGMENT_HEADER_BYTES || data.length < headerAt + FRAGMENT_HEADER_BYTES) {
      return MALFORMED;
    }
    const fragment = { ...body, protocol: data[headerAt] ?? 0, at: headerAt + FRAGMENT_HEADER_BYTES };
    const offsetAndFlag = uint16(data, headerAt + 2);
    const isLast = (offsetAndFlag & 1) === 0;
    const offset = offsetAndFlag & 0xfff8;
    // A fragment that is all of its datagram is no part of another (RFC 6946).
    if (isLast && offset === 0) return readRest(envelope, fragment);
    if (fragment.protocol !== UDP && !isExtension(fragment.protocol))
      return { kind: 'not-udp', name: 'IP, and no UDP' };
    const identification = uint32(data, headerAt + 4);
    return this.#addFragment(envelope, fragment, { identification, offset, isLast });
  }

  #addFragment(
    envelope: Envelope,
    { protocol, data, at, end }: Body,
    { identification, offset, isLast }: { identification: number; offset: number; isLast: boolean },
  ): CapturedDatagram | Skip | undefined {
    if (data.length < end) return MALFORMED;
    const { timeMs, from, to } = envelope;
    const key = `${from}>${to}#${identification}`;
    const whole = this.#reassembly.add({ key, timeMs, protocol, offset, data: data.subarray(at, end), isLast });
    if (whole === undefined) return undefined;
    return readRest(envelope, { protocol: whole.protocol, data: whole.data, at: 0, end: whole.data.length });
  }
}

/** What a whole datagram carries behind its fragment header, or did before it was cut into fragments. */
function readRest(envelope: Envelope, body: Body): CapturedDatagram | Skip {
  const rest = skipExtensions(body);
  return rest === undefined ? MALFORMED : readUdp(envelope, rest);
}

function isExtension(protocol: number): boolean {
  return (
    protocol === HOP_BY_HOP || protocol === ROUTING || protocol === AUTHENTICATION || protocol === DESTINATION_OPTIONS
  );
}

/** What stands behind the extension headers of IPv6 that may precede UDP; undefined if one is not there in full. */
function skipExtensions(body: Body): Body | undefined {
  const { data, end } = body;
  let { protocol, at } = body;
  while (isExtension(protocol)) {
    if (at + 2 > data.length) return undefined;
    const length = data[at + 1] ?? 0;
    // RFC 4302 section 2.2; RFC 8200 section 4.
    const bytes = protocol === AUTHENTICATION ? (length + 2) * 4 : (length + 1) * 8;
    protocol = data[at] ?? 0;
    at += bytes;
    if (at > end || at > data.length) return undefined;
  }
  return { protocol, data, at, end };
}

/** RFC 768. */
function readUdp({ timeMs, from, to }: Envelope, { protocol, data, at, end }: Body): CapturedDatagram | Skip {
  if (protocol !== UDP) return { kind: 'not-udp', name: 'IP, and no UDP' };
  if (at + UDP_HEADER_BYTES > data.length) return MALFORMED;
  const bytes = uint16(data, at + 4);
  if (bytes < UDP_HEADER_BYTES || at + bytes > end || at + bytes > data.length) return MALFORMED;
  return {
    timeMs,
    source: { address: from, port: uint16(data, at) },
    destination: { address: to, port: uint16(data, at + 2) },
    data: data.subarray(at + UDP_HEADER_BYTES, at + bytes),
  };
}
