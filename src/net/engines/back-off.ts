/** So many failures in a row are tried again at once. */
const AT_ONCE = 3;
/** What goes on failing is tried again that seldom in the end. */
const MAX_PAUSE_MS = 100;

/** How long to wait before a system call is made again that failed for a reason which may pass, such as want of memory. */
export class BackOff {
  #failures = 0;

  /** The call failed: milliseconds to wait now. None for the first failures in a row, then 1, 2, 4 and so on up to 100. */
  failed(): number {
    this.#failures += 1;
    const pauses = this.#failures - AT_ONCE;
    return pauses <= 0 ? 0 : Math.min(2 ** (pauses - 1), MAX_PAUSE_MS);
  }

  succeeded(): void {
    this.#failures = 0;
  }
}
