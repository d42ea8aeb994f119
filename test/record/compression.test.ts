import { describe, expect, test } from '@jest/globals';
import * as zlib from 'node:zlib';
import { pcapHeader } from '../../src/record/formats/pcap-writer.js';
import { readCapture } from '../../src/record/reader.js';
import { SkipTally } from '../../src/record/skip-tally.js';
import { filter } from '../support/capturing.js';
import { testWith } from '../support/peers.js';
import { fc, holdsAsync } from '../support/property.js';
import { datagrams } from './arbitraries.js';
import { comparable, jsonlRecord, pcapRecord, readAll } from './files.js';

// The declarations are those of Node 20, which has no zstd.
const { zstdCompressSync } = zlib as { zstdCompressSync?: (data: Uint8Array) => Buffer };

const all = Array.from({ length: 20 }, (_, n) => ({
  timeMs: 1_800_000_000_000 + n,
  source: { address: '192.0.2.1', port: 40_000 },
  destination: { address: '192.0.2.2', port: 8000 },
  data: Buffer.from(`number ${n}`),
}));
const pcap = Buffer.concat([pcapHeader(), ...all.map(pcapRecord)]);
const jsonl = Buffer.from(all.map((one) => jsonlRecord(one, 'in')).join(''));

const payloads = (read: readonly { readonly data: Uint8Array }[]): string[] =>
  read.map(({ data }) => Buffer.from(data).toString());
const sent = payloads(all);

/** Compressions that are read. */
const FORMATS: readonly [string, ((data: Uint8Array) => Buffer) | undefined][] = [
  ['gzip', (data) => zlib.gzipSync(data)],
  ['zstd', zstdCompressSync],
];

describe.each(FORMATS)('a recording compressed by %s', (name, compress) => {
  const testIf = compress === undefined ? test.skip : test;
  const title = (text: string): string =>
    compress === undefined ? `${text} (skipped: this Node has no ${name})` : text;
  const compressed = (data: Uint8Array): Buffer => (compress ?? zlib.gzipSync)(data);

  testIf(title('is read, in chunks of any size'), async () => {
    for (const file of [pcap, jsonl]) {
      for (const chunkBytes of [1, 7, 100_000]) {
        const { datagrams, error } = await readAll(compressed(file), chunkBytes);
        expect(error).toBeUndefined();
        expect(payloads(datagrams)).toEqual(sent);
      }
    }
  });

  testIf(title('is read whatever it holds, in as many parts as it was compressed in'), async () => {
    const sequences = fc.array(datagrams, { maxLength: 4 });
    const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 });
    await holdsAsync(
      fc.asyncProperty(sequences, cuts, fc.integer({ min: 1, max: 9000 }), async (some, cuts, chunkBytes) => {
        const file = Buffer.concat([pcapHeader(), ...some.map(pcapRecord)]);
        const places = [0, ...cuts.map((part) => Math.floor(part * file.length)).sort((a, b) => a - b), file.length];
        const parts = places.slice(1).map((end, n) => compressed(file.subarray(places[n], end)));
        const { datagrams, error } = await readAll(Buffer.concat(parts), chunkBytes);
        expect(error).toBeUndefined();
        expect(datagrams.map(comparable)).toEqual(some.map(comparable));
      }),
    );
  });

  testIf(title('and cut short gives the datagrams before the cut, and then the error'), async () => {
    const file = compressed(pcap);
    for (let length = 4; length < file.length; length += 1) {
      const { datagrams, error } = await readAll(file.subarray(0, length), 50);
      expect(payloads(datagrams)).toEqual(sent.slice(0, datagrams.length));
      // zstd can report a cut as broken data.
      expect(error?.message).toMatch(/in the middle of its (gzip|zstd) data$|its zstd data are broken/);
      expect(error?.offset).toBeLessThanOrEqual(length);
    }
    // The last bytes are a checksum. All data stand before it.
    if (name === 'gzip') expect((await readAll(file.subarray(0, -8))).datagrams).toHaveLength(all.length);
  });

  testIf(title('with something else behind it is read, and then is an error'), async () => {
    for (const behind of [Buffer.from('something else'), pcap, Buffer.from('!')]) {
      const file = compressed(pcap);
      const { datagrams, error } = await readAll(Buffer.concat([file, behind]));
      expect(payloads(datagrams)).toEqual(sent);
      expect(error?.message).toMatch(/something else follows its gzip data|its zstd data/);
      expect(error?.offset).toBe(file.length);
    }
  });

  testIf(title('that is no recording has the error of its content, with the place in it'), async () => {
    const broken = Buffer.concat([pcap, Buffer.of(1, 2, 3)]);
    const { datagrams, error } = await readAll(compressed(broken));
    expect(payloads(datagrams)).toEqual(sent);
    expect(error?.message).toBe(
      `at byte ${pcap.length} of the uncompressed file: the file ends after 3 of the 16 bytes of a packet's header`,
    );
    expect((await readAll(compressed(Buffer.from('hello')))).error?.message).toMatch(
      /^at byte 0 of the uncompressed file: a file that begins with the bytes 68656c6c is no recording/,
    );
  });

  testIf(
    title('is decompressed only as far as it is read, and a consumer that stops early closes its input'),
    async () => {
      // The compressed file has 100,000 bytes, and 100 million uncompressed.
      const bomb = compressed(Buffer.concat([pcapHeader(), Buffer.alloc(100_000_000)]));
      expect(bomb.length).toBeLessThan(200_000);
      let [givenBytes, isClosed] = [0, false];
      async function* input(): AsyncGenerator<Uint8Array, undefined> {
        try {
          yield compressed(pcap);
          for (let at = 0; at < bomb.length; at += 1000) {
            yield bomb.subarray(at, at + 1000);
            givenBytes += 1000;
          }
        } finally {
          isClosed = true;
        }
      }
      for await (const batch of readCapture(input(), new SkipTally())) {
        expect(batch.length).toBeGreaterThan(0);
        break;
      }
      expect(isClosed).toBe(true);
      expect(givenBytes).toBeLessThan(20_000);
    },
  );

  testIf(title('of a hundred million bytes takes a few of memory'), async () => {
    const records = Buffer.concat(
      Array.from({ length: 100 }, () => pcapRecord({ ...all[0]!, data: Buffer.alloc(1000) })),
    );
    const file = compressed(Buffer.concat([pcapHeader(), ...Array.from({ length: 1000 }, () => records)]));
    expect(file.length).toBeLessThan(1_000_000);
    let [count, mostBytes] = [0, 0];
    async function* input(): AsyncGenerator<Uint8Array, undefined> {
      yield file;
    }
    for await (const batch of readCapture(input())) {
      count += batch.length;
      // One chunk of input has more uncompressed bytes than the reader may hold.
      mostBytes = Math.max(mostBytes, batch.length);
    }
    expect(count).toBe(100_000);
    expect(mostBytes).toBeLessThan(1000);
  });

  testIf(title('has the error of its input as it is, after what was read'), async () => {
    const failure = new Error('EIO');
    async function* input(): AsyncGenerator<Uint8Array, undefined> {
      yield compressed(pcap).subarray(0, -1);
      throw failure;
    }
    const read: string[] = [];
    const reading = async (): Promise<void> => {
      for await (const batch of readCapture(input())) read.push(...payloads(batch));
    };
    await expect(reading()).rejects.toBe(failure);
    // zstd gives no output for a block before its end.
    expect(read).toEqual(name === 'gzip' ? sent : sent.slice(0, read.length));
  });

  testIf(title('is read, whatever bytes of it are changed, to its end or to one clear error'), async () => {
    const file = compressed(pcap);
    await holdsAsync(
      fc.asyncProperty(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const copy = Buffer.from(file);
        copy[at]! ^= change;
        const { error } = await readAll(copy, 60);
        if (error !== undefined)
          expect(error.message).toMatch(/^at (line \d+, )?byte \d+( of the uncompressed file)?: ./);
      }),
    );
  });
});

describe('gzip', () => {
  const deflated = zlib.gzipSync(pcap).subarray(10);
  const header = (flags: number, ...rest: readonly Uint8Array[]): Buffer =>
    Buffer.concat([Buffer.of(0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3), ...rest]);

  test.each<[string, Buffer]>([
    ['a name', header(0x08, Buffer.from('today.pcap\0'))],
    ['a long comment', header(0x10, Buffer.alloc(5000, 'x'), Buffer.of(0))],
    ['extra fields', header(0x04, Buffer.of(4, 0), Buffer.from('abcd'))],
    ['all of them and a checksum', header(0x1f, Buffer.of(1, 0, 7), Buffer.from('name\0comment\0'), Buffer.of(1, 2))],
  ])('with %s in its header is read', async (_name, start) => {
    for (const chunkBytes of [1, 10_000]) {
      const { datagrams, error } = await readAll(Buffer.concat([start, deflated]), chunkBytes);
      expect(error).toBeUndefined();
      expect(payloads(datagrams)).toEqual(sent);
    }
  });

  test('with zeros behind it, and another member behind them, is read', async () => {
    const file = Buffer.concat([
      zlib.gzipSync(pcap),
      Buffer.alloc(1000),
      zlib.gzipSync(pcapRecord(all[0]!)),
      Buffer.alloc(9),
    ]);
    for (const chunkBytes of [1, 10_000]) {
      const { datagrams, error } = await readAll(file, chunkBytes);
      expect(error).toBeUndefined();
      expect(payloads(datagrams)).toEqual([...sent, sent[0]]);
    }
  });

  test.each<[string, (file: Buffer) => void, RegExp]>([
    ['its checksum', (file) => (file[file.length - 8]! ^= 1), /its checksum differs$/],
    ['its length', (file) => (file[file.length - 1]! ^= 1), /its checksum differs$/],
    ['the method', (file) => (file[2] = 7), /it is compressed by method 7 of gzip; only 8 is read$/],
    ['the first block', (file) => (file[10] = 0xff), /its gzip data are broken: ./],
    ['the end of a name', (file) => file.fill(0x08, 3, 4).fill(1, 10), /the file ends in the middle/],
  ])('with a fault in %s says so', async (_name, change, why) => {
    const file = zlib.gzipSync(pcap);
    change(file);
    const { error } = await readAll(file);
    expect(error?.message).toMatch(why);
  });

  test('that holds nothing holds no datagram', async () => {
    const { datagrams, error } = await readAll(zlib.gzipSync(Buffer.of()));
    expect({ datagrams, error }).toEqual({ datagrams: [], error: undefined });
  });

  test('with a name that never ends is an error, and takes no memory', async () => {
    const { error } = await readAll(Buffer.concat([header(0x08), Buffer.alloc(200_000, 'x')]));
    expect(error?.message).toBe('at byte 10: a text in the header of gzip has no end');
  });
});

test.each([
  ['fd377a585a00', 'xz', 'xz -dc'],
  ['425a6839314159', 'bzip2', 'bzip2 -dc'],
  ['04224d186440', 'lz4', 'lz4 -dc'],
  ['1f9d9061', 'compress', 'gzip -dc'],
  ['504b030414', 'zip', 'unzip -p'],
])('a file that begins with %s is told to be compressed by %s, and what undoes it', async (hex, name, program) => {
  const { error } = await readAll(Buffer.from(hex, 'hex'));
  expect(error?.message).toBe(
    `at byte 0: it is compressed by ${name}, which is not read: pipe it through ${program}, and replay -`,
  );
});

if (zstdCompressSync === undefined) {
  test('zstd without support in this Node is an error that tells the remedy', async () => {
    const { error } = await readAll(Buffer.from('28b52ffd24', 'hex'));
    expect(error?.message).toBe(
      'at byte 0: it is compressed by zstd, which needs Node 22.15 or later: pipe it through zstd -dc, and replay -',
    );
  });
}

/** Runs a program with the pcap file as stdin. Returns its output. */
const packed = (program: string, ...args: string[]): Buffer =>
  Buffer.from(filter('sh', ['-c', `${program} ${args.join(' ')} | base64`], pcap).stdout, 'base64');

describe('the files of real programs', () => {
  for (const level of ['-1', '-9', '--rsyncable']) {
    testWith('gzip', `of gzip ${level} are read`, async () => {
      expect(payloads((await readAll(packed('gzip', level, '-c'))).datagrams)).toEqual(sent);
    });
  }
  if (zstdCompressSync !== undefined) {
    for (const level of ['-1', '-19', '--no-check', '--long']) {
      testWith('zstd', `of zstd ${level} are read`, async () => {
        expect(payloads((await readAll(packed('zstd', '-q', level, '-c'))).datagrams)).toEqual(sent);
      });
    }
  }
});
