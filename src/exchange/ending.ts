/** Whether an exchange is over, and why. */
export class Ending {
  readonly #timeOver = new AbortController();
  readonly #over = new AbortController();
  readonly #enough = new AbortController();
  #overSinceMs = Infinity;
  #failure: Error | undefined;

  /** Aborted when the time for replies is over. What reached the socket before still counts. */
  get timeOver(): AbortSignal {
    return this.#timeOver.signal;
  }

  /** When the time for replies was over, by `performance.now()`; Infinity while it is not. */
  get overSinceMs(): number {
    return this.#overSinceMs;
  }

  /** Aborted when nothing more is waited for. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Aborted when nothing more need be sent, though there may be more: the replies asked for have come, or it failed. */
  get enough(): AbortSignal {
    return this.#enough.signal;
  }

  /** What went wrong while receiving or going on to another address, if anything. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  // The aborts have reasons of their own: the default reason is an error with a stack, which takes milliseconds to make.

  /** The time for replies is over. Twice is fine. */
  endTime(): void {
    if (this.#overSinceMs < Infinity) return;
    this.#overSinceMs = performance.now();
    this.#timeOver.abort('time over');
  }

  /** Nothing more is waited for. Twice is fine. */
  end(): void {
    this.endTime();
    this.#over.abort('over');
  }

  /** The replies asked for have come. Twice is fine. */
  endSending(): void {
    this.#enough.abort('enough');
  }

  /** The exchange cannot go on. */
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
