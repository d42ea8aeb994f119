import { describe, expect, test } from '@jest/globals';
import type { Context } from '../../src/run/context.js';
import { prepareRecording } from '../../src/run/prepared-recording.js';
import type { Datagram } from '../../src/net/index.js';
import type { Recording } from '../../src/record/recording.js';
import { readRecording, temporaryRecordings, textOf } from '../support/recordings.js';

const recordings = temporaryRecordings();

const [near, far] = [
  { address: '127.0.0.1', port: 1 },
  { address: '127.0.0.1', port: 2 },
];

const NO_ROTATION = { rotateSize: undefined, rotateTime: undefined, keep: undefined, recordReplace: undefined };

/** Begins a recording to a new file. */
async function open(format: 'pcap' | 'jsonl'): Promise<{ readonly path: string; readonly recording: Recording }> {
  const path = recordings.path(format);
  const prepared = await prepareRecording({ kind: 'file', path, format }, NO_ROTATION, {} as Context);
  return { path, recording: await prepared.open(near) };
}

/** Makes `count` datagrams of `size` bytes. Each begins with its number, counted from `from`. */
const numbered = (from: number, count: number, size: number): Datagram[] =>
  Array.from({ length: count }, (_, nth) => {
    const data = Buffer.alloc(size, 'x');
    data.write(`${from + nth} `);
    return { timeMs: 1_795_334_400_000 + nth, remote: far, local: near, data };
  });

/** Reads the numbers of the datagrams in a recording. The number of a sent datagram is negative. */
async function numbersIn(path: string): Promise<number[]> {
  const found = await readRecording(path);
  return found.map((datagram) => Number.parseInt(textOf(datagram)) * (datagram.source.port === near.port ? -1 : 1));
}

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, nth) => from + nth);

describe.each(['pcap', 'jsonl'] as const)('a recording to a file, as %s', (format) => {
  test('has batches of any size and both directions, one after the other', async () => {
    const { path, recording } = await open(format);
    const kept = await Promise.all([
      recording.write(numbered(1, 1000, 1400), 'in'),
      recording.write(numbered(1, 3, 100), 'out'),
      recording.write(numbered(1001, 1, 60_000), 'in'),
      recording.write(numbered(1002, 40, 1400), 'in'),
    ]);
    expect(kept).toEqual([1000, 3, 1, 40]);
    expect(await numbersIn(path)).toEqual([...range(1, 1000), -1, -2, -3, ...range(1001, 41)]);
    await recording.close();
    expect([recording.dropped('in'), recording.dropped('out')]).toEqual([0, 0]);
  });

  test('that is closed during a write is whole, and counts the dropped datagrams', async () => {
    const { path, recording } = await open(format);
    const kept = recording.write(numbered(1, 1000, 1400), 'in');
    const late = recording.write(numbered(1, 7, 100), 'out');
    // The first batch is being written.
    await new Promise(setImmediate);
    await recording.close();
    expect(await recording.write(numbered(1001, 5, 100), 'in')).toBe(0);
    expect(await late).toBe(0);
    expect(recording.dropped('out')).toBe(7);
    expect(await kept).toBeGreaterThan(0);
    expect(recording.dropped('in')).toBe(1000 - (await kept) + 5);
    expect(await numbersIn(path)).toEqual(range(1, await kept));
  });

  test('bounds the memory of datagrams that wait for the file, and counts the dropped ones', async () => {
    const { path, recording } = await open(format);
    const batches = await Promise.all(
      range(0, 200).map((nth) => recording.write(numbered(1 + nth * 100, 100, 1400), 'in')),
    );
    const kept = batches.filter((count) => count === 100).length;
    expect(batches).toEqual([...Array<number>(kept).fill(100), ...Array<number>(200 - kept).fill(0)]);
    expect(kept).toBeLessThan(200);
    expect(recording.dropped('in')).toBe((200 - kept) * 100);
    expect(await numbersIn(path)).toEqual(range(1, kept * 100));
    await recording.close();
  });
});
