import type { Finding } from '../check/finding.js';
import type { Datagram, Endpoint } from '../net/index.js';

/** Times the first matching reply, and remembers who sent the last wrong one. */
export class FirstMatch {
  /** When the question was sent last; wall clock, as the times of replies are. */
  #askedAtMs: number | undefined;
  #rttMs: number | undefined;
  #mismatched: Endpoint | undefined;

  /** From the latest transmission of the first message to the first matching reply, in milliseconds. */
  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  /** Who sent the last reply that did not match. */
  get mismatched(): Endpoint | undefined {
    return this.#mismatched;
  }

  /** A message was sent; only the first is timed. */
  asked(timeMs: number): void {
    this.#askedAtMs ??= timeMs;
  }

  /** The first message was sent again, or the protocol's next one after it: the time counts from now. */
  askedAgain(timeMs: number): void {
    this.#askedAtMs = timeMs;
  }

  /**
   * Takes in what a reply was found to be.
   *
   * @param matching how many replies match so far, with this one
   * @returns its round-trip time in milliseconds, for {@link settle}; undefined if nothing was sent before
   */
  take({ outcome }: Finding, { remote, timeMs }: Datagram, matching: number): number | undefined {
    if (outcome === 'mismatch') this.#mismatched = remote;
    const rttMs = this.#askedAtMs === undefined ? undefined : Math.max(0, timeMs - this.#askedAtMs);
    // It is the first again if the replies before it turned out to be none.
    if (outcome === 'match' && matching === 1) this.#rttMs = undefined;
    if (outcome === 'match') this.#rttMs ??= rttMs;
    return rttMs;
  }

  /** A reply that was pending is found to match or not. */
  settle({ outcome }: Finding, { remote }: Datagram, rttMs: number | undefined): void {
    if (outcome === 'mismatch') this.#mismatched = remote;
    // A reply that came after it may have been found to match before.
    else if (rttMs !== undefined) this.#rttMs = Math.min(this.#rttMs ?? Infinity, rttMs);
  }
}
