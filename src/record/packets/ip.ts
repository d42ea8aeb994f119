import { readIPv4, readIPv6 } from './address-bytes.js';
import { uint16, uint32 } from '../byte-order.js';
import type { Reassembly } from './reassembly.js';
import { advance, type Cursor, type LayerName, MALFORMED, notRead, notUdp, type Step } from './layer.js';

/** Protocol numbers: https://www.iana.org/assignments/protocol-numbers */
const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const DESTINATION_OPTIONS = 60;

const LAYERS: ReadonlyMap<number, LayerName> = new Map([
  [17, 'udp'],
  // IPv4 and IPv6 as payload of another IP packet.
  [4, 'ip'],
  [41, 'ip'],
  [47, 'gre'],
  [97, 'etherip'],
  [137, 'mpls'],
  // Ethernet in segment routing over IPv6 (RFC 8986).
  [143, 'ethernet'],
]);

const WITHOUT_UDP: ReadonlyMap<number, string> = new Map([
  [1, 'ICMP'],
  [2, 'IGMP'],
  [6, 'TCP'],
  [33, 'DCCP'],
  [46, 'RSVP'],
  [58, 'ICMPv6'],
  [59, 'IPv6 without a payload'],
  [88, 'EIGRP'],
  [89, 'OSPF'],
  [103, 'PIM'],
  [112, 'VRRP'],
  [113, 'PGM'],
  [132, 'SCTP'],
  [136, 'UDP-Lite'],
]);

const NOT_READ: ReadonlyMap<number, string> = new Map([
  [50, 'ESP'],
  [55, 'minimal IP encapsulation'],
  [108, 'IPComp'],
  [115, 'L2TP'],
  [135, 'Mobile IPv6'],
  [139, 'HIP'],
  [140, 'Shim6'],
]);

const IPV6_HEADER_BYTES = 40;
const FRAGMENT_HEADER_BYTES = 8;

/** Reads IPv4 and IPv6 headers, extension headers included, and reassembles fragments. */
export class IpLayer {
  readonly #reassembly: Reassembly;

  constructor(reassembly: Reassembly) {
    this.#reassembly = reassembly;
  }

  /** Reads a header of either version. The first four bits tell the version, not the header before. */
  readonly read = (cursor: Cursor): Step => {
    const { data, at } = cursor;
    if (at >= data.length) return MALFORMED;
    const version = (data[at] ?? 0) >> 4;
    if (version === 4) return this.#readIPv4(cursor);
    if (version === 6) return this.#readIPv6(cursor);
    return notRead(`IP of version ${version}`);
  };

  /** Reads an IPv4 header (RFC 791). */
  #readIPv4(cursor: Cursor): Step {
    const { data, at } = cursor;
    const headerBytes = ((data[at] ?? 0) & 0xf) * 4;
    const totalBytes = uint16(data, at + 2);
    // With segmentation offload the network card writes the length. In a capture on the sender it is still 0.
    const hasNoLength = totalBytes === 0;
    if (headerBytes < 20 || (totalBytes < headerBytes && !hasNoLength)) return MALFORMED;
    if (!advance(cursor, headerBytes)) return MALFORMED;
    const protocol = data[at + 9] ?? 0;
    const flagsAndOffset = uint16(data, at + 6);
    const isFragment = (flagsAndOffset & 0x3fff) !== 0;
    // Only the first fragment has the authentication header. It is read after reassembly.
    const isPartOfAuthenticated = isFragment && protocol === AUTHENTICATION;
    const step = isPartOfAuthenticated ? undefined : stepOfProtocol(skipAuthentication(cursor, protocol));
    if (typeof step === 'object') return step;
    limit(cursor, at, totalBytes, hasNoLength);
    cursor.from = readIPv4(data, at + 12);
    cursor.to = readIPv4(data, at + 16);
    if (!isFragment) return step;
    return this.#addFragment(cursor, {
      protocol,
      identification: `${uint16(data, at + 4)}/${protocol}`,
      offset: (flagsAndOffset & 0x1fff) * 8,
      isLast: (flagsAndOffset & 0x2000) === 0,
    });
  }

  /** Reads an IPv6 header (RFC 8200). */
  #readIPv6(cursor: Cursor): Step {
    const { data, at } = cursor;
    if (!advance(cursor, IPV6_HEADER_BYTES)) return MALFORMED;
    const payloadBytes = uint16(data, at + 4);
    limit(cursor, at, IPV6_HEADER_BYTES + payloadBytes, payloadBytes === 0);
    const protocol = skipExtensions(cursor, data[at + 6] ?? 0);
    if (protocol !== FRAGMENT) {
      const step = stepOfProtocol(protocol);
      if (typeof step === 'string') setIPv6(cursor, data, at);
      return step;
    }
    const headerAt = cursor.at;
    if (!advance(cursor, FRAGMENT_HEADER_BYTES) || cursor.at > cursor.end) return MALFORMED;
    const offsetAndFlag = uint16(data, headerAt + 2);
    const isLast = (offsetAndFlag & 1) === 0;
    const offset = offsetAndFlag & 0xfff8;
    const next = data[headerAt] ?? 0;
    setIPv6(cursor, data, at);
    // An atomic fragment is a whole datagram (RFC 6946).
    if (isLast && offset === 0) return stepOfProtocol(skipExtensions(cursor, next));
    if (!isExtension(next)) {
      const step = stepOfProtocol(next);
      if (typeof step !== 'string') return step;
    }
    const identification = String(uint32(data, headerAt + 4));
    return this.#addFragment(cursor, { protocol: next, identification, offset, isLast });
  }

  #addFragment(cursor: Cursor, { protocol, identification, offset, isLast }: FragmentFields): Step {
    const { data, at, end, from, to, timeMs } = cursor;
    if (data.length < end || at > end) return MALFORMED;
    const key = `${from}>${to}#${identification}`;
    const whole = this.#reassembly.add({ key, timeMs, protocol, offset, data: data.subarray(at, end), isLast });
    if (whole === undefined) return undefined;
    cursor.data = whole.data;
    cursor.at = 0;
    cursor.end = whole.data.length;
    cursor.isReassembled = true;
    cursor.hasNoLength = false;
    return stepOfProtocol(skipExtensions(cursor, whole.protocol));
  }
}

interface FragmentFields {
  readonly protocol: number;
  readonly identification: string;
  readonly offset: number;
  readonly isLast: boolean;
}

/** Sets the end of the packet that begins at `at`. A packet in a tunnel ends no later than the tunnel's packet. */
function limit(cursor: Cursor, at: number, bytes: number, hasNoLength: boolean): void {
  if (!hasNoLength) cursor.end = Math.min(cursor.end, at + bytes);
  cursor.hasNoLength = hasNoLength;
  cursor.ipBytes = cursor.end - at;
}

function setIPv6(cursor: Cursor, data: Uint8Array, at: number): void {
  cursor.from = readIPv6(data, at + 8);
  cursor.to = readIPv6(data, at + 24);
}

/** No protocol: the packet ends before its headers name one. */
const NONE = -1;

function stepOfProtocol(protocol: number): Step {
  const layer = LAYERS.get(protocol);
  if (layer !== undefined) return layer;
  if (protocol === NONE) return MALFORMED;
  const other = WITHOUT_UDP.get(protocol);
  return other === undefined ? notRead(NOT_READ.get(protocol) ?? `IP protocol ${protocol}`) : notUdp(other);
}

function isExtension(protocol: number): boolean {
  return (
    protocol === HOP_BY_HOP || protocol === ROUTING || protocol === AUTHENTICATION || protocol === DESTINATION_OPTIONS
  );
}

/** Moves the cursor behind extension headers. Returns the protocol behind them, or {@link NONE}. */
function skipExtensions(cursor: Cursor, first: number): number {
  let protocol = first;
  while (isExtension(protocol)) protocol = skipExtension(cursor, protocol);
  return protocol;
}

/** Moves the cursor behind authentication headers, the only extension headers of IPv4. */
function skipAuthentication(cursor: Cursor, first: number): number {
  let protocol = first;
  while (protocol === AUTHENTICATION) protocol = skipExtension(cursor, protocol);
  return protocol;
}

function skipExtension(cursor: Cursor, protocol: number): number {
  const { data, at } = cursor;
  if (at + 2 > data.length) return NONE;
  const length = data[at + 1] ?? 0;
  // RFC 4302 section 2.2; RFC 8200 section 4.
  const bytes = protocol === AUTHENTICATION ? (length + 2) * 4 : (length + 1) * 8;
  return advance(cursor, bytes) && cursor.at <= cursor.end ? (data[at] ?? 0) : NONE;
}
