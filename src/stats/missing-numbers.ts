/**
 * The numbers that are missing in a series. Neighbours are one gap, so that the memory grows with the number of gaps only.
 * Of many gaps only the latest are remembered; of the others it knows how many numbers they had.
 */
export class MissingNumbers {
  readonly #maxGaps: number;
  /** The first number of each gap, and the first number behind it, in turns. Ascending. */
  readonly #bounds: number[] = [];
  #count = 0;
  /** The missing numbers in gaps that are not remembered, and the first number behind them. */
  #forgotten = 0;
  #forgottenEnd = 0;

  /** @param maxGaps how many gaps are remembered, at least 1 */
  constructor(maxGaps: number) {
    this.#maxGaps = maxGaps;
  }

  /** How many numbers are missing. */
  get count(): number {
    return this.#count;
  }

  /** Adds the numbers from `from` to below `to`. They must be larger than all numbers before. */
  add(from: number, to: number): void {
    if (from >= to) return;
    const bounds = this.#bounds;
    this.#count += to - from;
    bounds.push(from, to);
    if (bounds.length > 2 * this.#maxGaps) this.#forgetFirst();
  }

  #forgetFirst(): void {
    const [from = 0, to = 0] = this.#bounds.splice(0, 2);
    this.#forgotten += to - from;
    this.#forgottenEnd = to;
  }

  /**
   * Removes a number. Returns whether it was missing. For a number in the range of the gaps that are not remembered, this is
   * a guess: it counts as missing as long as these gaps have a number left.
   */
  remove(number: number): boolean {
    if (number < this.#forgottenEnd) {
      if (this.#forgotten === 0) return false;
      this.#forgotten -= 1;
      this.#count -= 1;
      return true;
    }
    const bounds = this.#bounds;
    const above = this.#firstAbove(number);
    // A bound at an odd place ends a gap. So the number is in a gap if the next larger bound is at an odd place.
    if (above % 2 === 0) return false;
    const from = bounds[above - 1] ?? 0;
    const to = bounds[above] ?? 0;
    const left = [...(from < number ? [from, number] : []), ...(number + 1 < to ? [number + 1, to] : [])];
    bounds.splice(above - 1, 2, ...left);
    this.#count -= 1;
    if (bounds.length > 2 * this.#maxGaps) this.#forgetFirst();
    return true;
  }

  /** The place of the first bound above a number, by binary search. */
  #firstAbove(number: number): number {
    const bounds = this.#bounds;
    let low = 0;
    let high = bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((bounds[middle] ?? 0) > number) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
