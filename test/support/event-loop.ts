/** Counts the rounds of the event loop: two callbacks in the same round see the same number. */
export class Rounds {
  #count = 0;
  #next = setImmediate(this.#step.bind(this));

  /** How many rounds have begun. */
  get count(): number {
    return this.#count;
  }

  #step(): void {
    this.#count += 1;
    this.#next = setImmediate(this.#step.bind(this));
  }

  /** Ends the counting, which keeps the process busy. */
  [Symbol.dispose](): void {
    clearImmediate(this.#next);
  }
}
