import type { Outcome } from './check.js';
import { RoundTripHistogram } from './round-trip-histogram.js';
import { Tally } from './tally.js';
import { VERDICTS, type Verdict } from './verdict.js';

/** How many checks of a target are kept one by one. */
export const KEPT_CHECKS = 100;

/** The checks of a target: how many had each verdict, their round-trip times, and the last hundred one by one. */
export class History {
  readonly roundTrips = new Tally();
  readonly histogram = new RoundTripHistogram();
  readonly #counts = new Map<Verdict, number>(VERDICTS.map((verdict) => [verdict, 0]));
  readonly #verdicts = new Uint8Array(KEPT_CHECKS);
  readonly #sent = new Uint32Array(KEPT_CHECKS);
  readonly #lost = new Uint32Array(KEPT_CHECKS);
  #checks = 0;
  #allSent = 0;
  #allLost = 0;
  #last: Outcome | undefined;

  take(outcome: Outcome): void {
    const { verdict, rttMs, sent, lost } = outcome;
    const slot = this.#checks % KEPT_CHECKS;
    this.#verdicts[slot] = VERDICTS.indexOf(verdict);
    this.#sent[slot] = sent;
    this.#lost[slot] = lost;
    this.#checks += 1;
    this.#counts.set(verdict, this.count(verdict) + 1);
    this.#allSent += sent;
    this.#allLost += lost;
    if (rttMs !== undefined) {
      this.roundTrips.record(rttMs);
      this.histogram.record(rttMs);
    }
    this.#last = outcome;
  }

  /** Checks so far. */
  get checks(): number {
    return this.#checks;
  }

  /** Requests of all checks that the kernel took. */
  get sent(): number {
    return this.#allSent;
  }

  /** Requests of all checks without a matching reply in time. */
  get lost(): number {
    return this.#allLost;
  }

  /** The last check. */
  get last(): Outcome | undefined {
    return this.#last;
  }

  /** How many checks had a verdict. */
  count(verdict: Verdict): number {
    return this.#counts.get(verdict) ?? 0;
  }

  /** The verdicts of the last checks, at most `count` and at most 100, the latest at the end. */
  latest(count = KEPT_CHECKS): readonly Verdict[] {
    const length = Math.min(count, this.#checks, KEPT_CHECKS);
    return Array.from({ length }, (_, index) => {
      const slot = (this.#checks - length + index) % KEPT_CHECKS;
      return VERDICTS[this.#verdicts[slot] ?? 0] as Verdict;
    });
  }

  /** The share of requests without a matching reply in the last 100 checks, from 0 to 1; undefined if nothing was sent. */
  get loss(): number | undefined {
    const sum = (counts: Uint32Array): number => counts.reduce((total, count) => total + count, 0);
    const sent = sum(this.#sent);
    return sent === 0 ? undefined : sum(this.#lost) / sent;
  }
}
