import { describe, expect, test } from '@jest/globals';
import { fc, holdsAsync } from '../support/property.js';
import { ethernet, ipv4, ipv6, type MadePacket, payloadsOf, pcapFile, readAll, tag, udp } from './files.js';
import { ENCAPSULATIONS } from './encapsulations.js';
import { bytes, gre, ieee8023, mpls, nested, pppoe, snap } from './nesting.js';

const v4 = ipv4(udp('hello'));
const v6 = ipv6(udp('hello'));
const frame = ethernet(0x0800, v4);
const greIn4 = (...args: Parameters<typeof gre>): Buffer => ipv4(gre(...args), { protocol: 47 });

const readPackets = (packets: readonly (Uint8Array | MadePacket)[], linkType: number) =>
  readAll(
    pcapFile(
      packets.map((packet) => (packet instanceof Uint8Array ? { data: packet } : packet)),
      { linkType },
    ),
  );

describe('a datagram within', () => {
  test.each(ENCAPSULATIONS)('%s (link type %d) is read', async (_name, linkType, packet) => {
    const { datagrams, skipped, error } = await readPackets([packet], linkType);
    expect({ skipped, error }).toEqual({ skipped: {}, error: undefined });
    const isIPv6 = packet.includes(v6);
    expect(datagrams).toEqual([
      {
        timeMs: 1_800_000_000_000.005,
        source: { address: isIPv6 ? '2001:db8::1' : '192.0.2.1', port: 40_000 },
        destination: { address: isIPv6 ? '2001:db8::2' : '192.0.2.2', port: 8000 },
        data: Buffer.from('hello'),
      },
    ]);
  });

  test.each(ENCAPSULATIONS)('%s (link type %d), cut anywhere, is counted as cut', async (_name, linkType, packet) => {
    // Only cuts before the end of the payload count: in NFLOG further fields follow the packet.
    const end = packet.lastIndexOf('hello') + 5;
    for (let length = 0; length < end; length += 1) {
      const { datagrams, skipped } = await readPackets(
        [{ data: packet.subarray(0, length), wireBytes: packet.length }],
        linkType,
      );
      // MPLS and LLC have no length. A cut packet can look like a whole one of another kind.
      const isGuess = Object.keys(skipped).some((name) => /MPLS|IPX/.test(name));
      expect({ length, datagrams, isCut: isGuess || skipped.cut === 1 }).toEqual({
        length,
        datagrams: [],
        isCut: true,
      });
    }
  });

  test('any nesting of headers, with fragments at any level, is read as it was sent', async () => {
    let mostPackets = 0;
    await holdsAsync(
      fc.asyncProperty(nested, async ({ payload, is6, kind, packets }) => {
        mostPackets = Math.max(mostPackets, packets.length);
        const { datagrams, skipped } = await readPackets(packets, kind === 'ip' ? 101 : 1);
        expect(skipped).toEqual({});
        expect(
          datagrams.map(({ data, source, destination }) => [Buffer.from(data), source.address, destination.port]),
        ).toEqual([[payload, is6 ? '2001:db8::1' : '192.0.2.1', 8000]]);
      }),
    );
    expect(mostPackets).toBeGreaterThan(1);
  });

  test('a hundred headers is read, and more are counted', async () => {
    const within = (depth: number): Buffer => {
      let packet = v4;
      for (let n = 0; n < depth; n += 1) packet = ipv4(packet, { protocol: 4 });
      return packet;
    };
    const { datagrams, skipped } = await readPackets([within(99), within(100), within(1000)], 101);
    expect(datagrams).toHaveLength(1);
    expect(skipped).toEqual({ 'more than 100 headers': 2 });
  });
});

describe('a packet without UDP, or of a protocol that cannot be read', () => {
  const etherTypes: readonly [number, string][] = [
    [0x0806, 'ARP'],
    [0x8863, 'PPPoE discovery'],
    [0x88cc, 'LLDP'],
    [0x888e, 'EAPOL'],
    [0x88f7, 'PTP'],
    [0x8137, 'IPX'],
  ];
  const hidden: readonly [number, string][] = [
    [0x88e5, 'MACsec'],
    [0x22f3, 'TRILL'],
    [0x892f, 'HSR'],
    [0x1234, 'EtherType 0x1234'],
  ];
  const protocols: readonly [number, string][] = [
    [1, 'ICMP'],
    [2, 'IGMP'],
    [6, 'TCP'],
    [58, 'ICMPv6'],
    [89, 'OSPF'],
    [132, 'SCTP'],
  ];
  const body = Buffer.alloc(60, 1);

  test.each<[string, 'not-udp' | 'not-read', number, Buffer]>([
    ...etherTypes
      .map(([type, name]) => [name, 'not-udp', 1, ethernet(type, body)] as const)
      .map((row) => [...row] as never),
    ...hidden.map(([type, name]) => [name, 'not-read', 1, ethernet(type, body)] as never),
    ...protocols.map(([protocol, name]) => [name, 'not-udp', 101, ipv4(body, { protocol })] as never),
    ['ESP', 'not-read', 101, ipv4(body, { protocol: 50 })],
    ['L2TP', 'not-read', 101, ipv6(body, 115)],
    ['IP protocol 253', 'not-read', 101, ipv4(body, { protocol: 253 })],
    ['GRE of version 2', 'not-read', 101, ipv4(bytes('0002 0800', body), { protocol: 47 })],
    ['GRE protocol 0x1234', 'not-read', 101, greIn4(0x1234, body)],
    ['GRE keepalive', 'not-udp', 101, greIn4(0, Buffer.of())],
    ['PPTP acknowledgement', 'not-udp', 101, ipv4(bytes('2081 880b 0000 0001 00000002'), { protocol: 47 })],
    ['NHRP', 'not-udp', 101, greIn4(0x2001, body)],
    ['compressed PPP', 'not-read', 9, bytes('ff03 00fd', body)],
    ['multilink PPP', 'not-read', 9, bytes('ff03 003d', body)],
    ['PPP protocol 0x4025', 'not-read', 9, bytes('ff03 4025', body)],
    ['LCP', 'not-udp', 1, ethernet(0x8864, pppoe(bytes('c021', body)))],
    ['PPP control 0x8021', 'not-udp', 9, bytes('ff03 8021', body)],
    ['PPPoE discovery', 'not-udp', 51, bytes('1109 0000 0004 01010000')],
    ['STP', 'not-udp', 1, ieee8023(bytes('424203', body))],
    ['CDP', 'not-udp', 1, ieee8023(snap(0x2000, body, '00000c'))],
    ['SNAP protocol 0x1234 of 0x0080c2', 'not-read', 1, ieee8023(snap(0x1234, body, '0080c2'))],
    ['LLC of SAP 0x7e', 'not-read', 1, ieee8023(bytes('7e7e03', body))],
    ['IPX', 'not-udp', 1, ieee8023(bytes('ffff', body))],
    ['MPLS OAM', 'not-udp', 1, ethernet(0x8847, mpls(1, bytes('1000 0007', body)))],
    ['MPLS pseudowire', 'not-read', 1, ethernet(0x8847, mpls(1, bytes('0000 0001', body)))],
    ['SLARP', 'not-udp', 104, bytes('8f00 8035', body)],
    ['CAN', 'not-udp', 113, bytes('0001 0118 0000 0000000000000000 000c', body)],
    ['IEEE 802.11', 'not-read', 113, bytes('0001 0323 0000 0000000000000000 0019', body)],
    ['address family 7', 'not-read', 0, bytes('07000000', body)],
    ['IEEE 802.11 (link type 105)', 'not-read', 192, bytes('0000 0800 69000000', body)],
    ['USB (link type 220)', 'not-read', 258, bytes('10000000 01000000 dc000000 00000000', body)],
    // The outermost of several unknown protocols counts.
    ['MACsec', 'not-read', 1, ethernet(0x8100, tag(0x88e5, frame))],
    [
      'ESP',
      'not-read',
      1,
      ethernet(0x8847, mpls(1, ipv4(greIn4(0x0800, ipv4(body, { protocol: 50 })), { protocol: 4 }))),
    ],
  ])('%s is counted by its name (%s)', async (name, kind, linkType, packet) => {
    const { datagrams, entries, error } = await readPackets([packet, packet], linkType);
    expect({ datagrams, error }).toEqual({ datagrams: [], error: undefined });
    expect(entries).toEqual([{ kind, name, count: 2, mayHideDatagrams: kind === 'not-read' }]);
  });

  test('is counted among others once there are a thousand names, so that memory is bounded', async () => {
    const frames = Array.from({ length: 3000 }, (_, n) => ethernet(0xa000 + n, body));
    const { entries } = await readPackets([...frames, ethernet(0x0800, Buffer.of())], 1);
    expect(entries.length).toBeLessThanOrEqual(1002);
    expect(entries.reduce((sum, { count }) => sum + count, 0)).toBe(3001);
    expect(entries[0]).toMatchObject({ name: 'other protocols', count: 2000 });
    expect(entries.at(-1)).toMatchObject({ kind: 'malformed', count: 1 });
  });
});

describe('datagrams that segmentation offload joined', () => {
  /** Writes only the sum of the pseudo-header as checksum, as the kernel does for a network card that completes it. */
  const partial = (payload: Uint8Array): Buffer => {
    const packet = ipv4(udp(payload));
    let sum = 17 + 8 + payload.length;
    for (let at = 12; at < 20; at += 2) sum += packet.readUInt16BE(at);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    packet.writeUInt16BE(sum, 26);
    return packet;
  };
  /** Writes a valid checksum: the payload is chosen so that the sum is FFFF. */
  const whole = (packet: Buffer): Buffer => {
    let sum = 17 + packet.length - 20;
    packet.writeUInt16BE(0, 26);
    for (let at = 12; at < packet.length; at += 2) sum += packet.readUInt16BE(at);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    packet.writeUInt16BE(~sum & 0xffff, 26);
    return packet;
  };
  const large = Buffer.alloc(6000, 'joined');

  test.each<[string, boolean, Buffer[], number]>([
    ['6000 bytes whose checksum is the sum of the pseudo-header', true, [partial(large)], 101],
    ['the same in GRE', true, [greIn4(0x0800, partial(large))], 101],
    ['the same in a tag', true, [ethernet(0x8100, tag(0x0800, partial(large)))], 1],
    ['1473 bytes, one more than Ethernet carries', true, [partial(large.subarray(0, 1473))], 101],
    ['1472 bytes, which Ethernet carries', false, [partial(large.subarray(0, 1472))], 101],
    ['6000 bytes with a good checksum', false, [whole(ipv4(udp(large)))], 101],
    ['6000 bytes without a checksum', false, [ipv4(udp(large))], 101],
    [
      '6000 bytes that came in fragments',
      false,
      [0, 3000].map((offset) =>
        ipv4(partial(large).subarray(20 + offset, offset === 0 ? 3020 : undefined), { offset, more: offset === 0 }),
      ),
      101,
    ],
  ])('may be several: %s: %p', async (_name, isJoined, packets, linkType) => {
    const { datagrams, skipped } = await readPackets(packets, linkType);
    expect(skipped).toEqual({});
    expect(datagrams.map(({ mayBeJoined }) => mayBeJoined ?? false)).toEqual([isJoined]);
  });

  test('are read if their length fields are 0', async () => {
    const zeroed = (packet: Buffer, ...places: number[]): Buffer => {
      const copy = Buffer.from(packet);
      for (const at of places) copy.writeUInt16BE(0, at);
      return copy;
    };
    const packets = [zeroed(v4, 2), zeroed(v4, 2, 24), zeroed(v6, 4), zeroed(v6, 4, 44)];
    const { datagrams, skipped } = await readPackets(packets, 101);
    expect(skipped).toEqual({});
    expect(datagrams.map(({ data }) => Buffer.from(data).toString())).toEqual(['hello', 'hello', 'hello', 'hello']);
    // A UDP length of 0 is allowed only if the IP length is 0, too.
    expect((await readPackets([zeroed(v4, 24)], 101)).skipped).toEqual({ malformed: 1 });
    // A datagram is no larger than its length field allows.
    const beyond = zeroed(ipv4(udp(Buffer.alloc(65_528), { length: 0 }), { totalBytes: 0 }));
    expect((await readPackets([beyond], 101)).skipped).toEqual({ malformed: 1 });
  });
});

test('a length within a tunnel ends no later than the tunnel', async () => {
  const inner = ipv4(udp('hello, world'));
  const outer = ipv4(inner, { protocol: 4, totalBytes: 20 + inner.length - 1 });
  expect((await readPackets([outer], 101)).skipped).toEqual({ malformed: 1 });
  expect(await payloadsOf(pcapFile([{ data: ipv4(inner, { protocol: 4 }) }]))).toEqual(['hello, world']);
});
