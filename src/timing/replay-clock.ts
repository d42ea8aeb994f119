import { type Pace, Schedule } from './schedule.js';

/** When each datagram of a recording is due, on the clock of `performance.now()`. */
export interface ReplayClock {
  /** The recording is sent from its beginning, for the first time or again. */
  begin(): void;
  /**
   * When the next datagram is due.
   *
   * @param timeMs when it was recorded; NaN where that is not known
   * @param askedMs when the recording was asked for it, by `performance.now()`
   */
  dueMs(timeMs: number, askedMs: number): number;
  /** Whether the times of the recording count. */
  readonly usesTimes: boolean;
}

/** A recording that is repeated is sent at most once in that time, so that a single datagram is no flood. */
const MIN_ROUND_MS = 1000;

/** The time of the recording, divided by a speed. */
export class RecordedClock implements ReplayClock {
  readonly #speed: number;
  /** When the recording began, this time: the moment of its first datagram. */
  #startMs: number | undefined;
  #latestMs = 0;
  /** When its first datagram was recorded. */
  #firstMs: number | undefined;

  /** @param speed 2 for twice as fast; Infinity for no pauses, between repetitions as well */
  constructor(speed: number) {
    this.#speed = speed;
  }

  get usesTimes(): boolean {
    return this.#speed < Infinity;
  }

  begin(): void {
    if (this.#startMs !== undefined) this.#startMs = Math.max(this.#startMs + MIN_ROUND_MS, this.#latestMs);
    this.#firstMs = undefined;
  }

  dueMs(timeMs: number): number {
    if (this.#speed === Infinity) return performance.now();
    this.#startMs ??= performance.now();
    if (Number.isNaN(timeMs)) return this.#startMs;
    this.#firstMs ??= timeMs;
    const dueMs = this.#startMs + (timeMs - this.#firstMs) / this.#speed;
    this.#latestMs = Math.max(this.#latestMs, dueMs);
    return dueMs;
  }
}

/** A datagram that comes that much later than it was due was not there to be sent, as from a pipe: it is not made up for. */
const STALLED_MS = 250;

/** The same time from one datagram to the next, whenever they were recorded; through all repetitions. */
export class EvenClock implements ReplayClock {
  readonly #pace: Pace;
  #schedule: Schedule | undefined;
  #index = 0;
  readonly usesTimes = false;

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  begin(): void {
    // The pace goes on.
  }

  dueMs(_timeMs: number, askedMs: number): number {
    const nowMs = performance.now();
    this.#schedule ??= new Schedule(this.#pace, nowMs);
    const dueMs = this.#schedule.dueMs(this.#index, nowMs);
    const missingMs = nowMs - Math.max(askedMs, dueMs);
    if (missingMs > STALLED_MS) this.#schedule.postpone(missingMs);
    return this.#schedule.dueMs(this.#index++, nowMs);
  }
}
