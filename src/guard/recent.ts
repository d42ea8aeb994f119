/**
 * State by key for things that were seen lately: bounded in number, and forgotten when they have not been used for a
 * while. The least recently used goes first.
 */
export class Recent<State> {
  readonly #entries = new Map<string, { state: State; usedMs: number }>();
  readonly #maxEntries: number;
  readonly #keepMs: number;

  constructor(maxEntries: number, keepMs: number) {
    this.#maxEntries = maxEntries;
    this.#keepMs = keepMs;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The state of a key, new if it is not known; used now. */
  use(key: string, nowMs: number, create: () => State): State {
    const entry = this.#entries.get(key) ?? { state: create(), usedMs: nowMs };
    entry.usedMs = nowMs;
    // A Map keeps the order of insertion, so the front is what has not been used for longest.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    for (const [oldest, { usedMs }] of this.#entries) {
      if (usedMs > nowMs - this.#keepMs && this.#entries.size <= this.#maxEntries) break;
      this.#entries.delete(oldest);
    }
    return entry.state;
  }
}
