import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { loadFormat } from '../../src/record/formats/table.js';
import { ForeignFileError } from '../../src/record/record-error.js';
import { fc, holdsAsync, payloads } from '../support/property.js';
import { FORMATS, hex, oneFile, payloadsIn, record, recordBytes } from './recorded.js';

const folder = mkdtempSync(join(tmpdir(), 'udpcat-continue-'));

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Time limit of a test: 1000 runs on real files take long on a busy machine. */
const SLOW_MS = 300_000;

const several = fc.array(payloads, { maxLength: 6 });

describe.each(FORMATS)('a recording that is continued, as %s', (name) => {
  const path = join(folder, `x.${name}`);

  test(
    'reads back as its whole records, wherever it was cut',
    async () => {
      await holdsAsync(
        fc.asyncProperty(several, several, fc.double({ min: 0, max: 1, noNaN: true }), async (first, second, where) => {
          rmSync(path, { force: true });
          await record(await oneFile(path, name), name, [first]);
          const size = readFileSync(path).length;
          const cut = Math.round(size * where);
          truncateSync(path, cut);
          const records = await recordBytes(name, first);
          let at = (await loadFormat(name)).header.length;
          // A line without its newline is also whole.
          const newlineBytes = name === 'jsonl' ? 1 : 0;
          const ends = records.map(({ length }) => (at += length) - newlineBytes);
          const whole = ends.filter((end) => end <= cut).length;
          const files = await oneFile(path, name);
          await record(files, name, [second]);
          expect(await payloadsIn(path)).toEqual([...first.slice(0, whole), ...second].map(hex));
          const boundaries = [0, ...ends, ...ends.map((end) => end + newlineBytes)];
          const isInHeader = name === 'pcap' && cut <= 24;
          if (!isInHeader) expect(files.told).toHaveLength(boundaries.includes(cut) ? 0 : 1);
        }),
      );
    },
    SLOW_MS,
  );

  // The bytes of a pcap record from the fifth on can look like the header of another record.
  test.each([1, 2, 3, 4, 5, 8, 12])('finds what follows a record of which %s bytes are missing', async (missing) => {
    rmSync(path, { force: true });
    const empty = Buffer.alloc(0);
    await record(await oneFile(path, name), name, [[empty]]);
    const [whole = empty] = await recordBytes(name, [empty]);
    appendFileSync(path, whole.subarray(0, whole.length - 1 - missing));
    for (const one of await recordBytes(name, [empty, empty])) appendFileSync(path, one);
    await record(await oneFile(path, name), name, [[Buffer.from('last')]]);
    expect(await payloadsIn(path)).toEqual([empty, empty, empty, Buffer.from('last')].map(hex));
  });

  test(
    'gives readers all whole records, although one of several writers was killed',
    async () => {
      await holdsAsync(
        fc.asyncProperty(
          fc.array(payloads, { minLength: 1, maxLength: 4 }),
          payloads,
          fc.array(payloads, { minLength: 1, maxLength: 4 }),
          fc.double({ min: 0, max: 1, noNaN: true }),
          async (before, killed, after, where) => {
            rmSync(path, { force: true });
            await record(await oneFile(path, name), name, [before]);
            const [whole = Buffer.alloc(0)] = await recordBytes(name, [killed]);
            appendFileSync(path, whole.subarray(0, Math.floor((whole.length - 1) * where)));
            for (const one of await recordBytes(name, after)) appendFileSync(path, one);
            await record(await oneFile(path, name), name, [[Buffer.from('last')]]);
            const found = await payloadsIn(path);
            // A line without only its newline looks like an incomplete one.
            expect(found).toEqual([...before, ...after, Buffer.from('last')].map(hex));
          },
        ),
      );
    },
    SLOW_MS,
  );

  test(
    'leaves a foreign file unchanged',
    async () => {
      await holdsAsync(
        fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
          const own = name === 'jsonl' ? Buffer.from('{"v":1,"type":"') : (await loadFormat(name)).header;
          fc.pre(!Buffer.from(own).subarray(0, bytes.length).equals(bytes.subarray(0, own.length)));
          writeFileSync(path, bytes);
          await expect(record(await oneFile(path, name), name, [])).rejects.toThrow(ForeignFileError);
          expect(hex(readFileSync(path))).toBe(hex(bytes));
        }),
      );
    },
    SLOW_MS,
  );
});

test('a pcap file of nanoseconds and raw IP with packets of other protocols is continued, and loses none', async () => {
  const path = join(folder, 'other.pcap');
  const { header } = await loadFormat('pcap');
  const packet = Buffer.alloc(16 + 40, 0x45);
  packet.writeUInt32LE(1, 4);
  packet.writeUInt32LE(40, 8);
  packet.writeUInt32LE(40, 12);
  const all = Buffer.concat([header, packet, packet]);
  writeFileSync(path, all);
  await record(await oneFile(path, 'pcap'), 'pcap', [[Buffer.from('x')]]);
  expect(hex(readFileSync(path).subarray(0, all.length))).toBe(hex(all));
});

test('a cut recording whose payloads are recordings loses none of its whole records', async () => {
  const path = join(folder, 'nested.pcap');
  const inner = Buffer.concat(await recordBytes('pcap', [Buffer.from('one'), Buffer.from('two')]));
  rmSync(path, { force: true });
  await record(await oneFile(path, 'pcap'), 'pcap', [[inner, inner]]);
  const all = readFileSync(path);
  writeFileSync(path, all.subarray(0, all.length - inner.length - 40));
  await record(await oneFile(path, 'pcap'), 'pcap', [[Buffer.from('x')]]);
  expect(await payloadsIn(path)).toEqual([hex(inner), hex(Buffer.from('x'))]);
});

test('a large part that is no recording, behind whole records, is not taken for a record that was cut off', async () => {
  const path = join(folder, 'garbage.pcap');
  const all = Buffer.concat([(await loadFormat('pcap')).header, Buffer.alloc(400_000, 0xff)]);
  writeFileSync(path, all);
  await expect(record(await oneFile(path, 'pcap'), 'pcap', [])).rejects.toThrow('is broken at byte 24');
  expect(readFileSync(path).equals(all)).toBe(true);
});
