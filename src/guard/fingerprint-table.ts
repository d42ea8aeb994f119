import type { Fingerprint } from './fingerprint.js';

/** How many slots a fingerprint can take. */
const WAYS = 4;
/** The size of these slots in words of four bytes: two words for each fingerprint, and two for the time of its last use. */
const SET_WORDS = 4 * WAYS;

/**
 * Remembers fingerprints in numbered slots. The memory is allocated once and does not grow. The bits of a fingerprint choose
 * four slots, which it takes in turn, beginning behind the one that was used last. So a fingerprint stays in the table if fewer than four
 * others come to its slots between two uses: a flood of other fingerprints rarely removes one that is in use.
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
  /** For each set of four slots, which of them is replaced next: the one behind the slot that was used last. */
  readonly #next: Uint8Array;

  /** @param maxEntries at least 4. The number of slots is the largest power of two that is not above it. */
  constructor(maxEntries: number) {
    const slots = 2 ** Math.floor(Math.log2(maxEntries));
    this.slots = slots;
    // The words of an empty slot have no meaning. To fill all memory at once is much faster than to find the times in it.
    this.#times = new Float64Array((slots / WAYS) * (SET_WORDS / 2)).fill(-Infinity);
    this.#words = new Int32Array(this.#times.buffer);
    this.#next = new Uint8Array(slots / WAYS);
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
    const way = this.#replace(set, low, high);
    this.use(set * WAYS + way, nowMs);
    return set * WAYS + way;
  }

  /** Writes a fingerprint into the next slot of a set. */
  #replace(set: number, low: number, high: number): number {
    const way = this.#next[set] as number;
    const at = set * SET_WORDS + way;
    this.#words[at] = low;
    this.#words[at + WAYS] = high;
    return way;
  }

  /**
   * Notes a use of each fingerprint at `nowMs`, in order, and adds those that the table does not hold.
   *
   * @param hashes the lower and the upper word of each fingerprint, one after another
   * @param slots gets the slot of each fingerprint
   * @param lastMs gets the time of its use before this one; -Infinity for an added one
   */
  useAll(hashes: Int32Array, count: number, nowMs: number, slots: Int32Array, lastMs: Float64Array): void {
    const words = this.#words;
    const times = this.#times;
    for (let nth = 0; nth < count; nth += 1) {
      const low = hashes[2 * nth] as number;
      const high = hashes[2 * nth + 1] as number;
      const set = this.#setOf(low, high);
      const at = set * SET_WORDS;
      let way = 0;
      while (way < WAYS && (words[at + way] !== low || words[at + WAYS + way] !== high)) way += 1;
      const isNew = way === WAYS;
      if (isNew) way = this.#replace(set, low, high);
      this.#next[set] = (way + 1) % WAYS;
      const slot = set * WAYS + way;
      slots[nth] = slot;
      lastMs[nth] = isNew ? -Infinity : (times[timeOf(slot)] as number);
      times[timeOf(slot)] = nowMs;
    }
  }

  /** The last use of the fingerprint in this slot; -Infinity for an empty slot. */
  usedMs(slot: number): number {
    return this.#times[timeOf(slot)] ?? -Infinity;
  }

  /** Notes a use of the fingerprint in this slot. `nowMs` must not be before an earlier one. */
  use(slot: number, nowMs: number): void {
    this.#times[timeOf(slot)] = nowMs;
    this.#next[Math.floor(slot / WAYS)] = (slot + 1) % WAYS;
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
