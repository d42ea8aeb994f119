/**
 * State by key for things that were seen lately: bounded in number, and forgotten some time after their last use. Two
 * generations, of which the older goes as a whole, cost less than an order of use would.
 */
export class Recent<State> {
  readonly #maxYoung: number;
  readonly #keepMs: number;
  #young = new Map<string, State>();
  #old: ReadonlyMap<string, State> = new Map();
  #youngSinceMs = -Infinity;

  /**
   * @param maxEntries from 2; with more keys than half of it in use, some are forgotten early
   * @param keepMs a key is forgotten no sooner than that after its last use, nor much later than twice that
   */
  constructor(maxEntries: number, keepMs: number) {
    this.#maxYoung = maxEntries / 2;
    this.#keepMs = keepMs;
  }

  /** Entries in memory, never more than the maximum. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** The state of a key, new if it is not known; used now. Time must not run backwards. */
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
