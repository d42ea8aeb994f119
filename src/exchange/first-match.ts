import type { Finding } from '../check/finding.js';
import type { Datagram, Endpoint } from '../net/index.js';

/** Measures the round-trip time of the first matching reply, and remembers the sender of the last wrong reply. */
export class FirstMatch {
  /** When the first message was sent last, by the wall clock. The times of replies are by the wall clock, too. */
  #askedAtMs: number | undefined;
  /** When a datagram was sent last, by the wall clock. */
  #lastSentMs: number | undefined;
  #rttMs: number | undefined;
  #mismatched: Endpoint | undefined;

  /** The time from the last transmission of the first message to the first matching reply, in milliseconds. */
  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  /** The sender of the last reply that did not match. */
  get mismatched(): Endpoint | undefined {
    return this.#mismatched;
  }

  /** A message was sent. Only the first call starts the time. */
  asked(timeMs: number): void {
    this.#askedAtMs ??= timeMs;
    this.#lastSentMs = timeMs;
  }

  /** The first message was sent again, or a follow-up was sent. The time starts again. */
  askedAgain(timeMs: number): void {
    this.#askedAtMs = this.#lastSentMs = timeMs;
  }

  /** The last transmission left at this time: it is now known more exactly. */
  sentAt(timeMs: number): void {
    if (this.#askedAtMs === this.#lastSentMs) this.#askedAtMs = timeMs;
    this.#lastSentMs = timeMs;
  }

  /** The time from the last transmission to a reply, in milliseconds. Undefined if nothing was sent. */
  sinceLastSent({ timeMs }: Datagram): number | undefined {
    return this.#lastSentMs === undefined ? undefined : Math.max(0, timeMs - this.#lastSentMs);
  }

  /**
   * Takes the finding for a reply.
   *
   * @param matching how many replies match so far, including this one
   * @returns the round-trip time of the reply in milliseconds, for {@link settle}. Undefined if no message was sent before.
   */
  take({ outcome }: Finding, { remote, timeMs }: Datagram, matching: number): number | undefined {
    if (outcome === 'mismatch') this.#mismatched = remote;
    const rttMs = this.#askedAtMs === undefined ? undefined : Math.max(0, timeMs - this.#askedAtMs);
    // The judge may have taken back the earlier replies: then this one is the first again.
    if (outcome === 'match' && matching === 1) this.#rttMs = undefined;
    if (outcome === 'match') this.#rttMs ??= rttMs;
    return rttMs;
  }

  /** Takes the decision about a pending reply. @param rttMs the result of {@link take} for the reply */
  settle({ outcome }: Finding, { remote }: Datagram, rttMs: number | undefined): void {
    if (outcome === 'mismatch') this.#mismatched = remote;
    // A later reply may have matched while this one was pending: the shorter time is that of the earlier reply.
    else if (rttMs !== undefined) this.#rttMs = Math.min(this.#rttMs ?? Infinity, rttMs);
  }
}
