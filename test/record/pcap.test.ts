import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { datagramsOf } from '../../src/net/runs.js';
import { ChunkBuilder } from '../../src/output/chunk-builder.js';
import type { CapturedDatagram } from '../../src/record/captured-datagram.js';
import { checksumOf } from '../../src/record/packets/checksum.js';
import { pcapHeader, PcapRecords } from '../../src/record/formats/pcap-writer.js';
import { fc, holds, holdsAsync } from '../support/property.js';
import { sumOf } from '../support/sums.js';
import { datagrams } from './arbitraries.js';
import { comparable, ipv4, payloadsOf, pcapFile, pcapRecord, readAll, udp } from './files.js';

const written = (all: readonly CapturedDatagram[]): Buffer => Buffer.concat([pcapHeader(), ...all.map(pcapRecord)]);

const datagram: CapturedDatagram = {
  timeMs: 1_795_334_400_123.456,
  source: { address: '127.0.0.1', port: 40_000 },
  destination: { address: '127.0.0.1', port: 8000 },
  data: Buffer.from('hello'),
};

const at = (source: string, destination: string): CapturedDatagram => ({
  ...datagram,
  source: { address: source, port: 1 },
  destination: { address: destination, port: 2 },
});

describe('a recording that was written as pcap', () => {
  test('is read back as the same sequence, in chunks of any size', async () => {
    await holdsAsync(
      fc.asyncProperty(fc.array(datagrams, { maxLength: 4 }), fc.integer({ min: 1, max: 5000 }), async (all, chunk) => {
        const file = written(all);
        const { datagrams, error, skipped } = await readAll(file, file.length > 50_000 ? 5000 : chunk);
        expect(error).toBeUndefined();
        expect(skipped).toEqual({});
        expect(datagrams.map(comparable)).toEqual(all.map(comparable));
      }),
    );
  });

  test('holds the datagrams of a run as if each had been written alone', () => {
    const sizes = fc.oneof(fc.integer({ min: 1, max: 150 }), fc.constantFrom(4, 64, 128, 132, 1400));
    const addresses = fc.constantFrom('192.0.2.1', '2001:db8::1');
    holds(
      fc.property(sizes, fc.integer({ min: 1, max: 8 }), fc.nat(), addresses, (size, count, cut, address) => {
        const { source, destination } = at(address, address);
        const bytes = Buffer.from(randomBytes((count - 1) * size + 1 + (cut % size)));
        const chunk = new ChunkBuilder();
        const { timeMs } = datagram;
        const run = { bytes, segmentBytes: size, count, timeMs, remote: source, local: destination };
        new PcapRecords().write(run, source, destination, chunk);
        const alone = datagramsOf(run).map(({ data }) => pcapRecord({ timeMs, source, destination, data }));
        expect(chunk.take().equals(Buffer.concat(alone))).toBe(true);
      }),
    );
    const chunk = new ChunkBuilder();
    const { timeMs, source, destination } = datagram;
    const empty = { bytes: Buffer.of(), segmentBytes: 0, count: 1, timeMs, remote: source, local: destination };
    new PcapRecords().write(empty, source, destination, chunk);
    expect(chunk.take()).toEqual(pcapRecord({ ...datagram, data: Buffer.of() }));
  });

  test('has valid checksums in both headers, and never 0 for a UDP checksum', () => {
    holds(
      fc.property(datagrams, (one) => {
        const packet = Buffer.from(pcapRecord(one)).subarray(16);
        const udpAt = one.source.address.includes(':') ? 40 : 20;
        if (udpAt === 20) expect(checksumOf(sumOf(packet.subarray(0, 20)))).toBe(0);
        const addressesAt = udpAt === 40 ? 8 : 12;
        expect(checksumOf(sumOf(packet.subarray(addressesAt)) + 17 + packet.length - udpAt)).toBe(0);
        expect(packet.readUInt16BE(udpAt + 6)).not.toBe(0);
      }),
    );
  });

  test('has the same checksum at any offset in memory', () => {
    const bytewise = (data: Uint8Array): number => {
      let sum = 0;
      for (const [index, byte] of data.entries()) sum += index % 2 === 0 ? byte << 8 : byte;
      return checksumOf(sum);
    };
    holds(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(7), (data, from) => {
        // The bytes around the summed ones must not count.
        const memory = new Uint8Array(from + data.length + 8).fill(0xff);
        memory.set(data, from);
        expect(checksumOf(sumOf(memory.subarray(from, from + data.length)))).toBe(bytewise(data));
      }),
    );
    const largest = new Uint8Array(65_575).fill(0xff);
    expect(checksumOf(sumOf(largest))).toBe(bytewise(largest));
  });

  test('has the checksum FFFF where the sum gives 0', () => {
    // The payload completes the sum of all other words.
    const without = Buffer.from(pcapRecord({ ...datagram, data: Buffer.of(0, 0) }));
    const data = without.subarray(16 + 26, 16 + 28);
    expect(Buffer.from(pcapRecord({ ...datagram, data })).readUInt16BE(16 + 26)).toBe(0xffff);
  });

  test('is nanoseconds, little-endian, raw IP, with room for the largest packet', () => {
    expect(Buffer.from(pcapHeader()).toString('hex')).toBe('4d3cb2a10200040000000000000000000000040065000000');
    const largest = { ...at('::1', '::1'), data: new Uint8Array(65_527) };
    const record = Buffer.from(pcapRecord(largest));
    expect(record.readUInt32LE(8)).toBe(65_575);
    // Payload length of IPv6, length of UDP.
    expect([record.readUInt16BE(16 + 4), record.readUInt16BE(16 + 44)]).toEqual([65_535, 65_535]);
  });

  test('rounds a time just before a full second up to it', () => {
    const record = Buffer.from(pcapRecord({ ...datagram, timeMs: 2999.999_999_9 }));
    expect([record.readUInt32LE(0), record.readUInt32LE(4)]).toEqual([3, 0]);
  });

  test.each([
    ['a zone is left out', at('fe80::1%eth0', 'fe80::2%eth0'), ['fe80::1', 'fe80::2']],
    ['the wildcard address is that of the other family', at('192.0.2.1', '::'), ['192.0.2.1', '0.0.0.0']],
    ['the wildcard address of IPv4 likewise', at('0.0.0.0', '2001:db8::1'), ['::', '2001:db8::1']],
    ['two wildcard addresses stay', at('::', '::'), ['::', '::']],
    ['IPv4 beside IPv6 is mapped, and read as itself', at('192.0.2.1', '2001:db8::1'), ['192.0.2.1', '2001:db8::1']],
    ['a dotted end of IPv6 is read', at('::192.0.2.1', '64:ff9b::1'), ['::192.0.2.1', '64:ff9b::1']],
  ])('%s', async (_name, one, addresses) => {
    const { datagrams } = await readAll(written([one]));
    expect(datagrams.flatMap(({ source, destination }) => [source.address, destination.address])).toEqual(addresses);
  });

  test.each([
    [4, '127.0.0.1', 65_508],
    [6, '::1', 65_528],
  ])('is no packet larger than IPv%d allows', (family, address, bytes) => {
    const larger = { ...at(address, address), data: new Uint8Array(bytes) };
    expect(() => pcapRecord(larger)).toThrow(`an IPv${family} packet carries ${bytes - 1} bytes, not ${bytes}`);
  });

  test('has the right addresses, also when there are more than it remembers', async () => {
    const all = Array.from({ length: 5000 }, (_, n) => at(`10.0.${n >> 8}.${n & 255}`, `10.1.${n >> 8}.${n & 255}`));
    const { datagrams } = await readAll(written([...all, ...all]));
    expect(datagrams.map(comparable)).toEqual([...all, ...all].map(comparable));
  });
});

describe('a pcap file', () => {
  const packet = { data: ipv4(udp('hello')), seconds: 1_800_000_000, fraction: 123_456 };

  test.each([
    ['microseconds', 0xa1b2c3d4, 123.456],
    ['nanoseconds', 0xa1b23c4d, 0.123_456],
    ["Kuznetzov's variant", 0xa1b2cd34, 123.456],
  ])('of %s is read in both byte orders', async (_name, magic, ms) => {
    for (const littleEndian of [true, false]) {
      const { datagrams, error } = await readAll(pcapFile([packet, packet], { magic, littleEndian }));
      expect(error).toBeUndefined();
      expect(datagrams.map(({ data }) => Buffer.from(data).toString())).toEqual(['hello', 'hello']);
      expect(datagrams[0]?.timeMs).toBeCloseTo(1_800_000_000_000 + ms, 3);
      expect(datagrams[0]).toMatchObject({
        source: { address: '192.0.2.1', port: 40_000 },
        destination: { address: '192.0.2.2', port: 8000 },
      });
    }
  });

  test('without packets holds nothing', async () => {
    expect(await payloadsOf(pcapFile([]))).toEqual([]);
  });

  test('whose link type tells of a frame check sequence is read', async () => {
    expect(await payloadsOf(pcapFile([packet], { linkType: 0x1400_0065 }))).toEqual(['hello']);
  });

  test('of a link type that is not read has its packets counted by its name', async () => {
    for (const [linkType, name] of [
      [127, 'IEEE 802.11 (link type 127)'],
      [147, 'link type 147'],
    ] as const) {
      const { datagrams, error, skipped } = await readAll(pcapFile([packet, packet], { linkType }));
      expect({ datagrams, error, skipped }).toEqual({ datagrams: [], error: undefined, skipped: { [name]: 2 } });
    }
  });

  /** Makes a record with two lengths: the captured one, and that of the packet. */
  const CAPTURED = 33;
  const WIRE = 40;

  test.each<[number, number, number, number]>([
    [2, 0, WIRE, CAPTURED],
    [2, 1, WIRE, CAPTURED],
    [2, 2, WIRE, CAPTURED],
    [2, 3, CAPTURED, WIRE],
    [2, 3, WIRE, CAPTURED],
    [2, 4, CAPTURED, WIRE],
    [543, 0, WIRE, CAPTURED],
  ])('of version %d.%d with the lengths %d, %d is read', async (major, minor, first, second) => {
    for (const littleEndian of [true, false]) {
      for (const magic of [0xa1b2c3d4, 0xa1b2cd34]) {
        const whole = ipv4(udp('hello'));
        const cut = ipv4(udp('hello, hello')).subarray(0, CAPTURED);
        expect([whole.length, ipv4(udp('hello, hello')).length]).toEqual([CAPTURED, WIRE]);
        const packets = [
          { data: whole, lengths: [CAPTURED, CAPTURED] as const },
          { data: cut, lengths: [first, second] as const },
          { data: whole, lengths: [CAPTURED, CAPTURED] as const },
        ];
        const file = pcapFile(packets, { magic, littleEndian, version: [major, minor] });
        const { datagrams, error, skipped } = await readAll(file, 7);
        expect(error).toBeUndefined();
        expect(datagrams.map(({ data }) => Buffer.from(data).toString())).toEqual(['hello', 'hello']);
        expect(skipped).toEqual({ cut: 1 });
      }
    }
  });

  test.each([
    [2, 5],
    [1, 2],
    [3, 4],
    [543, 1],
  ])('of version %d.%d is an error that names it', async (major, minor) => {
    expect((await readAll(pcapFile([packet], { version: [major, minor] }))).error?.message).toBe(
      `at byte 4: it is pcap of version ${major}.${minor}; 2.0 to 2.4 and 543.0 are read`,
    );
  });

  test('with a packet that claims four gigabytes is an error, after the datagrams before it', async () => {
    const file = pcapFile([packet, packet]);
    const second = 24 + 16 + packet.data.length;
    file.writeUInt32LE(0xffff_ffff, second + 8);
    const { datagrams, error } = await readAll(file);
    expect(datagrams).toHaveLength(1);
    expect(error?.message).toBe(`at byte ${second}: a packet says that it has 4294967295 bytes; the limit is 262144`);
    expect(error?.offset).toBe(second);
  });
});
