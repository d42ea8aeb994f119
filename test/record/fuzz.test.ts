import { describe, expect, test } from '@jest/globals';
import { pcapHeader } from '../../src/record/formats/pcap-writer.js';
import { cpuTimeMs } from '../support/cpu-time.js';
import { mutate, mutations } from '../support/mutations.js';
import {
  Blocks,
  ethernet,
  extension,
  fragmentHeader,
  ipv4,
  ipv6,
  jsonlRecord,
  pcapFile,
  pcapRecord,
  readAll,
  tag,
  type PcapOptions,
  udp,
} from './files.js';
import { fc, holdsAsync } from '../support/property.js';

const RUNS = 500;
/** Most processor time for a file, in milliseconds. A reader that takes more counts as hanging. */
const MOST_MS = 2000;

const datagrams = [4, 6].map((family) => ({
  timeMs: 1_800_000_000_000.5,
  source: { address: family === 4 ? '192.0.2.1' : '2001:db8::1', port: 40_000 },
  destination: { address: family === 4 ? '192.0.2.2' : '2001:db8::2', port: 8000 },
  data: Buffer.from('hello'),
}));

const body = Buffer.concat([extension(17), udp('in three pieces')]);
const packets = [
  ipv4(udp('hello'), { options: Buffer.alloc(8) }),
  ipv6(Buffer.concat([extension(60), extension(17), udp('hello')]), 0),
  ...[16, 0, 24].map((from) => {
    const to = from === 0 ? 16 : from + 8;
    const more = to < body.length;
    return ipv6(
      Buffer.concat([fragmentHeader(60, { offset: from, more }), body.subarray(from, more ? to : undefined)]),
      44,
    );
  }),
  ipv4(udp('hello').subarray(0, 8), { more: true }),
  ipv4(udp('hello').subarray(8), { offset: 8 }),
];
const frames = packets.map((packet) => {
  const type = packet[0]! >> 4 === 4 ? 0x0800 : 0x86dd;
  return ethernet(0x88a8, tag(0x8100, tag(type, packet)));
});

const pcap = (all: readonly Uint8Array[], options?: PcapOptions): Buffer =>
  pcapFile(
    all.map((data) => ({ data })),
    options,
  );

const pcapng = (blocks: Blocks): Buffer =>
  Buffer.concat([
    blocks.section(blocks.option(1, Buffer.from('a comment'))),
    blocks.interface(101, 0, blocks.option(9, Buffer.of(9)), blocks.option(14, blocks.int64(1n))),
    blocks.interface(1),
    ...packets.map((packet) => blocks.enhanced(packet, { units: 1_800_000_000_000_000_000n })),
    blocks.block(4, Buffer.alloc(20)),
    ...frames.map((frame) => blocks.old(frame, { number: 1, units: 1_800_000_000_000_000n })),
    blocks.simple(packets[0]!),
  ]);

/** Files of all formats and compressions that are read. */
const LINK_TYPES = [0, 1, 9, 12, 14, 50, 51, 100, 101, 104, 108, 109, 113, 117, 192, 219, 228, 229, 239, 258, 276];

const FILES: readonly [string, Buffer][] = [
  ['pcap as written', Buffer.concat([pcapHeader(), ...datagrams.map(pcapRecord)])],
  ['pcap, raw', pcap(packets)],
  ['pcap, Ethernet, big-endian', pcap(frames, { linkType: 1, littleEndian: false })],
  ['pcapng', pcapng(new Blocks())],
  ['big-endian pcapng', pcapng(new Blocks(false))],
  ['JSON lines', Buffer.from(datagrams.flatMap((one) => [jsonlRecord(one, 'in'), jsonlRecord(one, 'out')]).join(''))],
];

/** Reads a file. It must end in time, without an error or with a CaptureError. */
async function readHostile(file: Uint8Array, chunkBytes?: number): Promise<void> {
  const startMs = cpuTimeMs();
  const { datagrams, error } = await readAll(file, chunkBytes);
  expect(cpuTimeMs() - startMs).toBeLessThan(MOST_MS);
  for (const { timeMs, source, destination, data } of datagrams) {
    expect(Number.isNaN(timeMs) || (timeMs >= 0 && timeMs * 1000 <= Number.MAX_SAFE_INTEGER)).toBe(true);
    expect(source.port + destination.port).toBeLessThanOrEqual(2 * 65_535);
    expect(data.length).toBeLessThanOrEqual(65_527);
  }
  if (error === undefined) return;
  expect(error.message).toMatch(/^at (line \d+, )?byte \d+: ./);
  expect(error.offset).toBeLessThanOrEqual(file.length);
}

describe.each(FILES)('a recording: %s', (_name, file) => {
  test('is read whole as it is', async () => {
    const { datagrams, error, skipped } = await readAll(file);
    expect(error).toBeUndefined();
    expect(skipped).toEqual({});
    expect(datagrams.length).toBeGreaterThan(1);
  });

  test('is read to its end or to one clear error after any mutation', async () => {
    await holdsAsync(
      fc.asyncProperty(mutations, fc.constantFrom(1, 17, 100_000), (changes, chunkBytes) =>
        readHostile(mutate(file, changes), chunkBytes),
      ),
      { runs: RUNS },
    );
  });

  test('is read with any number in any field', async () => {
    const field = fc.constantFrom(0, 1, 3, 4, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fffc, 0xffff_ffff);
    await holdsAsync(
      fc.asyncProperty(fc.nat(file.length - 4), field, fc.boolean(), (at, value, littleEndian) => {
        const copy = Buffer.from(file);
        if (littleEndian) copy.writeUInt32LE(value, at);
        else copy.writeUInt32BE(value, at);
        return readHostile(copy);
      }),
      { runs: RUNS },
    );
  });

  test('is read with any bytes behind its beginning', async () => {
    await holdsAsync(
      fc.asyncProperty(fc.integer({ min: 0, max: 48 }), fc.uint8Array({ maxLength: 500, size: 'max' }), (keep, rest) =>
        readHostile(Buffer.concat([file.subarray(0, keep), rest])),
      ),
      { runs: RUNS },
    );
  });
});

/** First bytes of packets, in hex. Random bytes follow them. */
const STARTS = [
  '',
  '45',
  '60',
  '02000000',
  '0000080045',
  // Ethernet: GRE, IP in IP, MPLS, PPPoE, LLC.
  '0200000000010200000000020800 4500006400000000 402f0000 c0000201 c0000202',
  '0200000000010200000000020800 4500006400000000 40040000 c0000201 c0000202',
  '0200000000010200000000028847 00010140',
  '0200000000010200000000028864 110000010023',
  '0200000000010200000000020026 aaaa03',
  // Raw: fragments of IPv4 within IPv6.
  '6000000000102c4020010db8000000000000000000000001 20010db8000000000000000000000002 0400000100000007',
  'ff030021',
  '02000000 0800',
].map((text) => text.replaceAll(' ', ''));

test('a packet of any bytes, of any link type, is a datagram or counted', async () => {
  const linkTypes = fc.constantFrom(...LINK_TYPES);
  const starts = fc.constantFrom(...STARTS);
  await holdsAsync(
    fc.asyncProperty(
      linkTypes,
      starts,
      fc.uint8Array({ maxLength: 200, size: 'max' }),
      async (linkType, start, rest) => {
        const packet = Buffer.concat([Buffer.from(start, 'hex'), rest]);
        const { datagrams, error, skipped } = await readAll(pcap([packet], { linkType }));
        expect(error).toBeUndefined();
        const counted = Object.values(skipped).reduce((sum, count) => sum + count, 0);
        expect(datagrams.length + counted).toBe(1);
      },
    ),
    { runs: RUNS },
  );
});
