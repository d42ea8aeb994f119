import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from '@jest/globals';
import type { Run } from '../../src/net/index.js';
import { FileRecording } from '../../src/record/file-recording.js';
import { loadFormat, type RecordFormatName } from '../../src/record/formats/table.js';
import { FileRow, OneFile } from '../../src/record/record-files.js';
import { FAR, FORMATS, NEAR, datagrams, payloadsIn } from './recorded.js';

const folder = mkdtempSync(join(tmpdir(), 'udpcat-runs-'));
afterEach(() => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** The memory of a socket: each reception overwrites it. */
const memory = Buffer.alloc(4000 * 100);
let received = 0;

/** Overwrites the memory with a run, of which each payload begins with a number that no other payload has. */
function receive(count: number, segmentBytes: number): Run {
  const bytes = memory.subarray(0, count * segmentBytes).fill(count);
  for (let nth = 0; nth < count; nth += 1) bytes.writeUInt32BE((received += 1), nth * segmentBytes);
  return { bytes, segmentBytes, count, remote: FAR, local: NEAR, timeMs: 1_795_334_400_000 };
}

async function open(name: RecordFormatName, maxBytes?: number): Promise<FileRecording> {
  const format = await loadFormat(name);
  const [path, warn] = [join(folder, `x.${name}`), (): void => undefined];
  const files =
    maxBytes === undefined
      ? new OneFile(path, format, { replace: false, warn })
      : new FileRow(path, format, { maxBytes }, { warn });
  await files.prepare();
  return new FileRecording(files, await files.first(), format.formats(NEAR));
}

/** Returns the numbers at the beginning of the recorded payloads, and how many bytes all payloads have. */
async function recorded(): Promise<{ readonly numbers: readonly number[]; readonly bytes: number }> {
  const payloads: string[] = [];
  for (const name of readdirSync(folder).sort()) payloads.push(...(await payloadsIn(join(folder, name))));
  return {
    numbers: payloads.map((payload) => Number.parseInt(payload.slice(0, 8), 16)),
    bytes: payloads.join('').length / 2,
  };
}

/** Returns the numbers of the last `count` payloads. */
const lastNumbers = (count: number): readonly number[] =>
  Array.from({ length: count }, (_, nth) => received - count + nth + 1);

test.each(FORMATS)(
  '.%s has runs of small and of large payloads whose memory was overwritten afterwards',
  async (name) => {
    const recording = await open(name);
    for (let nth = 0; nth < 5; nth += 1) {
      expect(recording.writeRuns([receive(100, 4000)])).toBe(undefined);
      expect(recording.writeRuns([receive(46, 64)])).toBe(undefined);
    }
    memory.fill(0);
    await recording.close();
    expect(await recorded()).toEqual({
      numbers: lastNumbers(5 * 146),
      bytes: 5 * (100 * 4000 + 46 * 64),
    });
  },
);

test.each(FORMATS)('.%s keeps the order of runs and of batches that are still being written', async (name) => {
  const recording = await open(name);
  const sent = Buffer.alloc(4);
  sent.writeUInt32BE((received += 1));
  const writing = recording.write(datagrams([sent]), 'out');
  const waiting = recording.writeRuns([receive(3, 10)]);
  memory.fill(0);
  await waiting;
  expect(recording.writeRuns([receive(2, 10)])).toBe(undefined);
  expect(await writing).toBe(1);
  await recording.close();
  expect((await recorded()).numbers).toEqual(lastNumbers(6));
});

test.each(FORMATS)('.%s in files of limited size has all datagrams of a run', async (name) => {
  const recording = await open(name, 1000);
  const waiting = recording.writeRuns([receive(40, 100)]);
  memory.fill(0);
  await waiting;
  await recording.close();
  expect((await recorded()).numbers).toEqual(lastNumbers(40));
});

test('runs after the end of a recording count as dropped', async () => {
  const recording = await open('pcap');
  await recording.close();
  expect(recording.writeRuns([receive(5, 10)])).toBe(undefined);
  expect(recording.dropped('in')).toBe(5);
});
