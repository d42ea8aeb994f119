import { describe, expect, test } from '@jest/globals';
import { fc, holdsAsync } from '../support/property.js';
import {
  ethernet,
  extension,
  fragmentHeader,
  ipv4,
  ipv6,
  type MadePacket,
  payloadsOf,
  pcapFile,
  readAll,
  tag,
  udp,
} from './files.js';

const v4 = ipv4(udp('hello'));
const v6 = ipv6(udp('hello'));

const hex = (text: string, ...rest: readonly Uint8Array[]): Buffer =>
  Buffer.concat([Buffer.from(text.replaceAll(' ', ''), 'hex'), ...rest]);

/** Reads packets of one link type; default: raw IP. */
const readPackets = (packets: readonly (Uint8Array | MadePacket)[], linkType = 101) =>
  readAll(
    pcapFile(
      packets.map((packet) => (packet instanceof Uint8Array ? { data: packet } : packet)),
      { linkType },
    ),
  );

describe('a packet of link type', () => {
  test.each<[string, number, Buffer]>([
    ['raw', 101, v4],
    ['raw', 101, v6],
    ['raw as BSD wrote it', 12, v4],
    ['raw as OpenBSD wrote it', 14, v6],
    ['IPv4', 228, v4],
    ['IPv6', 229, v6],
    ['Ethernet', 1, ethernet(0x0800, v4)],
    ['Ethernet', 1, ethernet(0x86dd, v6)],
    ['Ethernet, padded to its least length', 1, ethernet(0x0800, Buffer.concat([v4, Buffer.alloc(13)]))],
    ['Ethernet with a tag of 802.1Q', 1, ethernet(0x8100, tag(0x0800, v4))],
    ['Ethernet with tags of 802.1ad and 802.1Q', 1, ethernet(0x88a8, tag(0x8100, tag(0x86dd, v6)))],
    ['Ethernet with three tags', 1, ethernet(0x9100, tag(0x8100, tag(0x8100, tag(0x0800, v4))))],
    ['Linux cooked', 113, hex('0000 0001 0006 020000000001 0000 0800', v4)],
    ['Linux cooked', 113, hex('0004 0304 0006 000000000000 0000 86dd', v6)],
    ['Linux cooked with a tag', 113, hex('0000 0001 0006 020000000001 0000 8100', tag(0x0800, v4))],
    ['Linux cooked of version 2', 276, hex('0800 0000 00000001 0304 00 06 0000000000000000', v4)],
    ['Linux cooked of version 2', 276, hex('86dd 0000 00000001 0304 00 06 0000000000000000', v6)],
    [
      'Linux cooked of version 2 with a tag',
      276,
      hex('8100 0000 00000001 0304 00 06 0000000000000000', tag(0x0800, v4)),
    ],
    ['null, little-endian', 0, hex('02000000', v4)],
    ['null, big-endian', 0, hex('00000002', v4)],
    ['null of Linux', 0, hex('0a000000', v6)],
    ['null of NetBSD and OpenBSD', 0, hex('18000000', v6)],
    ['null of FreeBSD', 0, hex('1c000000', v6)],
    ['null of macOS', 0, hex('1e000000', v6)],
    ['null of macOS, big-endian', 0, hex('0000001e', v6)],
    ['loop', 108, hex('00000002', v4)],
    ['loop', 108, hex('00000018', v6)],
  ])('%s (%d) is read', async (_name, linkType, packet) => {
    const { datagrams, skipped } = await readPackets([packet], linkType);
    expect(skipped).toEqual({});
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

  test.each<[string, number, Buffer, string]>([
    ['an ARP request', 1, ethernet(0x0806, Buffer.alloc(28)), 'ARP'],
    ['a frame with a length instead of a type', 1, ethernet(40, Buffer.alloc(40)), 'LLC'],
    ['a cooked ARP request', 113, hex('0000 0001 0006 020000000001 0000 0806', Buffer.alloc(28)), 'ARP'],
    ['another address family', 0, hex('07000000', v4), 'address family 7'],
    ['IP of version 5', 101, hex('55', Buffer.alloc(40)), 'IP of version 5'],
    ['TCP', 101, ipv4(Buffer.alloc(20), { protocol: 6 }), 'TCP'],
    ['TCP over IPv6', 101, ipv6(Buffer.alloc(20), 6), 'TCP'],
    ['nothing behind IPv6', 101, ipv6(Buffer.of(), 59), 'IPv6 without a payload'],
    ['ICMP that quotes a datagram', 101, ipv4(hex('0303000000000000', v4), { protocol: 1 }), 'ICMP'],
    ['a fragment of TCP', 101, ipv4(Buffer.alloc(24), { protocol: 6, more: true }), 'TCP'],
    ['a fragment of TCP over IPv6', 101, ipv6(hex('0600000100000007', Buffer.alloc(8)), 44), 'TCP'],
    ['an IPv4 header of four words', 101, hex('44', v4.subarray(1)), 'malformed'],
    ['an IPv4 header longer than the packet', 101, hex('4f', v4.subarray(1)), 'malformed'],
    ['an IPv4 length less than its header', 101, ipv4(udp('hello'), { totalBytes: 19 }), 'malformed'],
    ['an IPv4 length that ends within UDP', 101, ipv4(udp('hello'), { totalBytes: 32 }), 'malformed'],
    ['a length of UDP below its header', 101, ipv4(udp('hello', { length: 7 })), 'malformed'],
    ['a length of UDP beyond the packet', 101, ipv4(udp('hello', { length: 14 })), 'malformed'],
    ['a length of IPv6 that ends within UDP', 101, ipv6(udp('hello'), 17, 12), 'malformed'],
    ['an extension header beyond the packet', 101, ipv6(Buffer.concat([extension(17), udp('')]), 0, 4), 'malformed'],
    ['no packet at all', 101, Buffer.of(), 'malformed'],
    ['a frame without a type', 1, Buffer.alloc(13), 'malformed'],
    ['a tag that ends the frame', 1, ethernet(0x8100, Buffer.of(0, 5)), 'malformed'],
  ])('%s is skipped, and counted as such', async (_name, linkType, packet, reason) => {
    const { datagrams, skipped, error } = await readPackets([packet], linkType);
    expect(error).toBeUndefined();
    expect(datagrams).toEqual([]);
    expect(skipped).toEqual({ [reason]: 1 });
  });
});

describe('a datagram', () => {
  test.each<[string, Buffer]>([
    ['IPv4 options', ipv4(udp('hello'), { options: hex('01010101 94040000') })],
    ['forty bytes of IPv4 options', ipv4(udp('hello'), { options: Buffer.alloc(40) })],
    ['hop-by-hop options', ipv6(Buffer.concat([extension(17, 16), udp('hello')]), 0)],
    ['destination options', ipv6(Buffer.concat([extension(17), udp('hello')]), 60)],
    ['a routing header', ipv6(Buffer.concat([extension(17, 24), udp('hello')]), 43)],
    ['an authentication header', ipv6(Buffer.concat([hex('1104 0000', Buffer.alloc(20)), udp('hello')]), 51)],
    [
      'all of them',
      ipv6(Buffer.concat([extension(60), extension(43), extension(60, 24), extension(17), udp('hello')]), 0),
    ],
    ['a fragment header though it is whole', ipv6(Buffer.concat([fragmentHeader(17), udp('hello')]), 44)],
    ['a fragment header before another', ipv6(Buffer.concat([fragmentHeader(60), extension(17), udp('hello')]), 44)],
    ['bytes behind its UDP length', ipv4(Buffer.concat([udp('hello'), Buffer.from('options')]))],
  ])('behind %s is read', async (_name, packet) => {
    expect(await payloadsOf(pcapFile([{ data: packet }]))).toEqual(['hello']);
  });

  test('of no bytes is one', async () => {
    expect(await payloadsOf(pcapFile([{ data: ipv4(udp('')) }, { data: ipv6(udp('')) }]))).toEqual(['', '']);
  });

  test('cut by the snap length is counted, and never read in part', async () => {
    for (const packet of [v4, v6, ipv6(Buffer.concat([extension(17), udp('hello')]), 0)]) {
      for (let length = 0; length < packet.length; length += 1) {
        const data = packet.subarray(0, length);
        const { datagrams, skipped } = await readPackets([{ data, wireBytes: packet.length }, packet]);
        expect(datagrams).toHaveLength(1);
        expect(skipped).toEqual({ cut: 1 });
      }
    }
  });

  test('is whole if only the padding of its packet was cut', async () => {
    const { datagrams, skipped } = await readPackets([{ data: ethernet(0x0800, v4), wireBytes: 60 }], 1);
    expect(datagrams).toHaveLength(1);
    expect(skipped).toEqual({});
  });
});

/** Part of a payload: the offsets of its beginning and end. */
interface Cut {
  readonly from: number;
  readonly to: number;
}

/** Makes fragments of a datagram, with a time each. */
function fragments(family: 4 | 6, payload: Uint8Array, cuts: readonly Cut[], id = 7): Buffer[] {
  const body = family === 4 ? udp(payload) : Buffer.concat([extension(17), udp(payload)]);
  return cuts.map(({ from, to }) => {
    const piece = body.subarray(from, to);
    const more = to < body.length;
    if (family === 4) return ipv4(piece, { offset: from, more, id });
    return ipv6(Buffer.concat([fragmentHeader(60, { offset: from, more, id }), piece]), 44);
  });
}

/** Returns the ranges of 100 bytes of payload and their headers, cut into pieces of a size. */
const cutEvery = (bytes: number, total = 116): Cut[] =>
  Array.from({ length: Math.ceil(total / bytes) }, (_, n) => ({ from: n * bytes, to: (n + 1) * bytes }));

describe('fragments', () => {
  const text = 'The quick brown fox jumps over the lazy dog. '.repeat(3).slice(0, 100);
  const payload = Buffer.from(text);

  test('in any order, of several datagrams at once, the first of them twice, are put together', async () => {
    const shuffled = fc
      .tuple(fc.constantFrom(8, 16, 24, 64), fc.constantFrom<4 | 6>(4, 6), fc.nat(0xffff))
      .chain(([bytes, family, id]) => {
        const total = family === 4 ? 108 : 116;
        const first = fragments(family, payload, cutEvery(bytes, total), id);
        const other = fragments(family, Buffer.from(payload).reverse(), cutEvery(bytes, total), id ^ 1);
        return fc.shuffledSubarray([...first, ...other], { minLength: first.length + other.length });
      });
    await holdsAsync(
      fc.asyncProperty(shuffled, async (packets) => {
        const { datagrams, skipped } = await readPackets([packets[0]!, ...packets, v4]);
        expect(skipped).toEqual({});
        expect(datagrams.map(({ data }) => Buffer.from(data).toString()).sort()).toEqual(
          [text, Buffer.from(payload).reverse().toString(), 'hello'].sort(),
        );
      }),
    );
  });

  test('of an authentication header and the datagram behind it are put together', async () => {
    const body = Buffer.concat([hex('1104 0000', Buffer.alloc(20, 6)), udp(payload)]);
    // The second and third fragment do not begin with an authentication header.
    const cuts = [0, 32, 128, body.length];
    const pieces = cuts
      .slice(1)
      .map((to, n) => ipv4(body.subarray(cuts[n], to), { protocol: 51, offset: cuts[n]!, more: to < body.length }));
    const { datagrams, skipped } = await readPackets(pieces);
    expect(skipped).toEqual({});
    expect(datagrams.map(({ data }) => Buffer.from(data).toString())).toEqual([text]);
  });

  test('may come twice, if they are the same', async () => {
    const [first, second] = fragments(4, payload, cutEvery(64, 108));
    const { datagrams, skipped } = await readPackets([first!, first!, second!]);
    expect(datagrams).toHaveLength(1);
    expect(skipped).toEqual({});
  });

  test.each([4, 6] as const)(
    'over IPv%d that a capture has twice, in any order, give the datagram once',
    async (family) => {
      const all = fragments(family, payload, cutEvery(48, family === 4 ? 108 : 116));
      const [first, second, third] = all;
      for (const twice of [
        [...all, ...all],
        all.flatMap((part) => [part, part]),
        [first, second, third, third, first],
      ]) {
        const { datagrams, skipped } = await readPackets(twice as Buffer[]);
        expect(datagrams).toHaveLength(1);
        expect(skipped).toEqual({});
      }
    },
  );

  test('that differ or come much later belong to another datagram', async () => {
    const all = fragments(4, payload, cutEvery(64, 108));
    const others = fragments(4, Buffer.from(payload).reverse(), cutEvery(64, 108));
    const later = all.map((data) => ({ data, seconds: 1_800_000_002 }));
    const { datagrams, skipped } = await readPackets([...all, ...others, ...later]);
    expect(datagrams).toHaveLength(3);
    expect(skipped).toEqual({});
  });

  test('make up the largest datagram, and no larger one', async () => {
    const largest = Buffer.alloc(65_519, 'x');
    const all = fragments(6, largest, cutEvery(1440, 65_535));
    const { datagrams } = await readPackets(all);
    expect(datagrams.map(({ data }) => data.length)).toEqual([65_519]);
    const beyond = ipv4(Buffer.alloc(16), { offset: 65_528, more: false });
    expect((await readPackets([beyond])).skipped).toEqual({ malformed: 1 });
  });

  test('have the time of the one that came last', async () => {
    const [first, second] = fragments(4, payload, cutEvery(64, 108));
    const { datagrams } = await readPackets([
      { data: second!, seconds: 1_800_000_000, fraction: 0 },
      { data: first!, seconds: 1_800_000_001, fraction: 0 },
    ]);
    expect(datagrams.map(({ timeMs }) => timeMs)).toEqual([1_800_000_001_000]);
  });

  test.each<[string, (parts: Buffer[]) => (Uint8Array | MadePacket)[], object]>([
    ['one is missing', ([first, , third]) => [first!, third!], { fragment: 2 }],
    ['the first is missing', ([, second, third]) => [second!, third!], { fragment: 2 }],
    [
      'one is of another datagram',
      ([first]) => [first!, ...fragments(4, payload, cutEvery(48, 108), 8).slice(1)],
      { fragment: 3 },
    ],
    [
      'one comes too late',
      ([first, second, third]) => [
        { data: first!, seconds: 1000 },
        { data: second!, seconds: 1001 },
        { data: third!, seconds: 1061 },
      ],
      { fragment: 3 },
    ],
    [
      'one was cut',
      ([first, second, third]) => [first!, { data: second!.subarray(0, -1), wireBytes: second!.length }, third!],
      { fragment: 2, cut: 1 },
    ],
    ['one ends nowhere', ([first, second]) => [first!, second!.subarray(0, -1)], { fragment: 1, malformed: 1 }],
    [
      'one has no bytes',
      ([first]) => [first!, ipv4(Buffer.of(), { offset: 48, more: true })],
      { fragment: 1, malformed: 1 },
    ],
    [
      'one is no multiple of eight',
      ([first]) => [first!, ipv4(Buffer.alloc(9), { offset: 48, more: true })],
      { fragment: 1, malformed: 1 },
    ],
    [
      'one overlaps the one before',
      ([first, second, third]) => [first!, ...fragments(4, payload, [{ from: 40, to: 96 }]), second!, third!],
      { fragment: 4 },
    ],
    [
      'one overlaps the one behind',
      ([first, second, third]) => [second!, ...fragments(4, payload, [{ from: 0, to: 56 }]), first!, third!],
      { fragment: 4 },
    ],
    [
      'one comes twice and differs',
      ([first, second, third]) => [
        first!,
        ...fragments(4, Buffer.alloc(100, '!'), cutEvery(48, 108)).slice(0, 1),
        second!,
        third!,
      ],
      { fragment: 4 },
    ],
    [
      'two are the last',
      ([first, second, third]) => [third!, ipv4(Buffer.alloc(4), { offset: 128, more: false }), first!, second!],
      { fragment: 4 },
    ],
    [
      'the last is before another',
      ([first, second]) => [second!, ipv4(Buffer.alloc(8), { offset: 8, more: false }), first!],
      { fragment: 3 },
    ],
    [
      'those that are there add up to the length, with a gap before the last and one behind it',
      () => [
        ipv4(Buffer.alloc(8), { offset: 48, more: true }),
        ipv4(Buffer.alloc(8), { offset: 0, more: true }),
        ipv4(Buffer.alloc(8), { offset: 16, more: false }),
      ],
      { fragment: 3 },
    ],
    [
      'one is behind the last',
      ([first, second, third]) => [third!, ipv4(Buffer.alloc(8), { offset: 160, more: true }), first!, second!],
      { fragment: 4 },
    ],
    [
      'one is behind the last, and with it they add up to the length',
      ([first, , third]) => [first!, third!, ipv4(Buffer.alloc(48), { offset: 160, more: true })],
      { fragment: 3 },
    ],
  ])('are counted and not given when %s', async (_name, choose, counts) => {
    const parts = fragments(4, payload, cutEvery(48, 108));
    const { datagrams, skipped, error } = await readPackets([...choose(parts), v4]);
    expect(error).toBeUndefined();
    expect(datagrams.map(({ data }) => Buffer.from(data).toString())).toEqual(['hello']);
    expect(skipped).toEqual(counts);
  });

  test('of more datagrams than are held at one time push out the oldest', async () => {
    const parts = (id: number): Buffer[] => fragments(4, payload, cutEvery(64, 108), id);
    const begun = Array.from({ length: 1025 }, (_, id) => parts(id)[0]!);
    const { datagrams, skipped } = await readPackets([...begun, parts(0)[1]!, parts(1024)[1]!]);
    expect(datagrams).toHaveLength(1);
    expect(skipped).toEqual({ fragment: 1025 });
  });

  test('of more bytes than are held at one time push out the oldest', async () => {
    const [first] = fragments(4, Buffer.alloc(65_000), [{ from: 0, to: 64_000 }]);
    const begun = Array.from({ length: 300 }, (_, id) => {
      const packet = Buffer.from(first!);
      packet.writeUInt16BE(id, 4);
      return packet;
    });
    const { skipped } = await readPackets([
      ...begun,
      ...fragments(4, Buffer.alloc(65_000), [{ from: 64_000, to: 65_008 }], 0),
    ]);
    expect(skipped).toEqual({ fragment: 301 });
  });
});
