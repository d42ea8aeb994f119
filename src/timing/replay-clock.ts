import { type Pace, Schedule } from './schedule.js';

/** Says when each datagram of a replayed recording is due, by `performance.now()`. */
export interface ReplayClock {
  /** A pass through the recording begins: the first one or a repetition. */
  begin(): void;
  /**
   * Returns when the next datagram is due, in milliseconds.
   *
   * @param timeMs when it was recorded, in milliseconds since the epoch; NaN if unknown
   * @param askedMs when the reading of this datagram began, by `performance.now()`
   */
  dueMs(timeMs: number, askedMs: number): number;
  /** Whether the clock uses the times of the recording. */
  readonly usesTimes: boolean;
}

/**
 * The shortest time between the beginnings of two passes: repeating a recording of one datagram must not be a flood.
 */
const MIN_ROUND_MS = 1000;

/** Sends datagrams at the distances of the recording, divided by a speed. */
export class RecordedClock implements ReplayClock {
  readonly #speed: number;
  /** When the first datagram of this pass was due. */
  #startMs: number | undefined;
  /** The latest moment at which a datagram was due so far. */
  #latestMs = 0;
  /** When the first datagram of the recording was recorded. */
  #firstMs: number | undefined;

  /** @param speed 2 for twice as fast. With Infinity there are no pauses, also between passes. */
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

/**
 * The source of a recording, for example a pipe, has stalled if a datagram comes more than this after it was due and
 * asked for. The schedule then moves back, so that the following datagrams do not leave all at once.
 */
const STALLED_MS = 250;

/** Sends datagrams at equal distances through all passes, and ignores the times of the recording. */
export class EvenClock implements ReplayClock {
  readonly #pace: Pace;
  #schedule: Schedule | undefined;
  #index = 0;
  readonly usesTimes = false;

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  begin(): void {
    // The pace goes on from pass to pass.
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
