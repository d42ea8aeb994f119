/**
 * Gives turns of the event loop to pieces of work, one turn to one piece. Between two turns the loop handles sockets and
 * timers, however many pieces wait.
 */
export class Turns {
  readonly #restMs: number;
  readonly #waiting: (() => void)[] = [];
  /** When the last turn was given, by `performance.now()`. */
  #lastMs = -Infinity;

  /** @param restMs the time from one turn to the next at least, in whole milliseconds. Default: one round of the loop. */
  constructor(restMs = 0) {
    this.#restMs = restMs;
  }

  /** Resolves in a turn that no other caller has. */
  take(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) this.#schedule();
    });
  }

  #schedule(): void {
    if (performance.now() - this.#lastMs < this.#restMs) setTimeout(this.#give, this.#restMs);
    else setImmediate(this.#give);
  }

  readonly #give = (): void => {
    this.#lastMs = performance.now();
    this.#waiting.shift()?.();
    if (this.#waiting.length > 0) this.#schedule();
  };
}
