/** Makes headers around packets, and generates random nestings of them. */
import { ethernet, extension, fragmentHeader, ipv4, ipv6, tag, udp } from './files.js';
import { fc } from '../support/property.js';

/** Joins bytes written in hex and further bytes. */
export const bytes = (text: string, ...rest: readonly Uint8Array[]): Buffer =>
  Buffer.concat([Buffer.from(text.replaceAll(' ', ''), 'hex'), ...rest]);

const short = (value: number): Buffer => Buffer.of(value >> 8, value & 0xff);

/** The EtherType of an IP packet. */
export const typeOf = (packet: Uint8Array): number => (packet[0]! >> 4 === 4 ? 0x0800 : 0x86dd);
/** The protocol number of an IP packet within another. */
export const protocolOf = (packet: Uint8Array): number => (packet[0]! >> 4 === 4 ? 4 : 41);

/** GRE with the fields that these flags announce. */
export function gre(
  protocol: number,
  body: Uint8Array,
  { checksum = false, key = false, sequence = false } = {},
): Buffer {
  const flags = (checksum ? 0x8000 : 0) | (key ? 0x2000 : 0) | (sequence ? 0x1000 : 0);
  const fields = [checksum, key, sequence].filter(Boolean).map(() => Buffer.of(1, 2, 3, 4));
  return Buffer.concat([short(flags), short(protocol), ...fields, body]);
}

/** Labels of MPLS, the last of which is the bottom of the stack. */
export function mpls(labels: number, body: Uint8Array): Buffer {
  const stack = Array.from({ length: labels }, (_, n) => Buffer.of(0, n, n === labels - 1 ? 0x11 : 0x10, 64));
  return Buffer.concat([...stack, body]);
}

/** A PPPoE header of a session, and PPP behind it. */
export const pppoe = (ppp: Uint8Array): Buffer => bytes('1100 0001', short(ppp.length), ppp);
/** A PPP header without address and control field. */
export const ppp = (packet: Uint8Array): Buffer => bytes(typeOf(packet) === 0x0800 ? '0021' : '0057', packet);
/** A frame of IEEE 802.3, which says its length. */
export const ieee8023 = (llc: Uint8Array): Buffer => ethernet(llc.length, llc);
/** LLC and SNAP before an EtherType. */
export const snap = (type: number, body: Uint8Array, oui = '000000'): Buffer =>
  bytes(`aaaa03 ${oui}`, short(type), body);
/** A field of NFLOG. */
const nflogField = (type: number, value: Uint8Array, littleEndian: boolean): Buffer => {
  const head = [4 + value.length, type].map((number) => (littleEndian ? short(number).reverse() : short(number)));
  return Buffer.concat([...head, value, Buffer.alloc(-value.length & 3)]);
};
export const nflog = (packet: Uint8Array, littleEndian = true): Buffer =>
  bytes(
    packet[0]! >> 4 === 4 ? '0200 0000' : '0a00 0000',
    nflogField(1, bytes('0800 01 00'), littleEndian),
    nflogField(10, Buffer.from('prefix\0'), littleEndian),
    nflogField(9, packet, littleEndian),
    nflogField(11, Buffer.of(0, 0, 0, 0), littleEndian),
  );

/** Packets of one kind: a single packet, or its fragments. */
interface Packets {
  readonly kind: 'ip' | 'ethernet';
  readonly packets: readonly Buffer[];
}

/** Puts a header around each packet. */
type Wrap = (inner: Packets) => Packets;

const flags = fc.record({ checksum: fc.boolean(), key: fc.boolean(), sequence: fc.boolean() });

/** An IP packet of either version, with and without extension headers. */
const inIp = (is6: boolean, hasOptions: boolean, protocol: number, body: Buffer): Buffer => {
  if (!is6) return ipv4(body, { protocol, options: Buffer.alloc(hasOptions ? 8 : 0) });
  return hasOptions ? ipv6(Buffer.concat([extension(protocol), body]), 60) : ipv6(body, protocol);
};

const each = (kind: Packets['kind'], wrap: (packet: Buffer) => Buffer): Wrap => {
  return ({ packets }) => ({ kind, packets: packets.map(wrap) });
};

/** Headers that can be around an IP packet. */
const aroundIp: fc.Arbitrary<Wrap> = fc.oneof(
  fc.tuple(fc.boolean(), fc.boolean()).map(([is6, hasOptions]) => {
    return each('ip', (packet) => inIp(is6, hasOptions, protocolOf(packet), packet));
  }),
  fc.tuple(fc.boolean(), flags).map(([is6, flags]) => {
    return each('ip', (packet) => inIp(is6, false, 47, gre(typeOf(packet), packet, flags)));
  }),
  fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 4 })).map(([is6, labels]) => {
    return each('ip', (packet) => inIp(is6, false, 47, gre(0x8847, mpls(labels, packet))));
  }),
  fc.constant(each('ethernet', (packet) => ethernet(typeOf(packet), packet))),
  fc.constantFrom(0x8100, 0x88a8, 0x9100).map((type) => {
    return each('ethernet', (packet) => ethernet(type, tag(0x8100, tag(typeOf(packet), packet))));
  }),
  fc.constant(each('ethernet', (packet) => ethernet(0x8864, pppoe(ppp(packet))))),
  fc.constant(each('ethernet', (packet) => ethernet(0x8100, tag(0x8864, pppoe(ppp(packet)))))),
  fc.integer({ min: 1, max: 4 }).map((labels) => {
    return each('ethernet', (packet) => ethernet(0x8847, mpls(labels, packet)));
  }),
  fc.constant(each('ethernet', (packet) => ieee8023(snap(typeOf(packet), packet)))),
  fc.constant(each('ethernet', (packet) => ethernet(0x894f, bytes('0f c2 02 01 000001ff', Buffer.alloc(0), packet)))),
);

/** Headers that can be around an Ethernet frame. */
const aroundEthernet: fc.Arbitrary<Wrap> = fc.oneof(
  fc.tuple(fc.boolean(), flags).map(([is6, flags]) => {
    return each('ip', (frame) => inIp(is6, false, 47, gre(0x6558, frame, flags)));
  }),
  fc.boolean().map((is6) => each('ip', (frame) => inIp(is6, false, 97, bytes('3000', frame)))),
  fc.boolean().map((is6) => each('ip', (frame) => inIp(is6, false, 47, gre(0x88be, frame)))),
  fc.boolean().map((is6) => {
    return each('ip', (frame) =>
      inIp(is6, false, 47, gre(0x88be, bytes('10010000 00000000', frame), { sequence: true })),
    );
  }),
  fc.integer({ min: 1, max: 3 }).map((labels) => each('ethernet', (frame) => ethernet(0x8847, mpls(labels, frame)))),
  fc.integer({ min: 1, max: 3 }).map((labels) => {
    return each('ethernet', (frame) => ethernet(0x8847, mpls(labels, bytes('00000001', frame))));
  }),
  fc.constant(each('ethernet', (frame) => ethernet(0x88e7, bytes('00000001', frame)))),
);

/** Cuts IP packets into fragments of a size, and keeps their order. */
const cut = (size: number, firstId: number): Wrap => {
  return ({ packets }) => ({
    kind: 'ip',
    packets: packets.flatMap((packet, index) => {
      const id = firstId + index;
      const is4 = packet[0]! >> 4 === 4;
      const headerBytes = is4 ? (packet[0]! & 0xf) * 4 : 40;
      // Only whole packets are cut: the fragments of a fragment would need its offset.
      const isFragment = is4 ? (packet.readUInt16BE(6) & 0x3fff) !== 0 : packet[6] === 44;
      const body = packet.subarray(headerBytes);
      if (isFragment || body.length <= size) return [packet];
      const protocol = is4 ? packet[9]! : packet[6]!;
      return Array.from({ length: Math.ceil(body.length / size) }, (_, n) => {
        const piece = body.subarray(n * size, (n + 1) * size);
        const [offset, more] = [n * size, (n + 1) * size < body.length];
        if (is4) return ipv4(piece, { protocol, offset, more, id });
        return ipv6(Buffer.concat([fragmentHeader(protocol, { offset, more, id }), piece]), 44);
      });
    }),
  });
};

/** A UDP datagram in up to ten headers, in any valid order. The packet can be fragmented at each of them. */
export const nested = fc
  .record({
    payload: fc.uint8Array({ maxLength: 300 }),
    is6: fc.boolean(),
    wraps: fc.array(
      fc.record({ ip: aroundIp, ethernet: aroundEthernet, cutBytes: fc.option(fc.integer({ min: 2, max: 40 })) }),
      { maxLength: 10 },
    ),
  })
  .map(({ payload, is6, wraps }) => {
    let inner: Packets = { kind: 'ip', packets: [is6 ? ipv6(udp(payload)) : ipv4(udp(payload))] };
    let id = 1;
    for (const { ip, ethernet, cutBytes } of wraps) {
      if (inner.kind === 'ethernet') inner = ethernet(inner);
      else {
        // Few fragments, because each of them can be cut again at the next header.
        if (cutBytes !== null && inner.packets.length < 20) inner = cut(cutBytes * 8, id)(inner);
        id += 1000;
        inner = ip(inner);
      }
    }
    return { payload: Buffer.from(payload), is6, ...inner };
  });
