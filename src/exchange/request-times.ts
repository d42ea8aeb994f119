import type { Measurement } from '../check/measurement.js';
import type { Responders } from '../stats/responders.js';
import type { FirstMatch } from './first-match.js';

/** Tells all that measure round-trip times when messages are sent. All times are by the wall clock. */
export class RequestTimes {
  readonly #firstMatch: FirstMatch;
  readonly #others: readonly (Measurement | Responders)[];

  constructor(firstMatch: FirstMatch, measurement: Measurement | undefined, responders: Responders | undefined) {
    this.#firstMatch = firstMatch;
    this.#others = [measurement, responders].filter((some) => some !== undefined);
  }

  /** Messages are being given to the kernel. @param timeMs now */
  sending(count: number, timeMs: number): void {
    this.#firstMatch.asked(timeMs);
    for (const other of this.#others) other.sending(count, timeMs);
  }

  /** The kernel has taken the messages of {@link sending}, except for `refused` of them. @param timesMs when it took each */
  taken(refused: number, timesMs: Float64Array): void {
    const [firstMs] = timesMs;
    if (firstMs !== undefined) this.#firstMatch.sentAt(firstMs);
    for (const other of this.#others) other.taken(refused, timesMs);
  }

  /** All messages without a reply are being sent again, to another address. @param timeMs now */
  sendingAgain(timeMs: number): void {
    this.#firstMatch.askedAgain(timeMs);
    for (const other of this.#others) other.sentAgain(timeMs);
  }
}
