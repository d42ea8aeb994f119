import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import { loadFormat, type RecordFormatName } from '../../src/record/formats/table.js';
import { FileRow } from '../../src/record/record-files.js';
import type { Rotation } from '../../src/record/row.js';
import { fc, holdsAsync, payloads } from '../support/property.js';
import { FORMATS, hex, payloadsIn, record, recordBytes } from './recorded.js';

const top = mkdtempSync(join(tmpdir(), 'udpcat-row-'));
let folder = top;
let tests = 0;
const told: string[] = [];

beforeEach(() => {
  told.length = 0;
  tests += 1;
  folder = join(top, String(tests));
  mkdirSync(folder);
});

afterAll(() => {
  rmSync(top, { recursive: true });
});

function empty(): void {
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
}

async function row(name: RecordFormatName, rotation: Rotation): Promise<FileRow> {
  const warn = (message: string): number => told.push(message);
  return new FileRow(join(folder, `day.${name}`), await loadFormat(name), rotation, { warn });
}

const SLOW_MS = 300_000;

/** Each run makes many files and is slow, so there are fewer than for other properties. */
const holds = <Values extends readonly unknown[]>(property: fc.IAsyncProperty<Values>): Promise<void> =>
  holdsAsync(property, { runs: 100 });

/** Reads the payloads of each file, in the order of the names. */
async function files(): Promise<string[][]> {
  const found: string[][] = [];
  for (const name of readdirSync(folder).sort()) found.push(await payloadsIn(join(folder, name)));
  return found;
}

const bytes = (...texts: readonly string[]): Buffer[] => texts.map((text) => Buffer.from(text));
const OLD = 'day.2020-02-29T080000.000001Z.pcap';
const FUTURE = 'day.2200-01-01T000000.000000Z.pcap';

describe.each(FORMATS)('a row of files, as %s', (name) => {
  const runs = fc.array(fc.array(fc.array(payloads, { maxLength: 5 }), { maxLength: 4 }), {
    minLength: 1,
    maxLength: 4,
  });

  test(
    'has every record in order, and no file above its size except with a single record',
    async () => {
      const { header } = await loadFormat(name);
      await holds(
        fc.asyncProperty(runs, fc.integer({ min: 1, max: 2000 }), async (all, maxBytes) => {
          empty();
          for (const batches of all) await record(await row(name, { maxBytes }), name, batches);
          const found = await files();
          expect(found.flat()).toEqual(all.flat(2).map(hex));
          const sizes = readdirSync(folder)
            .sort()
            .map((file) => statSync(join(folder, file)).size);
          const records = await recordBytes(name, all.flat(2));
          let at = 0;
          for (const [index, { length }] of found.entries()) {
            expect(sizes[index] ?? NaN).toBeLessThanOrEqual(
              length === 1
                ? Math.max(maxBytes, header.length + (records[at]?.length ?? 0))
                : Math.max(maxBytes, header.length),
            );
            at += length;
            // The next file was begun because its first record had no room in this one.
            const next = records[at];
            if (next !== undefined && index + 1 < found.length)
              expect((sizes[index] ?? NaN) + next.length).toBeGreaterThan(maxBytes);
          }
        }),
      );
    },
    SLOW_MS,
  );

  test(
    'keeps the newest files, and no more than --keep, over all runs',
    async () => {
      await holds(
        fc.asyncProperty(runs, fc.integer({ min: 1, max: 3 }), async (all, keep) => {
          empty();
          for (const batches of all) {
            await record(await row(name, { maxBytes: 1, keep }), name, batches);
            expect(readdirSync(folder).length).toBeLessThanOrEqual(keep);
          }
          expect((await files()).flat()).toEqual(all.flat(2).slice(-keep).map(hex));
        }),
      );
    },
    SLOW_MS,
  );

  test('of large batches has whole records', async () => {
    const large = Array.from({ length: 200 }, (_, nth) => Buffer.alloc(5000, nth));
    const ofEach = (payload: string): string => `${payload.length} ${payload.slice(0, 2)}`;
    await record(await row(name, { maxBytes: 300_000 }), name, [large]);
    expect((await files()).flat().map(ofEach)).toEqual(large.map(hex).map(ofEach));
    expect(readdirSync(folder).length).toBeGreaterThan(3);
  });
});

test('a row continues the newest file in the next run, or begins a new one if that is too old', async () => {
  await record(await row('pcap', { maxAgeMs: 3_600_000 }), 'pcap', [bytes('a')]);
  await record(await row('pcap', { maxAgeMs: 3_600_000 }), 'pcap', [bytes('b')]);
  expect(await files()).toEqual([bytes('a', 'b').map(hex)]);
  await record(await row('pcap', { maxAgeMs: 0.001 }), 'pcap', [bytes('c'), bytes('d')]);
  expect(await files()).toEqual([bytes('a', 'b').map(hex), bytes('c').map(hex), bytes('d').map(hex)]);
});

test('a hundred runs that record nothing remove nothing', async () => {
  await record(await row('pcap', { maxBytes: 1 }), 'pcap', [bytes('a', 'b')]);
  const before = readdirSync(folder);
  for (let run = 0; run < 100; run += 1) {
    await record(await row('pcap', { maxBytes: 1, maxAgeMs: 0.001, keep: 2 }), 'pcap', []);
  }
  expect(readdirSync(folder)).toEqual(before);
});

test('a row removes nothing but files of exactly its form', async () => {
  const others = [
    'day.pcap',
    'day.2020-02-30T080000.000000Z.pcap',
    'day.2020-02-29T080000Z.pcap',
    'day.2020-02-29T080000.000000Z.jsonl',
    'day.2020-02-29T080000.000000Z.pcap.gz',
    'day.2020-02-29T250000.000000Z.pcap',
    'other.day.2020-02-29T080000.000000Z.pcap',
    'day.x.2020-02-29T080000.000000Z.pcap',
    'Xday.2020-02-29T080000.000000Z.pcap',
  ];
  for (const name of [...others, OLD]) writeFileSync(join(folder, name), 'x');
  mkdirSync(join(folder, 'day.2020-02-29T080000.000002Z.pcap'));
  symlinkSync('day.pcap', join(folder, 'day.2020-02-29T080000.000003Z.pcap'));
  await record(await row('pcap', { maxBytes: 1, keep: 1 }), 'pcap', [bytes('a', 'b', 'c')]);
  const left = readdirSync(folder);
  expect(left).toEqual(expect.arrayContaining(others));
  expect(left).toHaveLength(others.length + 3);
  expect(left).not.toContain(OLD);
});

test('a newest file that is no recording is left as it is, with a warning', async () => {
  writeFileSync(join(folder, OLD), 'hello');
  await record(await row('pcap', { maxBytes: 1000 }), 'pcap', [bytes('a')]);
  expect(readFileSync(join(folder, OLD)).toString()).toBe('hello');
  expect(readdirSync(folder)).toHaveLength(2);
  expect(told).toEqual([`${join(folder, OLD)} is no recording of udpcat's own: a new file begins`]);
});

test('new files are the last by name, even if the clock was set back', async () => {
  writeFileSync(join(folder, FUTURE), (await loadFormat('pcap')).header);
  await record(await row('pcap', { maxBytes: 60, keep: 2 }), 'pcap', [bytes('a', 'b', 'c')]);
  expect(await files()).toEqual([bytes('b').map(hex), bytes('c').map(hex)]);
  expect(readdirSync(folder).every((name) => name > FUTURE)).toBe(true);
});

test('a file that is replayed is neither continued nor removed', async () => {
  writeFileSync(join(folder, OLD), (await loadFormat('pcap')).header);
  const replayed = join(folder, OLD);
  const rotation = { maxBytes: 1, keep: 1 };
  const format = await loadFormat('pcap');
  const warn = (): void => undefined;
  const files = new FileRow(join(folder, 'day.pcap'), format, rotation, { replayed, warn });
  await record(files, 'pcap', [bytes('a', 'b', 'c')]);
  expect(readFileSync(replayed)).toHaveLength(24);
  expect(readdirSync(folder)).toEqual([OLD, expect.any(String)]);
});
