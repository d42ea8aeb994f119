/** After this many failures in a row there is still no pause. */
const AT_ONCE = 3;
/** The longest pause. */
const MAX_PAUSE_MS = 100;

/** Says how long to wait before a failed system call is repeated, for example after a lack of memory. */
export class BackOff {
  #failures = 0;

  /**
   * Counts a failure and returns the milliseconds to wait: 0 for the first 3 failures in a row, then 1, 2, 4 and so on
   * up to 100.
   */
  failed(): number {
    this.#failures += 1;
    const pauses = this.#failures - AT_ONCE;
    return pauses <= 0 ? 0 : Math.min(2 ** (pauses - 1), MAX_PAUSE_MS);
  }

  /** The call succeeded: the next failure counts as the first. */
  succeeded(): void {
    this.#failures = 0;
  }
}
