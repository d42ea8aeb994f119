/**
 * The end of an exchange, in steps. First, enough replies came, and sending ends. Then the time for replies is over: replies
 * that reached the socket before are still read. Then everything is over.
 */
export class Ending {
  readonly #timeOver = new AbortController();
  readonly #over = new AbortController();
  readonly #enough = new AbortController();
  #overSinceMs = Infinity;
  #failure: Error | undefined;

  /** Aborted when the time for replies is over. Replies that reached the socket before still count. */
  get timeOver(): AbortSignal {
    return this.#timeOver.signal;
  }

  /** When the time for replies was over, by `performance.now()`. Infinity before. */
  get overSinceMs(): number {
    return this.#overSinceMs;
  }

  /** Aborted when the exchange waits for nothing more. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Aborted when sending can end early: enough replies came, or the exchange failed. */
  get enough(): AbortSignal {
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
    this.#timeOver.abort('time over');
  }

  /** The exchange waits for nothing more. Further calls do nothing. */
  end(): void {
    this.endTime();
    this.#over.abort('over');
  }

  /** Enough replies came. Further calls do nothing. */
  endSending(): void {
    this.#enough.abort('enough');
  }

  /** An error ends the exchange. */
  fail(error: Error): void {
    this.#failure = error;
    this.#enough.abort('failed');
    this.end();
  }

  /** Throws the failure, if there is one. */
  throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
