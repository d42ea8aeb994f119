import type { Answer } from '../responders/responder.js';
import { DelayLine } from '../timing/delay-line.js';
import type { Endpoint } from '../net/index.js';
import type { Blackhole } from './blackhole.js';
import { type Fate, Fates, type FaultSettings } from './fates.js';

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

/** What {@link Faults} tells whoever uses it. */
export interface FaultEvents {
  /** Answers are due that were delayed. Not called again before the promise has settled, which must not reject. */
  readonly onDue: (due: readonly Answer[]) => Promise<void>;
  /** The bits of an answer to this peer were changed. */
  readonly onCorrupted: (remote: Endpoint) => void;
  /** There is no room for an answer to wait. Called once. */
  readonly onOverflow: () => void;
}

/** Does to answers what a bad network would, the same every time for the same seed. */
export class Faults {
  readonly seed: number;
  readonly #fates: Fates;
  readonly #blackholes: readonly Blackhole[];
  readonly #line = new DelayLine((due) => this.#events?.onDue(due) ?? Promise.resolve());
  #events: FaultEvents | undefined;
  #startMs = performance.now();
  #answers = 0;
  #lost = 0;
  #blackholed = 0;
  #duplicated = 0;
  #reordered = 0;
  #delayed = 0;
  #corrupted = 0;
  #truncated = 0;
  #overflowed = 0;
  #unsent = 0;

  /** @param seed 0 to 2^32 - 1 */
  constructor(settings: FaultSettings, blackholes: readonly Blackhole[], seed: number) {
    this.seed = seed;
    this.#fates = new Fates(settings, seed);
    this.#blackholes = blackholes;
  }

  /** The start, from which the time of blackholes counts. */
  begin(events: FaultEvents): void {
    this.#events = events;
    this.#startMs = performance.now();
  }

  /**
   * Takes answers that are ready; returns what is to be sent now. What is to be sent later comes by `onDue`. Payloads are
   * copied before they are changed.
   */
  apply(answers: readonly Answer[], nowMs = performance.now()): Answer[] {
    const now: Answer[] = [];
    const sinceStartMs = nowMs - this.#startMs;
    const inBlackhole = this.#blackholes.some(({ fromMs, toMs }) => sinceStartMs >= fromMs && sinceStartMs < toMs);
    for (const answer of answers) {
      this.#answers += 1;
      // In a blackhole as well, so that those after it have the same fate however many fell into it.
      const fate = this.#fates.next(answer.data.length);
      if (inBlackhole) this.#blackholed += 1;
      else if (fate.lost) this.#lost += 1;
      else this.#send(this.#change(answer, fate), fate, nowMs, now);
    }
    return now;
  }

  #change(answer: Answer, { keptBytes, flippedBits }: Fate): Answer {
    if (keptBytes === undefined && flippedBits.length === 0) return answer;
    const { data, remote } = answer;
    const changed = new Uint8Array(data.subarray(0, keptBytes));
    if (keptBytes !== undefined) this.#truncated += 1;
    for (const bit of flippedBits) changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    if (flippedBits.length > 0) {
      this.#corrupted += 1;
      this.#events?.onCorrupted(remote);
    }
    return { ...answer, data: changed };
  }

  #send(answer: Answer, { duplicated, reordered, delaysMs }: Fate, nowMs: number, now: Answer[]): void {
    const outgoing = duplicated ? { ...answer, together: answer.together ?? {} } : answer;
    if (duplicated) this.#duplicated += 1;
    if (reordered) this.#reordered += 1;
    for (const delayMs of delaysMs.slice(0, duplicated ? 2 : 1)) {
      if (delayMs > 0) this.#delayed += 1;
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

  #leave(outgoing: Answer, dueMs: number, nowMs: number, now: Answer[]): void {
    if (dueMs <= nowMs) now.push(outgoing);
    else if (!this.#line.add(outgoing, dueMs)) this.#overflow();
  }

  #overflow(): void {
    if (this.#overflowed === 0) this.#events?.onOverflow();
    this.#overflowed += 1;
  }

  /** Resolves once no answer waits any more. */
  empty(): Promise<void> {
    return this.#line.empty();
  }

  /** Has everything that waits come by `onDue` now. */
  hurry(): void {
    this.#line.hurry();
  }

  /** Nothing more comes; what waits is counted. */
  stop(): void {
    this.#unsent += this.#line.stop();
  }

  fields(): FaultFields {
    return {
      seed: this.seed,
      answers: this.#answers,
      lost: this.#lost,
      blackholed: this.#blackholed,
      duplicated: this.#duplicated,
      reordered: this.#reordered,
      delayed: this.#delayed,
      corrupted: this.#corrupted,
      truncated: this.#truncated,
      overflowed: this.#overflowed,
      unsent: this.#unsent,
    };
  }

  /** The counts in words, those that are 0 left out. */
  describe(): string {
    const { seed, ...counts } = this.fields();
    const said = Object.entries(counts).filter(([name, count]) => name === 'answers' || count > 0);
    const inWords = said.map(([name, count]) => `${count} ${name === 'answers' && count === 1 ? 'answer' : name}`);
    return `faults (--seed ${seed}): ${inWords.join(', ')}`;
  }
}
