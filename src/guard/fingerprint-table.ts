import type { Fingerprint } from './fingerprint.js';

/** How many slots a fingerprint can take. */
const WAYS = 4;

/**
 * Remembers fingerprints in numbered slots. The memory is allocated once and does not grow. The bits of a fingerprint choose
 * four slots, and it takes one of these. If all four are taken, it replaces the one with the oldest use: a flood of other
 * fingerprints rarely removes one that is in use.
 */
export class FingerprintTable {
  /** The number of slots. They are numbered from 0. */
  readonly slots: number;
  readonly #low: Int32Array;
  readonly #high: Int32Array;
  readonly #usedMs: Float64Array;
  readonly #setMask: number;

  /** @param maxEntries at least 4. The number of slots is the largest power of two that is not above it. */
  constructor(maxEntries: number) {
    const slots = 2 ** Math.floor(Math.log2(maxEntries));
    this.slots = slots;
    this.#low = new Int32Array(slots);
    this.#high = new Int32Array(slots);
    this.#usedMs = new Float64Array(slots).fill(-Infinity);
    this.#setMask = slots / WAYS - 1;
  }

  /** The slot of a fingerprint; -1 if the table does not hold it. */
  find({ low, high }: Fingerprint): number {
    const first = this.#firstSlot(low, high);
    for (let slot = first; slot < first + WAYS; slot += 1) {
      if (this.#low[slot] === low && this.#high[slot] === high) return slot;
    }
    return -1;
  }

  /** Stores a fingerprint that the table does not hold, as used at `nowMs`. Returns its slot. */
  add({ low, high }: Fingerprint, nowMs: number): number {
    const first = this.#firstSlot(low, high);
    let oldest = first;
    for (let slot = first + 1; slot < first + WAYS; slot += 1) {
      if (this.usedMs(slot) < this.usedMs(oldest)) oldest = slot;
    }
    this.#low[oldest] = low;
    this.#high[oldest] = high;
    this.#usedMs[oldest] = nowMs;
    return oldest;
  }

  /** The last use of the fingerprint in this slot; -Infinity for an empty slot. */
  usedMs(slot: number): number {
    return this.#usedMs[slot] ?? -Infinity;
  }

  /** Notes a use of the fingerprint in this slot. `nowMs` must not be before an earlier one. */
  use(slot: number, nowMs: number): void {
    this.#usedMs[slot] = nowMs;
  }

  #firstSlot(low: number, high: number): number {
    const mixed = Math.imul(low ^ (high >>> 15), 0x2c1b3c6d);
    return ((mixed ^ (mixed >>> 16)) & this.#setMask) * WAYS;
  }
}
