import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { holdsAsync } from '../support/property.js';
import { ethernet, ipv4, ipv6, type MadePacket, payloadsOf, pcapFile, readAll, tag, udp } from './files.js';
import { bytes, gre, ieee8023, mpls, nested, nflog, ppp, pppoe, snap } from './nesting.js';

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

/** What is read: an encapsulation or link type, its number as link type, and a packet of it. */
const READ: readonly [string, number, Buffer][] = [
  ['PPPoE', 1, ethernet(0x8864, pppoe(ppp(v4)))],
  ['PPPoE', 1, ethernet(0x8864, pppoe(ppp(v6)))],
  ['PPPoE in a virtual network', 1, ethernet(0x8100, tag(0x8864, pppoe(ppp(v4))))],
  ['PPPoE, captured as such', 51, pppoe(ppp(v4))],
  ['MPLS', 1, ethernet(0x8847, mpls(1, v4))],
  ['MPLS of several labels', 1, ethernet(0x8848, mpls(5, v6))],
  ['MPLS, captured as such', 219, mpls(2, v4)],
  ['a pseudowire of MPLS', 1, ethernet(0x8847, mpls(1, frame))],
  ['a pseudowire of MPLS with a control word', 1, ethernet(0x8847, mpls(2, bytes('0000 0000', frame)))],
  [
    'a pseudowire of MPLS, to an address that begins as IPv4',
    1,
    ethernet(0x8847, mpls(1, bytes('46', frame.subarray(1)))),
  ],
  [
    'a pseudowire of MPLS, to an address that begins as IPv6',
    1,
    ethernet(0x8847, mpls(1, bytes('60', frame.subarray(1)))),
  ],
  ['a pseudowire of MPLS, tagged', 1, ethernet(0x8847, mpls(1, ethernet(0x8100, tag(0x0800, v4))))],
  ['LLC and SNAP', 1, ieee8023(snap(0x0800, v4))],
  ['LLC and SNAP', 1, ieee8023(snap(0x86dd, v6))],
  ['LLC and SNAP of a bridge', 1, ieee8023(snap(0x0800, v4, '0000f8'))],
  ['LLC and SNAP behind a tag', 1, ethernet(0x8100, tag(60, snap(0x0800, v4)))],
  ['LLC of IP', 1, ieee8023(bytes('060603', v4))],
  ['LLC in a long frame', 1, ethernet(0x8870, snap(0x0800, v4))],
  ['LLC, captured as such', 100, snap(0x0800, v4)],
  ['LLC in Linux cooked', 113, bytes('0000 0001 0006 020000000001 0000 0004', snap(0x0800, v4))],
  ['MPLS in Linux cooked', 113, bytes('0000 0001 0006 020000000001 0000 8847', mpls(1, v4))],
  ['PPPoE in Linux cooked of version 2', 276, bytes('8864 0000 00000001 0001 00 06 0000000000000000', pppoe(ppp(v4)))],
  ['GRE in Linux cooked', 113, bytes('0000 0001 0006 020000000001 0000 0800', greIn4(0x0800, v4))],
  ['PPP', 9, bytes('ff03', ppp(v4))],
  ['PPP', 9, bytes('ff03', ppp(v6))],
  ['PPP without address and control', 9, ppp(v4)],
  ['PPP with a short protocol', 9, bytes('21', v4)],
  ['PPP with MPLS', 9, bytes('ff03 0281', mpls(1, v4))],
  ['PPP with a bridged frame', 9, bytes('ff03 0031 0001', frame)],
  ['PPP on a serial line', 50, bytes('ff03', ppp(v4))],
  ["Cisco's HDLC on a serial line", 50, bytes('0f00 0800', v4)],
  ["Cisco's HDLC", 104, bytes('8f00 86dd', v6)],
  ['NFLOG', 239, nflog(v4)],
  ['NFLOG', 239, nflog(v6)],
  ['NFLOG of a big-endian host', 239, nflog(v4, false)],
  ['NFLOG of a bridge', 239, bytes('07', nflog(v4).subarray(1))],
  ['pflog', 117, bytes('3d02', Buffer.alloc(62), v4)],
  ['enc', 109, bytes('02000000 00000001 00000000', v4)],
  ['PPI', 192, bytes('0000 0800 01000000', frame)],
  ['PKTAP', 258, bytes('10000000 01000000 01000000 00000000', frame)],
  ['a backbone of providers (802.1ah)', 1, ethernet(0x88e7, bytes('00000001', frame))],
  ['NSH', 1, ethernet(0x894f, bytes('0fc2 0201 000001ff', v6))],
  ['NSH with Ethernet', 1, ethernet(0x894f, bytes('0fc3 0203 000001ff 00000000', frame))],
  ['GRE', 101, greIn4(0x0800, v4)],
  ['GRE', 101, greIn4(0x86dd, v6)],
  ['GRE over IPv6', 101, ipv6(gre(0x0800, v4), 47)],
  ['GRE with a checksum', 101, greIn4(0x0800, v4, { checksum: true })],
  ['GRE with a key', 101, greIn4(0x0800, v4, { key: true })],
  ['GRE with a sequence number', 101, greIn4(0x0800, v4, { sequence: true })],
  ['GRE with all of them', 101, greIn4(0x0800, v4, { checksum: true, key: true, sequence: true })],
  ['GRE with routing', 101, ipv4(bytes('4000 0800 00000000 0800 0004 c0000201 0000 0000', v4), { protocol: 47 })],
  ['GRE of Ethernet', 101, greIn4(0x6558, frame)],
  ['GRE of MPLS', 101, greIn4(0x8847, mpls(2, v4))],
  ['GRE of WCCP', 101, greIn4(0x883e, v4)],
  ['GRE of WCCP, version 2', 101, greIn4(0x883e, bytes('00000000', v4))],
  ['PPTP', 101, ipv4(bytes('3001 880b 0027 0001 00000001 ff03', ppp(v4)), { protocol: 47 })],
  [
    'PPTP with an acknowledgement',
    101,
    ipv4(bytes('3081 880b 0025 0001 00000001 00000002', ppp(v4)), { protocol: 47 }),
  ],
  ['ERSPAN', 101, greIn4(0x88be, frame)],
  ['ERSPAN of type II', 101, greIn4(0x88be, bytes('10010000 00000000', frame), { sequence: true })],
  ['ERSPAN of type III', 101, greIn4(0x22eb, bytes('20010000 00000000 0000 0000', frame), { sequence: true })],
  [
    'ERSPAN of type III with a subheader',
    101,
    greIn4(0x22eb, bytes('20010000 00000000 0000 0001 0000000000000000', frame), { sequence: true }),
  ],
  ['EtherIP', 101, ipv4(bytes('3000', frame), { protocol: 97 })],
  ['MPLS in IP', 101, ipv4(mpls(1, v4), { protocol: 137 })],
  ['Ethernet in IPv6', 101, ipv6(frame, 143)],
  ['IP in IP', 101, ipv4(v4, { protocol: 4 })],
  ['6in4', 101, ipv4(v6, { protocol: 41 })],
  ['IPv4 in IPv6', 101, ipv6(v4, 4)],
  ['IPv6 in IPv6', 101, ipv6(v6, 41)],
  ['an authentication header in IPv4', 101, ipv4(bytes('1104 0000', Buffer.alloc(20), udp('hello')), { protocol: 51 })],
];

describe('a datagram within', () => {
  test.each(READ)('%s (link type %d) is read', async (_name, linkType, packet) => {
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

  test.each(READ)('%s (link type %d), cut anywhere, is counted as cut', async (_name, linkType, packet) => {
    // Of NFLOG fields may follow the packet.
    const end = packet.lastIndexOf('hello') + 5;
    for (let length = 0; length < end; length += 1) {
      const { datagrams, skipped } = await readPackets(
        [{ data: packet.subarray(0, length), wireBytes: packet.length }],
        linkType,
      );
      // MPLS and LLC have no lengths that tell a header from another which the cut left incomplete.
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
  }, 60_000);

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

describe('a packet that carries no UDP, or may and is not read', () => {
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
    // The outermost of several.
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

describe('a datagram that segmentation offload left whole', () => {
  /** The sum of the pseudo-header alone, as the kernel leaves it for the network card to go on with. */
  const partial = (payload: Uint8Array): Buffer => {
    const packet = ipv4(udp(payload));
    let sum = 17 + 8 + payload.length;
    for (let at = 12; at < 20; at += 2) sum += packet.readUInt16BE(at);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    packet.writeUInt16BE(sum, 26);
    return packet;
  };
  /** With a whole checksum: the payload makes the sum of all FFFF. */
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

  test('is read where it leaves the lengths to the frame', async () => {
    const zeroed = (packet: Buffer, ...places: number[]): Buffer => {
      const copy = Buffer.from(packet);
      for (const at of places) copy.writeUInt16BE(0, at);
      return copy;
    };
    const packets = [zeroed(v4, 2), zeroed(v4, 2, 24), zeroed(v6, 4), zeroed(v6, 4, 44)];
    const { datagrams, skipped } = await readPackets(packets, 101);
    expect(skipped).toEqual({});
    expect(datagrams.map(({ data }) => Buffer.from(data).toString())).toEqual(['hello', 'hello', 'hello', 'hello']);
    // A length of UDP is needed where IP has one.
    expect((await readPackets([zeroed(v4, 24)], 101)).skipped).toEqual({ malformed: 1 });
    // No datagram is larger than its length field can say.
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
