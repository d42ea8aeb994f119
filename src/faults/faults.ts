import { type Endpoint, type Outgoing } from '../net/index.js';
import { DelayLine } from '../timing/delay-line.js';
import type { Fate } from './fault.js';
import { Fates } from './fates.js';
import type { FaultSettings } from './table.js';

/** A datagram that the faults act on. */
export interface Grouped extends Outgoing {
  /** The same object for all responses to one request and for their copies. Undefined: the datagram is the only response. */
  readonly together?: object | undefined;
}

/**
 * Counts of the faults so far, as they stand in the summary's JSON. Each response and each copy is sent once, or counted once
 * as `lost`, `blackholed`, `overflowed` or `unsent`.
 */
export interface FaultFields {
  /** The same seed gives the same responses the same faults. */
  readonly seed: number;
  /** Responses that the faults were given. */
  readonly answers: number;
  /** Responses lost by `--loss` or `--burst-loss`. */
  readonly lost: number;
  readonly blackholed: number;
  /** Copies made by `--duplicate`. */
  readonly duplicated: number;
  /** Responses that were held back for the next one, even if no next one came. */
  readonly reordered: number;
  /** Responses and copies that waited because of `--delay` or `--jitter`. */
  readonly delayed: number;
  readonly corrupted: number;
  readonly truncated: number;
  /** Responses and copies that were dropped because too many were waiting. */
  readonly overflowed: number;
  /** Responses and copies that still waited at the end, and were given up. */
  readonly unsent: number;
}

/** Functions that {@link Faults} calls. */
export interface FaultEvents {
  /** Delayed datagrams are due. The promise must not reject. The next call comes after it has settled. */
  readonly onDue: (due: readonly Grouped[]) => Promise<void>;
  /** Bits of a datagram to this peer were flipped. */
  readonly onCorrupted: (remote: Endpoint) => void;
  /** A datagram was dropped because too many are waiting. Only the first such datagram is told. */
  readonly onOverflow: () => void;
}

/** Loses, delays, copies and damages datagrams as a bad network does. The same seed gives the same faults. */
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

  /** @param seed a whole number from 0 to 2^32 - 1 */
  constructor(settings: FaultSettings, seed: number) {
    this.seed = seed;
    this.#fates = new Fates(settings, seed);
  }

  /** Starts the clock of the blackholes. Call it before {@link apply}. */
  begin(events: FaultEvents): void {
    this.#events = events;
    this.#startMs = performance.now();
  }

  /**
   * Decides the fate of datagrams that are ready. Returns the ones to send now. Delayed ones come by `onDue` later. A damaged
   * datagram has a new payload: the given payloads stay as they are.
   *
   * @param nowMs by `performance.now()`
   */
  apply(ready: readonly Grouped[], nowMs = performance.now()): Grouped[] {
    const now: Grouped[] = [];
    const sinceStartMs = nowMs - this.#startMs;
    for (const outgoing of ready) {
      this.#counts.answers += 1;
      // A datagram in a blackhole draws its random numbers too: so the blackhole does not change the fates after it.
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

  /** Resolves once no datagram is waiting. */
  empty(): Promise<void> {
    return this.#line.empty();
  }

  /** Sends all waiting datagrams now, by `onDue`. */
  hurry(): void {
    this.#line.hurry();
  }

  /** Ends the faults: `onDue` is not called any more, and waiting datagrams count as unsent. */
  stop(): void {
    this.#counts.unsent += this.#line.stop();
  }

  /** The counts for JSON. */
  fields(): FaultFields {
    return { seed: this.seed, ...this.#counts };
  }

  /** The counts in one line: the responses, and every other count above 0. */
  describe(): string {
    const said = Object.entries(this.#counts).filter(([name, count]) => name === 'answers' || count > 0);
    const inWords = said.map(([name, count]) => `${count} ${name === 'answers' && count === 1 ? 'answer' : name}`);
    return `faults (--seed ${this.seed}): ${inWords.join(', ')}`;
  }
}
