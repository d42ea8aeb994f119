import type { Arrivals, Datagram, Run } from './datagram.js';

/** Cuts a run into its datagrams. Their payloads are views of the run's memory. */
export function datagramsOf({ bytes, segmentBytes, count, remote, local, timeMs }: Run): Datagram[] {
  if (count === 1) return [{ data: bytes, remote, local, timeMs }];
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

/** Returns the datagrams of a run, and a datagram as an array of one. */
export function asDatagrams(item: Datagram | Run): Datagram[] {
  return 'bytes' in item ? datagramsOf(item) : [item];
}

/** How many datagrams all runs hold together. */
export function countOf(runs: readonly Run[]): number {
  let count = 0;
  for (const run of runs) count += run.count;
  return count;
}

/** The counts of one datagram. */
export function arrivalOf({ remote, data, timeMs }: Datagram): Arrivals {
  const { length } = data;
  return { remote, count: 1, bytes: length, smallest: length, largest: length, timeMs, payloads: data };
}
