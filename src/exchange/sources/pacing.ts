import { Schedule } from '../../timing/schedule.js';
import type { PacePlan } from '../plan.js';

const DEFAULT_INTERVAL_MS = 1000;

/** Makes the schedule of the messages. @param size the number of messages in a round; `startMs` is by `performance.now()` */
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

/** When sending ends, given when it started. Infinity if it ends with the last message. */
export function endOf({ duration = Infinity }: PacePlan, startMs: number): number {
  return startMs + duration;
}

/** The number of rounds. Infinity if only the duration ends them. */
export function repeats({ count, duration }: PacePlan): number {
  return count ?? (duration === undefined ? 1 : Infinity);
}
