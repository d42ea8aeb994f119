/**
 * Keeps a state for each key that was used recently. The number of keys is bounded, and a key is forgotten some time after
 * its last use. There are two generations of keys: each use moves a key to the young one, and the old one is dropped as a
 * whole. That is cheaper than a list of all keys in the order of their use.
 */
export class Recent<State> {
  readonly #maxYoung: number;
  readonly #keepMs: number;
  #young = new Map<string, State>();
  #old: ReadonlyMap<string, State> = new Map();
  #youngSinceMs = -Infinity;

  /**
   * @param maxEntries at least 2. With more than half as many keys in use, some are forgotten early.
   * @param keepMs a key is kept for at least this time after its last use, and for about twice this time at most
   */
  constructor(maxEntries: number, keepMs: number) {
    this.#maxYoung = maxEntries / 2;
    this.#keepMs = keepMs;
  }

  /** The number of entries in memory, at most `maxEntries`. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /**
   * Returns the state of a key, and counts this as a use of the key. `create` makes the state of an unknown key. `nowMs` must
   * not be before an earlier one.
   */
  use(key: string, nowMs: number, create: () => State): State {
    if (this.#young.size >= this.#maxYoung || nowMs - this.#youngSinceMs >= this.#keepMs) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngSinceMs = nowMs;
    }
    let state = this.#young.get(key);
    if (state === undefined) {
      state = this.#old.get(key) ?? create();
      this.#young.set(key, state);
    }
    return state;
  }
}
