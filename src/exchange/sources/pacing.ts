import { Schedule } from '../../timing/schedule.js';
import type { PacePlan } from '../plan.js';

const DEFAULT_INTERVAL_MS = 1000;

/** The moments at which messages are due; `size` of them are a round. */
export function createSchedule(
  { rate, interval = DEFAULT_INTERVAL_MS }: PacePlan,
  size: number,
  startMs: number,
): Schedule {
  return new Schedule(
    rate === undefined ? { kind: 'rounds', intervalMs: interval, size } : { kind: 'rate', perSecond: rate },
    startMs,
  );
}

/** When the sending ends that began at `startMs`; Infinity if nothing but the last message ends it. */
export function endOf({ duration = Infinity }: PacePlan, startMs: number): number {
  return startMs + duration;
}

/** How often everything is sent; Infinity for until the end of the duration. */
export function repeats({ count, duration }: PacePlan): number {
  return count ?? (duration === undefined ? 1 : Infinity);
}
