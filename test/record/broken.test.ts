import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { pcapHeader } from '../../src/record/formats/pcap-writer.js';
import { readCapture } from '../../src/record/reader.js';
import { Blocks, comparable, jsonlRecord, pcapFile, pcapRecord, readAll } from './files.js';

const datagrams = ['', 'hello', 'the last'].map((text, n) => ({
  timeMs: 1_800_000_000_000 + n,
  source: { address: '::1', port: 40_000 },
  destination: { address: '::1', port: 8000 },
  data: Buffer.from(text),
}));

const packets = datagrams.map((datagram) => Buffer.from(pcapRecord(datagram)).subarray(16));
const little = new Blocks();
const big = new Blocks(false);

/** Files with these datagrams, as lists of parts: each ends where the file may end. */
const FILES: readonly [string, readonly Uint8Array[]][] = [
  ['pcap', [pcapHeader(), ...datagrams.map(pcapRecord)]],
  [
    'pcap of the other byte order',
    [
      pcapFile([], { littleEndian: false }),
      ...packets.map((data) => pcapFile([{ data }], { littleEndian: false }).subarray(24)),
    ],
  ],
  ['pcapng', [little.section(), little.interface(), ...packets.map((data) => little.enhanced(data)), little.block(5)]],
  [
    'big-endian pcapng',
    [big.section(), big.interface(), big.block(99, Buffer.alloc(5)), ...packets.map((data) => big.old(data))],
  ],
  ['JSON lines', datagrams.map((datagram) => Buffer.from(jsonlRecord(datagram, 'in')))],
];

describe.each(FILES)('a file cut short: %s', (name, parts) => {
  const file = Buffer.concat(parts);
  /** The offsets at which the file may end without an error. */
  const ends = parts.map((_, n) => Buffer.concat(parts.slice(0, n + 1)).length);

  test('gives the datagrams before the cut, and an error with its offset', async () => {
    const whole = await readAll(file);
    expect(whole.error).toBeUndefined();
    expect(whole.datagrams).toHaveLength(3);
    const unread = new Set([0, ...ends]);
    // A last line is whole without its newline. The first three bytes of pcapng are line ends, which are empty JSON lines.
    if (name === 'JSON lines') for (const end of ends) unread.add(end - 1);
    if (name.includes('pcapng')) for (const length of [1, 2, 3]) unread.add(length);
    for (let length = 0; length <= file.length; length += 1) {
      const { datagrams, error } = await readAll(file.subarray(0, length), 50);
      expect(datagrams.map(comparable)).toEqual(whole.datagrams.slice(0, datagrams.length).map(comparable));
      const last = Math.max(0, ...ends.filter((end) => end <= length));
      if (unread.has(length)) expect({ length, error }).toEqual({ length, error: undefined });
      else {
        expect({ length, offset: error?.offset }).toEqual({ length, offset: last });
        expect(error?.message).toMatch(
          /^at (line \d+, )?byte \d+: (the file ends |it is not valid JSON|a file that begins with)/,
        );
      }
    }
  });
});

test('an error of the input is passed on unchanged, after the datagrams before it', async () => {
  const failure = new Error('EIO');
  async function* input(): AsyncGenerator<Uint8Array, undefined> {
    yield Buffer.concat([pcapHeader(), pcapRecord(datagrams[1]!)]);
    throw failure;
  }
  const read: number[] = [];
  const reading = async (): Promise<void> => {
    for await (const batch of readCapture(input())) read.push(batch.length);
  };
  await expect(reading()).rejects.toBe(failure);
  expect(read).toEqual([1]);
});

test('a consumer that stops early closes the input', async () => {
  let closed = false;
  async function* input(): AsyncGenerator<Uint8Array, undefined> {
    try {
      for (;;) yield Buffer.concat([pcapHeader(), pcapRecord(datagrams[1]!)]);
    } finally {
      closed = true;
    }
  }
  for await (const batch of readCapture(input())) {
    expect(batch).toHaveLength(1);
    break;
  }
  expect(closed).toBe(true);
});

test('a recording much larger than the memory it may take is read to its end', async () => {
  const chunk = Buffer.concat(
    Array.from({ length: 1000 }, () => pcapRecord({ ...datagrams[1]!, data: Buffer.alloc(1000) })),
  );
  async function* input(): AsyncGenerator<Uint8Array, undefined> {
    yield pcapHeader();
    for (let n = 0; n < 300; n += 1) {
      const own = Buffer.from(chunk);
      // The chunks end in the middle of a packet.
      yield own.subarray(0, 500_500);
      yield own.subarray(500_500);
    }
  }
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let count = 0;
  let mostBytes = 0;
  for await (const batch of readCapture(input())) {
    const before = count;
    count += batch.length;
    if (Math.floor(count / 50_000) === Math.floor(before / 50_000)) continue;
    // The garbage collector is called here: only memory that it cannot free counts.
    collect();
    mostBytes = Math.max(mostBytes, process.memoryUsage().arrayBuffers);
  }
  expect(count).toBe(300_000);
  // The file has 317 MB.
  expect(mostBytes).toBeGreaterThan(0);
  expect(mostBytes).toBeLessThan(100_000_000);
});
