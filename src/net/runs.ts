import type { Arrivals, Datagram, Run } from './datagram.js';
import type { EngineOutgoing } from './engines/engine.js';

function datagramOf({ bytes, remote, local, timeMs }: Run): Datagram {
  return { data: bytes, remote, local, timeMs };
}

/** Cuts a run into its datagrams. Their payloads are views of the run's memory. */
export function datagramsOf({ bytes, segmentBytes, count, remote, local, timeMs }: Run): Datagram[] {
  return Array.from({ length: count }, (_, nth) => {
    const data = bytes.subarray(nth * segmentBytes, (nth + 1) * segmentBytes);
    return { data, remote, local, timeMs };
  });
}

/** Returns a datagram as a run of one, and a run as it is. */
export function asRun(item: Datagram | Run): Run {
  if ('bytes' in item) return item;
  const { data, remote, local, timeMs } = item;
  return { bytes: data, segmentBytes: data.length, count: 1, remote, local, timeMs };
}

/** Replaces each run by its datagrams. */
export function cutRuns(items: readonly (Datagram | Run)[]): Datagram[] {
  const datagrams: Datagram[] = [];
  for (const item of items) {
    if (!('bytes' in item)) datagrams.push(item);
    else if (item.count === 1) datagrams.push(datagramOf(item));
    else for (const datagram of datagramsOf(item)) datagrams.push(datagram);
  }
  return datagrams;
}

/** How many datagrams an item holds. */
export function sizeOf(item: Datagram | Run): number {
  return 'bytes' in item ? item.count : 1;
}

/** How many datagrams all runs hold together. */
export function countOf(runs: readonly Run[]): number {
  let count = 0;
  for (const run of runs) count += run.count;
  return count;
}

/** The counts of a run. */
export function arrivalsOf({ remote, count, bytes, segmentBytes, timeMs }: Run): Arrivals {
  const smallest = bytes.length - (count - 1) * segmentBytes;
  return { remote, count, bytes: bytes.length, smallest, largest: segmentBytes, timeMs, payloads: bytes };
}

/** The counts of one datagram. */
export function arrivalOf({ remote, data, timeMs }: Datagram): Arrivals {
  const { length } = data;
  return { remote, count: 1, bytes: length, smallest: length, largest: length, timeMs, payloads: data };
}

/** Whether an item of a batch holds several datagrams. */
export function isRun({ data, segmentBytes }: EngineOutgoing): boolean {
  return segmentBytes !== undefined && segmentBytes < data.length;
}

/** Datagrams of a batch without runs. */
export interface CutBatch {
  readonly batch: readonly EngineOutgoing[];
  /** For each datagram its place in the batch that was cut. */
  readonly origins: readonly number[];
}

/** Replaces the runs of a batch, from place `from` on, by their datagrams. The items before that place are left out. */
export function cutBatch(batch: readonly EngineOutgoing[], from = 0): CutBatch {
  const pieces: EngineOutgoing[] = [];
  const origins: number[] = [];
  for (let index = from; index < batch.length; index += 1) {
    const outgoing = batch[index] as EngineOutgoing;
    const { data, segmentBytes = 0, remote, local } = outgoing;
    if (!isRun(outgoing)) {
      pieces.push(outgoing);
      origins.push(index);
      continue;
    }
    for (let at = 0; at < data.length; at += segmentBytes) {
      pieces.push({ data: data.subarray(at, at + segmentBytes), ...(remote && { remote }), local });
      origins.push(index);
    }
  }
  return { batch: pieces, origins };
}
