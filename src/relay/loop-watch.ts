import type { Session } from './session.js';

/** A loop opens one session after another. After this number of them in a row it is told. */
const LEAST_IN_A_ROW = 16;
const WITHIN_MS = 1000;
/** How many first datagrams are remembered. */
const REMEMBERED = 64;

/**
 * Notices two relays that point at each other. Each datagram then goes round: it comes back from a new port of the target's
 * host, and opens a new session each time.
 */
export class LoopWatch {
  /** The first datagrams of the last sessions. */
  #firsts: { readonly data: string; readonly timeMs: number }[] = [];
  #inARow = 0;

  /** A session was opened by this datagram. Returns whether it belongs to a loop. */
  opened({ client, target }: Session, data: Uint8Array, nowMs: number): boolean {
    const written = Buffer.from(data).toString('latin1');
    const isKnown =
      client.address === target.address &&
      this.#firsts.some((first) => first.data === written && nowMs - first.timeMs < WITHIN_MS);
    this.#firsts.push({ data: written, timeMs: nowMs });
    if (this.#firsts.length > REMEMBERED) this.#firsts.shift();
    this.#inARow = isKnown ? this.#inARow + 1 : 0;
    return this.#inARow >= LEAST_IN_A_ROW;
  }
}
