import { type Abortable, OnceSignal } from '../timing/once-signal.js';

/**
 * The end of an exchange, in steps. First, enough replies came, and sending ends. Then the time for replies is over: replies
 * that reached the socket before are still read. Then everything is over.
 */
export class Ending {
  readonly #over = new OnceSignal();
  // Few exchanges ask for these two signals, and a check that is made a thousand times a second pays for each.
  #timeOver: AbortController | undefined;
  #enough: AbortController | undefined;
  #hasEnough = false;
  #overSinceMs = Infinity;
  #failure: Error | undefined;

  /** Aborted when the time for replies is over. Replies that reached the socket before still count. */
  get timeOver(): AbortSignal {
    if (this.#timeOver === undefined) {
      this.#timeOver = new AbortController();
      if (this.#overSinceMs < Infinity) this.#timeOver.abort('time over');
    }
    return this.#timeOver.signal;
  }

  /** When the time for replies was over, by `performance.now()`. Infinity before. */
  get overSinceMs(): number {
    return this.#overSinceMs;
  }

  /** Aborted when the exchange waits for nothing more. */
  get over(): Abortable {
    return this.#over;
  }

  /** Aborted when sending can end early: enough replies came, or the exchange failed. */
  get enough(): AbortSignal {
    if (this.#enough === undefined) {
      this.#enough = new AbortController();
      if (this.#hasEnough) this.#enough.abort('enough');
    }
    return this.#enough.signal;
  }

  /** The error that ended the exchange. Undefined if there is none. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  // The abort reasons below are strings: the default reason is an error, and to make its stack takes milliseconds.

  /** The time for replies is over. Further calls do nothing. */
  endTime(): void {
    if (this.#overSinceMs < Infinity) return;
    this.#overSinceMs = performance.now();
    this.#timeOver?.abort('time over');
  }

  /** The exchange waits for nothing more. Further calls do nothing. */
  end(): void {
    this.endTime();
    this.#over.abort();
  }

  /** Enough replies came. Further calls do nothing. */
  endSending(): void {
    this.#hasEnough = true;
    this.#enough?.abort('enough');
  }

  /** An error ends the exchange. */
  fail(error: Error): void {
    this.#failure = error;
    this.endSending();
    this.end();
  }

  /** Throws the failure, if there is one. */
  throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
