import type { Session } from './session.js';

/** How many sessions are looked at: the ones that were opened last. */
const LAST = 64;

/**
 * Recognizes two relays that point at each other. Each datagram then goes round: it comes back from a new port of the target's
 * host, opens a new session each time, and gets no answer.
 */
export class LoopWatch {
  /** The sessions that were opened last, each with its first datagram. */
  readonly #last: { readonly session: Session; readonly first: string }[] = [];

  /** A session was opened by this datagram. */
  opened(session: Session, first: Uint8Array): void {
    this.#last.push({ session, first: Buffer.from(first).toString('latin1') });
    if (this.#last.length > LAST) this.#last.shift();
  }

  /** Whether the sessions look like a loop, now that there are as many as there may be. */
  isLoop(): boolean {
    const [oldest] = this.#last;
    if (oldest === undefined || this.#last.length < 2) return false;
    return this.#last.every(
      ({ session: { client, target, counts }, first }) =>
        first === oldest.first && client.address === target.address && counts.down.received === 0,
    );
  }
}
