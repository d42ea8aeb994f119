/** The pace of sending: `size` datagrams at once every `intervalMs`, or single datagrams at a rate. */
export type Pace =
  | { readonly kind: 'rounds'; readonly intervalMs: number; readonly size: number }
  /** Datagrams a second. Infinity means as fast as the kernel takes them. */
  | { readonly kind: 'rate'; readonly perSecond: number };

/** How many datagrams a rate sends at once. In between, the sender checks whether to stop. */
const MAX_BURST = 64;
/** A bound for rounding errors, in datagrams, so that a datagram due exactly at the end does not count as before it. */
const ROUNDING = 1e-3;

/**
 * Says when each datagram of a sequence is due, in milliseconds of `performance.now()`. The moments are absolute: a
 * datagram that leaves late does not delay the following ones.
 */
export class Schedule {
  readonly #pace: Pace;
  #startMs: number;

  /** @param startMs when the first datagram is due */
  constructor(pace: Pace, startMs: number) {
    this.#pace = pace;
    this.#startMs = startMs;
  }

  /** When the first datagram is due. */
  get startMs(): number {
    return this.#startMs;
  }

  /** The time between two rounds, or between two datagrams of a rate, in milliseconds; 0 at full speed. */
  get stepMs(): number {
    return this.#pace.kind === 'rounds' ? this.#pace.intervalMs : 1000 / this.#pace.perSecond;
  }

  /** Returns when datagram `index` is due, counted from 0. At full speed it is due now, at `nowMs`. */
  dueMs(index: number, nowMs: number): number {
    const pace = this.#pace;
    if (pace.kind === 'rounds') return this.#startMs + Math.floor(index / pace.size) * pace.intervalMs;
    return pace.perSecond === Infinity ? nowMs : this.#startMs + (index * 1000) / pace.perSecond;
  }

  /**
   * Returns how many datagrams to send at once. The first of them is datagram `index`, which is due. They are the rest of
   * its round, or all datagrams of a rate that are due (at most 64). At full speed: Infinity.
   */
  countDue(index: number, nowMs: number): number {
    const pace = this.#pace;
    if (pace.kind === 'rounds') return pace.size - (index % pace.size);
    if (pace.perSecond === Infinity) return Infinity;
    const due = Math.floor(((nowMs - this.#startMs) * pace.perSecond) / 1000) + 1 - index;
    return Math.min(Math.max(due, 1), MAX_BURST);
  }

  /** Returns how many datagrams of a rate are due before `endMs`. Infinity for rounds and at full speed. */
  countBefore(endMs: number): number {
    const pace = this.#pace;
    if (pace.kind === 'rounds' || pace.perSecond === Infinity) return Infinity;
    return Math.ceil(((endMs - this.#startMs) * pace.perSecond) / 1000 - ROUNDING);
  }

  /** Delays all datagrams that are not sent yet by `ms` milliseconds. */
  postpone(ms: number): void {
    this.#startMs += ms;
  }
}
