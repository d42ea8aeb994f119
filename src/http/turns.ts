/**
 * Gives turns of the event loop to long work, one turn at a time. Between two turns the loop handles sockets and timers, however
 * many pieces of work wait.
 */
export class Turns {
  readonly #waiting: (() => void)[] = [];

  /** Resolves in a turn that no other caller has. */
  take(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) setImmediate(this.#give);
    });
  }

  readonly #give = (): void => {
    this.#waiting.shift()?.();
    if (this.#waiting.length > 0) setImmediate(this.#give);
  };
}

/** The longest that one turn writes, in milliseconds. */
const SLICE_MS = 1;

/** Joins texts to slices. Each slice is made in a turn of its own, and takes about a millisecond. */
export async function* inSlices(texts: Iterable<string>, turns: Turns): AsyncGenerator<string> {
  await turns.take();
  let slice = '';
  let endMs = performance.now() + SLICE_MS;
  for (const text of texts) {
    slice += text;
    if (performance.now() < endMs) continue;
    yield slice;
    slice = '';
    await turns.take();
    endMs = performance.now() + SLICE_MS;
  }
  yield slice;
}
