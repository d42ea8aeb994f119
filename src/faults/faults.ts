import { type Endpoint, type Outgoing } from '../net/index.js';
import { DelayLine } from '../timing/delay-line.js';
import type { Fate } from './fault.js';
import { Fates } from './fates.js';
import type { FaultSettings } from './table.js';

/** A datagram that the faults act on. */
export interface Grouped extends Outgoing {
  /** The same object for all datagrams of one group, copies included. Undefined: it is the only one. */
  readonly together?: object | undefined;
}

/**
 * What the faults did so far. `answers` and `duplicated` together are what was sent or could not be, `lost`, `blackholed`,
 * `overflowed` and `unsent`.
 */
export interface FaultFields {
  /** With which the same answers have the same faults again. */
  readonly seed: number;
  /** Answers that there would have been without faults. */
  readonly answers: number;
  /** By `--loss` or `--burst-loss`. */
  readonly lost: number;
  readonly blackholed: number;
  /** Copies that were made. */
  readonly duplicated: number;
  /** Answers that were held back for the next one, whether there was one or not. */
  readonly reordered: number;
  /** Answers and copies that `--delay` or `--jitter` had wait. */
  readonly delayed: number;
  readonly corrupted: number;
  readonly truncated: number;
  /** For which there was no room among those that wait. */
  readonly overflowed: number;
  /** Given up at the end. */
  readonly unsent: number;
}

/** What {@link Faults} tells its user. */
export interface FaultEvents {
  /** Delayed datagrams are due. It is not called again before its promise has settled, and must not reject. */
  readonly onDue: (due: readonly Grouped[]) => Promise<void>;
  /** Bits of a datagram to this peer were flipped. */
  readonly onCorrupted: (remote: Endpoint) => void;
  /** There is no room for a datagram to wait. Called once. */
  readonly onOverflow: () => void;
}

/** Does to datagrams what a bad network does, and the same every time for the same seed. */
export class Faults {
  readonly seed: number;
  readonly #fates: Fates;
  readonly #line = new DelayLine<Grouped>((due) => this.#events?.onDue(due) ?? Promise.resolve());
  #events: FaultEvents | undefined;
  #startMs = performance.now();
  readonly #counts = {
    answers: 0,
    lost: 0,
    blackholed: 0,
    duplicated: 0,
    reordered: 0,
    delayed: 0,
    corrupted: 0,
    truncated: 0,
    overflowed: 0,
    unsent: 0,
  };

  /** @param seed 0 to 2^32 - 1 */
  constructor(settings: FaultSettings, seed: number) {
    this.seed = seed;
    this.#fates = new Fates(settings, seed);
  }

  /** The start. The time of blackholes counts from here. */
  begin(events: FaultEvents): void {
    this.#events = events;
    this.#startMs = performance.now();
  }

  /**
   * Takes datagrams that are ready. Returns those that are to be sent now; the others come by `onDue`. A payload is copied
   * before it is changed.
   */
  apply(ready: readonly Grouped[], nowMs = performance.now()): Grouped[] {
    const now: Grouped[] = [];
    const sinceStartMs = nowMs - this.#startMs;
    for (const outgoing of ready) {
      this.#counts.answers += 1;
      // Also in a blackhole: the datagrams after it have the same fate however many fell into it.
      const fate = this.#fates.next(outgoing.data.length, sinceStartMs);
      if (fate.blackholed) this.#counts.blackholed += 1;
      else if (fate.lost) this.#counts.lost += 1;
      else this.#send(this.#change(outgoing, fate), fate, nowMs, now);
    }
    return now;
  }

  #change(outgoing: Grouped, fate: Fate): Grouped {
    const { data, remote } = outgoing;
    const { keptBytes, flippedBits } = fate;
    if (keptBytes === undefined && flippedBits.length === 0) return outgoing;
    const changed = new Uint8Array(data.subarray(0, keptBytes));
    if (keptBytes !== undefined) this.#counts.truncated += 1;
    for (const bit of flippedBits) changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    if (flippedBits.length > 0) {
      this.#counts.corrupted += 1;
      this.#events?.onCorrupted(remote);
    }
    return { ...outgoing, data: changed };
  }

  #send(changed: Grouped, { duplicated, reordered, delaysMs }: Fate, nowMs: number, now: Grouped[]): void {
    const outgoing = duplicated ? { ...changed, together: changed.together ?? {} } : changed;
    if (duplicated) this.#counts.duplicated += 1;
    if (reordered) this.#counts.reordered += 1;
    for (const delayMs of delaysMs.slice(0, duplicated ? 2 : 1)) {
      if (delayMs > 0) this.#counts.delayed += 1;
      const dueMs = nowMs + delayMs;
      if (!reordered) this.#leave(outgoing, dueMs, nowMs, now);
      else if (!this.#line.holdBack(outgoing, dueMs)) this.#overflow();
    }
    if (reordered) return;
    const [firstDelayMs] = delaysMs;
    for (const { outgoing: overtaken, dueMs } of this.#line.overtake(outgoing.remote)) {
      this.#leave(overtaken, Math.max(dueMs, nowMs + firstDelayMs), nowMs, now);
    }
  }

  #leave(outgoing: Grouped, dueMs: number, nowMs: number, now: Grouped[]): void {
    if (dueMs <= nowMs) now.push(outgoing);
    else if (!this.#line.add(outgoing, dueMs)) this.#overflow();
  }

  #overflow(): void {
    if (this.#counts.overflowed === 0) this.#events?.onOverflow();
    this.#counts.overflowed += 1;
  }

  /** Resolves once no datagram waits any more. */
  empty(): Promise<void> {
    return this.#line.empty();
  }

  /** Has all that wait come by `onDue` now. */
  hurry(): void {
    this.#line.hurry();
  }

  /** Nothing more comes by `onDue`. Datagrams that still wait are counted as unsent. */
  stop(): void {
    this.#counts.unsent += this.#line.stop();
  }

  fields(): FaultFields {
    return { seed: this.seed, ...this.#counts };
  }

  /** The counts in words, without those that are 0. */
  describe(): string {
    const said = Object.entries(this.#counts).filter(([name, count]) => name === 'answers' || count > 0);
    const inWords = said.map(([name, count]) => `${count} ${name === 'answers' && count === 1 ? 'answer' : name}`);
    return `faults (--seed ${this.seed}): ${inWords.join(', ')}`;
  }
}
