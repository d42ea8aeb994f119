import type { Place } from '../faults/faults.js';
import type { Loss } from './counts.js';
import type { Taken } from './inbox.js';
import type { Judge } from './judge.js';
import type { FaultyParcel, Lane, Parcel } from './lane.js';
import type { Way } from './plan.js';

/** Datagrams of both ways, after the bounds and the faults. */
export interface JudgedBatch {
  /** The datagrams that the relay took. Datagrams that came after the end are left out. */
  readonly taken: readonly Taken[];
  /** What takes datagrams away. All others are sent, now or later. */
  readonly fates: ReadonlyMap<Taken, Loss>;
  /** The datagrams that no bound takes away. */
  readonly admitted: Readonly<Record<Way, readonly FaultyParcel[]>>;
  /** The datagrams to send now. */
  readonly now: Readonly<Record<Way, readonly Parcel[]>>;
}

/** Lets the bounds and the faults act on datagrams. @param nowMs by `performance.now()` */
export function judgeBatch(
  batch: readonly Taken[],
  judge: Judge,
  lanes: Readonly<Record<Way, Lane>>,
  nowMs: number,
): JudgedBatch {
  const taken: Taken[] = [];
  const fates = new Map<Taken, Loss>();
  const admitted: Record<Way, FaultyParcel[]> = { up: [], down: [] };
  /** The datagrams that a fault may take away. */
  const places = new Map<Place, Taken>();
  for (const datagram of batch) {
    const judged = judge.judge(datagram, nowMs);
    if (judged === undefined) continue;
    taken.push(datagram);
    if (typeof judged === 'string') fates.set(datagram, judged);
    else {
      admitted[datagram.way].push(judged);
      if (!lanes[datagram.way].isClear) places.set(judged.place, datagram);
    }
  }
  const [up, down] = [lanes.up.apply(admitted.up, nowMs), lanes.down.apply(admitted.down, nowMs)];
  for (const { lost } of [up, down]) {
    for (const [place, cause] of lost) {
      const datagram = places.get(place);
      if (datagram !== undefined) fates.set(datagram, cause);
    }
  }
  return { taken, fates, admitted, now: { up: up.now, down: down.now } };
}
