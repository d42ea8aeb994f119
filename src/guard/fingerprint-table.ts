import type { Fingerprint } from './fingerprint.js';

/** Slots that a fingerprint may stand in. */
const WAYS = 4;

/**
 * Remembers fingerprints in numbered slots, in memory that is taken once. Each may stand in one of four slots, and when
 * all are taken replaces the one of them that was not used for longest: what is in use is not forgotten, however many
 * others come and go.
 */
export class FingerprintTable {
  /** How many slots there are, numbered from 0. */
  readonly slots: number;
  readonly #low: Int32Array;
  readonly #high: Int32Array;
  readonly #usedMs: Float64Array;
  readonly #setMask: number;

  /** @param maxEntries from 4; as many slots are made as are a power of two */
  constructor(maxEntries: number) {
    const slots = 2 ** Math.floor(Math.log2(maxEntries));
    this.slots = slots;
    this.#low = new Int32Array(slots);
    this.#high = new Int32Array(slots);
    this.#usedMs = new Float64Array(slots).fill(-Infinity);
    this.#setMask = slots / WAYS - 1;
  }

  /** The slot of a fingerprint, or -1 if it is in none. */
  find({ low, high }: Fingerprint): number {
    const first = this.#firstSlot(low, high);
    for (let slot = first; slot < first + WAYS; slot += 1) {
      if (this.#low[slot] === low && this.#high[slot] === high) return slot;
    }
    return -1;
  }

  /** Gives a slot to a fingerprint that is in none, used at `nowMs`. */
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

  /** When the fingerprint in this slot was used last. */
  usedMs(slot: number): number {
    return this.#usedMs[slot] ?? -Infinity;
  }

  /** It is used at `nowMs`. Time must not run backwards. */
  use(slot: number, nowMs: number): void {
    this.#usedMs[slot] = nowMs;
  }

  #firstSlot(low: number, high: number): number {
    const mixed = Math.imul(low ^ (high >>> 15), 0x2c1b3c6d);
    return ((mixed ^ (mixed >>> 16)) & this.#setMask) * WAYS;
  }
}
