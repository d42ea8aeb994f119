import type { Fingerprint } from './fingerprint.js';

/** How many slots a fingerprint can take. */
const WAYS = 4;
/** The size of these slots in words of four bytes: two words for each fingerprint, and two for the time of its last use. */
const SET_WORDS = 4 * WAYS;

/**
 * Remembers fingerprints in numbered slots. The memory is allocated once and does not grow. The bits of a fingerprint choose
 * four slots, and it takes one of these. If all four are taken, it replaces the one with the oldest use: a flood of other
 * fingerprints rarely removes one that is in use.
 */
export class FingerprintTable {
  /** The number of slots. They are numbered from 0. */
  readonly slots: number;
  /**
   * For the four slots of a fingerprint: the lower words, the upper words, and the times of the last use, which take two words each. All
   * stand side by side, so the processor reads one line of memory for a fingerprint.
   */
  readonly #words: Int32Array;
  /** The same memory. Only the times have a meaning in it. */
  readonly #times: Float64Array;
  readonly #setMask: number;

  /** @param maxEntries at least 4. The number of slots is the largest power of two that is not above it. */
  constructor(maxEntries: number) {
    const slots = 2 ** Math.floor(Math.log2(maxEntries));
    this.slots = slots;
    // The words of an empty slot have no meaning. To fill all memory at once is much faster than to find the times in it.
    this.#times = new Float64Array((slots / WAYS) * (SET_WORDS / 2)).fill(-Infinity);
    this.#words = new Int32Array(this.#times.buffer);
    this.#setMask = slots / WAYS - 1;
  }

  /** The slot of a fingerprint; -1 if the table does not hold it. */
  find({ low, high }: Fingerprint): number {
    const set = this.#setOf(low, high);
    const at = set * SET_WORDS;
    for (let way = 0; way < WAYS; way += 1) {
      if (this.#words[at + way] === low && this.#words[at + WAYS + way] === high) return set * WAYS + way;
    }
    return -1;
  }

  /** Stores a fingerprint that the table does not hold, as used at `nowMs`. Returns its slot. */
  add({ low, high }: Fingerprint, nowMs: number): number {
    const set = this.#setOf(low, high);
    const first = set * WAYS;
    let oldest = first;
    for (let slot = first + 1; slot < first + WAYS; slot += 1) {
      if (this.usedMs(slot) < this.usedMs(oldest)) oldest = slot;
    }
    const at = set * SET_WORDS + oldest - first;
    this.#words[at] = low;
    this.#words[at + WAYS] = high;
    this.use(oldest, nowMs);
    return oldest;
  }

  /** The last use of the fingerprint in this slot; -Infinity for an empty slot. */
  usedMs(slot: number): number {
    return this.#times[timeOf(slot)] ?? -Infinity;
  }

  /** Notes a use of the fingerprint in this slot. `nowMs` must not be before an earlier one. */
  use(slot: number, nowMs: number): void {
    this.#times[timeOf(slot)] = nowMs;
  }

  #setOf(low: number, high: number): number {
    const mixed = Math.imul(low ^ (high >>> 15), 0x2c1b3c6d);
    return (mixed ^ (mixed >>> 16)) & this.#setMask;
  }
}

/** The place of the time of a slot among the times of the table. */
function timeOf(slot: number): number {
  const way = slot % WAYS;
  return (slot - way) * 2 + WAYS + way;
}
