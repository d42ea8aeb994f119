/** How datagrams are paced: by rounds, the messages of one all at once, or each by itself. */
export type Pace =
  | { readonly kind: 'rounds'; readonly intervalMs: number; readonly size: number }
  /** Datagrams a second; Infinity is as fast as the kernel takes them. */
  | { readonly kind: 'rate'; readonly perSecond: number };

/** The most that is sent at once under a rate, so that what ends it is looked at in between. */
const MAX_BURST = 64;
/** Above what sums of moments are off by, in datagrams: one that is due at the end is not due before it. */
const ROUNDING = 1e-3;

/**
 * When each datagram of a row is due, on the clock of `performance.now()`. The moments are absolute: one that is sent late
 * puts off none that follows.
 */
export class Schedule {
  readonly #pace: Pace;
  #startMs: number;

  /** @param startMs when the first is due */
  constructor(pace: Pace, startMs: number) {
    this.#pace = pace;
    this.#startMs = startMs;
  }

  /** When the first is due. */
  get startMs(): number {
    return this.#startMs;
  }

  /** From one moment to the next, in milliseconds. */
  get stepMs(): number {
    return this.#pace.kind === 'rounds' ? this.#pace.intervalMs : 1000 / this.#pace.perSecond;
  }

  /** When a datagram is due; `index` counts from 0. At full speed that is when its turn has come, which is `nowMs`. */
  dueMs(index: number, nowMs: number): number {
    const pace = this.#pace;
    if (pace.kind === 'rounds') return this.#startMs + Math.floor(index / pace.size) * pace.intervalMs;
    return pace.perSecond === Infinity ? nowMs : this.#startMs + (index * 1000) / pace.perSecond;
  }

  /** How many from `index` on, which is due, are to be sent at once: the rest of a round, or what a rate has come to. */
  countDue(index: number, nowMs: number): number {
    const pace = this.#pace;
    if (pace.kind === 'rounds') return pace.size - (index % pace.size);
    if (pace.perSecond === Infinity) return Infinity;
    const due = Math.floor(((nowMs - this.#startMs) * pace.perSecond) / 1000) + 1 - index;
    return Math.min(Math.max(due, 1), MAX_BURST);
  }

  /** How many are due before `endMs`: of rounds and at full speed there is no saying how many that will be. */
  countBefore(endMs: number): number {
    const pace = this.#pace;
    if (pace.kind === 'rounds' || pace.perSecond === Infinity) return Infinity;
    return Math.ceil(((endMs - this.#startMs) * pace.perSecond) / 1000 - ROUNDING);
  }

  /** Puts off everything that is not yet sent by so many milliseconds. */
  postpone(ms: number): void {
    this.#startMs += ms;
  }
}
