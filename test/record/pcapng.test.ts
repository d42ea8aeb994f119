import { describe, expect, test } from '@jest/globals';
import { Blocks, ipv4, payloadsOf, readAll, udp } from './files.js';

const packet = (text: string): Buffer => ipv4(udp(text));

const little = new Blocks();
const big = new Blocks(false);

const TIME_MS = 1_800_000_000_123.456;
const NANOSECONDS = 1_800_000_000_123_456_000n;

describe('a pcapng file', () => {
  test.each([
    ['little-endian', little],
    ['big-endian', big],
  ])('is read: %s, with enhanced, obsolete and simple packets, unknown blocks skipped', async (_name, blocks) => {
    const file = Buffer.concat([
      blocks.section(blocks.option(1, Buffer.from('a comment')), blocks.option(0, Buffer.of())),
      blocks.interface(101, 262_144, blocks.option(2, Buffer.from('lo')), blocks.option(0, Buffer.of())),
      blocks.block(0x0bad, Buffer.alloc(100_001, 0xff)),
      blocks.enhanced(packet('one'), {
        units: NANOSECONDS / 1000n,
        options: [blocks.option(1, Buffer.from('a comment')), blocks.option(0, Buffer.of())],
      }),
      blocks.block(4, Buffer.of()),
      blocks.old(packet('two'), { units: NANOSECONDS / 1000n }),
      blocks.simple(packet('three')),
      blocks.block(5, Buffer.alloc(8)),
    ]);
    for (const chunkBytes of [1, 7, 100_000_000]) {
      const { datagrams, error, skipped } = await readAll(file, chunkBytes);
      expect(error).toBeUndefined();
      expect(skipped).toEqual({});
      expect(datagrams.map(({ data }) => Buffer.from(data).toString())).toEqual(['one', 'two', 'three']);
      expect(datagrams.map(({ timeMs }) => timeMs)).toEqual([TIME_MS, TIME_MS, TIME_MS]);
    }
  });

  test('of several sections has the byte order and the interfaces of each', async () => {
    const section = (blocks: Blocks, text: string): Buffer =>
      Buffer.concat([blocks.section(), blocks.interface(), blocks.enhanced(packet(text))]);
    const file = Buffer.concat([section(little, 'one'), section(big, 'two'), section(little, 'three')]);
    expect(await payloadsOf(file)).toEqual(['one', 'two', 'three']);
    const { error } = await readAll(Buffer.concat([file, big.section(), big.enhanced(packet('four'))]));
    expect(error?.message).toBe(
      `at byte ${file.length + 28}: a packet is of interface 0, and the section has not described it`,
    );
  });

  test.each<[string, Buffer[], bigint]>([
    ['in microseconds unless it says otherwise', [], NANOSECONDS / 1000n],
    ['in nanoseconds', [little.option(9, Buffer.of(9))], NANOSECONDS],
    [
      'in milliseconds and an offset',
      [little.option(9, Buffer.of(3)), little.option(14, little.int64(1_000_000_000n))],
      800_000_000_123n,
    ],
    ['in powers of two', [little.option(9, Buffer.of(0x80 | 20))], (NANOSECONDS << 20n) / 1_000_000_000n],
    ['with a negative offset', [little.option(14, little.int64(-5n))], NANOSECONDS / 1000n + 5_000_000n],
    [
      'with options behind an end of them',
      [little.option(0, Buffer.of()), little.option(9, Buffer.of(9))],
      NANOSECONDS / 1000n,
    ],
    ['with options of no length', [little.option(9, Buffer.of()), little.option(14, Buffer.of())], NANOSECONDS / 1000n],
  ])('tells the time %s', async (name, options, units) => {
    const file = Buffer.concat([
      little.section(),
      little.interface(101, 0, ...options),
      little.enhanced(packet('one'), { units }),
    ]);
    const { datagrams } = await readAll(file);
    expect(Math.abs((datagrams[0]?.timeMs ?? 0) - TIME_MS)).toBeLessThan(name.includes('milli') ? 0.5 : 0.001);
  });

  test.each<[string, Buffer[], bigint]>([
    ['far in the future', [], 0xffff_ffff_ffff_ffffn],
    ['before 1970', [little.option(14, little.int64(-2n))], 1_999_999n],
    ['in units that are too large', [little.option(9, Buffer.of(0x80))], 10_000_000_000_000n],
    ['in units beyond all measure', [little.option(9, Buffer.of(0x7f)), little.option(14, little.int64(-1n))], 1n],
  ])('with a time %s gives the datagram, and no time for it', async (_name, options, units) => {
    const file = Buffer.concat([
      little.section(),
      little.interface(),
      little.interface(101, 0, ...options),
      little.enhanced(packet('before'), { units: NANOSECONDS / 1000n }),
      little.enhanced(packet('bad'), { number: 1, units }),
      little.old(packet('bad again'), { number: 1, units }),
      little.enhanced(packet('after'), { units: NANOSECONDS / 1000n }),
    ]);
    const { datagrams, error, skipped } = await readAll(file);
    expect({ error, skipped }).toEqual({ error: undefined, skipped: {} });
    expect(datagrams.map(({ timeMs, data }) => [Buffer.from(data).toString(), timeMs])).toEqual([
      ['before', TIME_MS],
      ['bad', NaN],
      ['bad again', NaN],
      ['after', TIME_MS],
    ]);
  });

  test('that begins with a simple packet has no time for it', async () => {
    const file = Buffer.concat([little.section(), little.interface(), little.simple(packet('one'))]);
    expect((await readAll(file)).datagrams.map(({ timeMs }) => timeMs)).toEqual([NaN]);
  });

  test('has packets of interfaces of several link types, and counts those that are not read', async () => {
    const file = Buffer.concat([
      little.section(),
      little.interface(127),
      little.interface(101),
      little.enhanced(packet('one')),
      little.enhanced(packet('two'), { number: 1 }),
      little.old(packet('three'), { number: 1 }),
    ]);
    const { datagrams, skipped } = await readAll(file);
    expect(datagrams.map(({ data }) => Buffer.from(data).toString())).toEqual(['two', 'three']);
    expect(skipped).toEqual({ 'IEEE 802.11 (link type 127)': 1 });
  });

  test('counts what was cut, in simple packets as well', async () => {
    const whole = packet('hello');
    const file = Buffer.concat([
      little.section(),
      little.interface(101, 30),
      little.simple(whole.subarray(0, 30), whole.length),
      little.enhanced(whole.subarray(0, 30), { wireBytes: whole.length }),
      little.enhanced(whole),
    ]);
    const { datagrams, skipped } = await readAll(file);
    expect(datagrams).toHaveLength(1);
    expect(skipped).toEqual({ cut: 2 });
  });

  /** Returns a block with another length in its length field. */
  const withLength = (block: Buffer, length: number): Buffer => {
    block.writeUInt32LE(length, 4);
    return block;
  };
  const withUint32 = (block: Buffer, at: number, value: number): Buffer => {
    block.writeUInt32LE(value, at);
    return block;
  };

  test.each<[string, Buffer, string]>([
    [
      'a length of four gigabytes',
      withLength(little.enhanced(packet('a')), 0xffff_fffc),
      'a block says that it has 4294967292 bytes; the limit is 16777216',
    ],
    [
      'a length of nothing',
      withLength(little.enhanced(packet('a')), 0),
      'a block says that it has 0 bytes, which no block can have',
    ],
    [
      'an odd length',
      withLength(little.enhanced(packet('a')), 61),
      'a block says that it has 61 bytes, which no block can have',
    ],
    [
      'two lengths',
      withUint32(little.block(99, Buffer.alloc(8)), 16, 99),
      'a block says at its start that it has 20 bytes, and at its end 99',
    ],
    [
      'two lengths of a packet',
      withUint32(little.enhanced(packet('')), 60 - 4, 99),
      'a block says at its start that it has 60 bytes, and at its end 99',
    ],
    [
      'an enhanced packet without room for its fields',
      little.block(6, Buffer.alloc(16)),
      'a block of type 6 has 28 bytes; it needs at least 32',
    ],
    [
      'an interface without room for its fields',
      little.block(1, Buffer.alloc(4)),
      'a block of type 1 has 16 bytes; it needs at least 20',
    ],
    [
      'a packet longer than its block',
      withUint32(little.enhanced(packet('')), 20, 0xffff_ffff),
      'a packet says that it has 4294967295 bytes; the limit in its block is 28',
    ],
    [
      'a simple packet longer than its block',
      withUint32(little.simple(packet('')), 8, 29),
      'a packet says that it has 29 bytes; the limit in its block is 28',
    ],
    [
      'a packet longer than any',
      little.enhanced(Buffer.alloc(262_145)),
      'a packet says that it has 262145 bytes; the limit in its block is 262144',
    ],
    [
      'a packet of no interface',
      little.enhanced(packet('a'), { number: 1 }),
      'a packet is of interface 1, and the section has not described it',
    ],
    [
      'an option longer than its block',
      withUint32(little.interface(101, 0, little.option(9, Buffer.of(9))), 16, 0xffff_0009),
      'an option of an interface has 65535 bytes, more than its block',
    ],
    ['a section of no byte order', withUint32(little.section(), 8, 0), 'a section header does not tell its byte order'],
    [
      'a section of another version',
      withUint32(little.section(), 12, 2),
      'it is pcapng of version 2.0; only version 1 is read',
    ],
    [
      'its last block cut',
      little.enhanced(packet('a')).subarray(0, 40),
      'the file ends after 40 of the 64 bytes of a block',
    ],
    [
      'the header of a block cut',
      little.enhanced(packet('a')).subarray(0, 8),
      'the file ends after 8 bytes of a block',
    ],
    [
      'an unknown block cut',
      little.block(99, Buffer.alloc(8)).subarray(0, 14),
      'the file ends in the middle of a block of 20 bytes',
    ],
    [
      'the end of an unknown block cut',
      little.block(99, Buffer.alloc(8)).subarray(0, 18),
      'the file ends before the end of a block of 20 bytes',
    ],
    [
      'an unknown block of four gigabytes',
      withLength(little.block(99), 0xffff_fffc),
      'the file ends in the middle of a block of 4294967292 bytes',
    ],
  ])('with %s is an error that says so, after what came before', async (_name, bad, why) => {
    const good = Buffer.concat([little.section(), little.interface(), little.enhanced(packet('good'))]);
    for (const chunkBytes of [13, 1_000_000]) {
      const { datagrams, error } = await readAll(Buffer.concat([good, bad]), chunkBytes);
      expect(datagrams).toHaveLength(1);
      expect(error?.message).toBe(`at byte ${good.length}: ${why}`);
    }
  });

  test('with more interfaces than it can tell apart is an error', async () => {
    const interfaces = Array.from({ length: 65_537 }, () => little.interface());
    const { error } = await readAll(Buffer.concat([little.section(), ...interfaces]));
    expect(error?.message).toBe(`at byte ${28 + 65_536 * 20}: a section has more than 65536 interfaces`);
  });
});
