import type { Arrivals, Datagram, Run } from './datagram.js';

/** The datagrams of a run, each a view of its memory. */
export function datagramsOf({ bytes, segmentBytes, count, remote, local, timeMs }: Run): Datagram[] {
  if (count === 1) return [{ data: bytes, remote, local, timeMs }];
  return Array.from({ length: count }, (_, nth) => {
    const data = bytes.subarray(nth * segmentBytes, (nth + 1) * segmentBytes);
    return { data, remote, local, timeMs };
  });
}

/** A datagram as a run of one. A run stays as it is. */
export function asRun(item: Datagram | Run): Run {
  if ('bytes' in item) return item;
  const { data, remote, local, timeMs } = item;
  return { bytes: data, segmentBytes: data.length, count: 1, remote, local, timeMs };
}

/** A datagram as it is, and the datagrams of a run. */
export function asDatagrams(item: Datagram | Run): Datagram[] {
  return 'bytes' in item ? datagramsOf(item) : [item];
}

/** How many datagrams the runs hold together. */
export function countOf(runs: readonly Run[]): number {
  let count = 0;
  for (const run of runs) count += run.count;
  return count;
}

/** One datagram told of without its payload. */
export function arrivalOf({ remote, data, timeMs }: Datagram): Arrivals {
  const { length } = data;
  return { remote, count: 1, bytes: length, smallest: length, largest: length, timeMs };
}
