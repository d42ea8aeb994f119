/**
 * The moments at which a target is checked: `firstMs`, and every interval after it. The moments are absolute: a check that
 * begins late moves none that follow. All moments are by `performance.now()`.
 */
export class Timetable {
  readonly #firstMs: number;
  readonly #intervalMs: number;
  /** Number of the next moment. */
  #next = 0;
  #skipped = 0;

  constructor(firstMs: number, intervalMs: number) {
    this.#firstMs = firstMs;
    this.#intervalMs = intervalMs;
  }

  /** The next moment. It has passed already if this process was held up. */
  get dueMs(): number {
    return this.#firstMs + this.#next * this.#intervalMs;
  }

  /** Moments that were missed. Each of them is a check that was not made. */
  get skipped(): number {
    return this.#skipped;
  }

  /**
   * A check begins at its moment, or late. A moment is missed when the one after it has come: only the check of the latest
   * moment is made.
   */
  begin(nowMs: number): void {
    const latest = Math.max(this.#next, this.#latestBy(nowMs));
    this.#skipped += latest - this.#next;
    this.#next = latest + 1;
  }

  /** Goes on with the first moment after now. The moments in between were not missed: other checks stood for them. */
  resume(nowMs: number): void {
    this.#next = Math.max(this.#next, this.#latestBy(nowMs) + 1);
  }

  /** Number of the latest moment that has come. */
  #latestBy(nowMs: number): number {
    return Math.floor((nowMs - this.#firstMs) / this.#intervalMs);
  }
}
