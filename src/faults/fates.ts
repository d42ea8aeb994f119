import { BurstLoss, type BurstLossParameters } from './burst-loss.js';
import { deviation, type Jitter } from './jitter.js';
import { type Random, randomStreams } from './random.js';

/** Which faults there are. Probabilities are from 0 to 1 and apply to each answer by itself. */
export interface FaultSettings {
  readonly delayMs?: number | undefined;
  readonly jitter?: Jitter | undefined;
  readonly loss?: number | undefined;
  readonly burstLoss?: BurstLossParameters | undefined;
  readonly duplicate?: number | undefined;
  readonly reorder?: number | undefined;
  readonly corrupt?: number | undefined;
  readonly truncate?: number | undefined;
}

/** What is to become of one answer. */
export interface Fate {
  readonly lost: boolean;
  /** Bytes that are left of it: fewer than it had, unless it had none; undefined if it is not cut. */
  readonly keptBytes: number | undefined;
  /** Bits of what is left that are flipped, each once, counted from 0; empty if it is not corrupted. */
  readonly flippedBits: readonly number[];
  readonly duplicated: boolean;
  readonly reordered: boolean;
  /** From 0, of the answer, and of its copy if there is one. */
  readonly delaysMs: readonly [number, number];
}

/** Bits of a corrupted answer that are flipped at most. */
const MAX_FLIPPED_BITS = 4;
/**
 * Decides what becomes of each answer, by nothing but the seed and the answer's number. Each fault has random numbers of
 * its own, and takes as many for every answer: to turn one on or off, or to answer something else, changes none of the others.
 */
export class Fates {
  readonly #settings: FaultSettings;
  readonly #burstLoss: BurstLoss | undefined;
  readonly #random: Readonly<Record<'loss' | 'duplicate' | 'reorder' | 'corrupt' | 'truncate' | 'jitter', Random>>;

  /** @param seed 0 to 2^32 - 1 */
  constructor(settings: FaultSettings, seed: number) {
    this.#settings = settings;
    const [loss, burstLoss, duplicate, reorder, corrupt, truncate, jitter] = randomStreams(seed, 7) as readonly [
      Random,
      Random,
      Random,
      Random,
      Random,
      Random,
      Random,
    ];
    this.#random = { loss, duplicate, reorder, corrupt, truncate, jitter };
    if (settings.burstLoss !== undefined) this.#burstLoss = new BurstLoss(settings.burstLoss, burstLoss);
  }

  /** The fate of the next answer, of so many bytes. */
  next(bytes: number): Fate {
    const lostAlone = this.#happens('loss');
    const lostInBurst = this.#burstLoss?.loses() === true;
    const keptBytes = this.#cut(bytes);
    return {
      lost: lostAlone || lostInBurst,
      keptBytes,
      flippedBits: this.#flip((keptBytes ?? bytes) * 8),
      duplicated: this.#happens('duplicate'),
      reordered: this.#happens('reorder'),
      delaysMs: [this.#delayMs(), this.#delayMs()],
    };
  }

  #happens(fault: 'loss' | 'duplicate' | 'reorder' | 'corrupt' | 'truncate'): boolean {
    const probability = this.#settings[fault];
    return probability !== undefined && this.#random[fault].fraction() < probability;
  }

  #cut(bytes: number): number | undefined {
    if (this.#settings.truncate === undefined) return undefined;
    const cut = this.#happens('truncate');
    const place = this.#random.truncate.fraction();
    return cut && bytes > 0 ? Math.floor(place * bytes) : undefined;
  }

  #flip(bits: number): readonly number[] {
    if (this.#settings.corrupt === undefined) return [];
    const random = this.#random.corrupt;
    if (!this.#happens('corrupt')) {
      // As many as the other case takes.
      for (let draw = 0; draw < 1 + MAX_FLIPPED_BITS; draw += 1) random.next();
      return [];
    }
    const wanted = 1 + Math.floor(random.fraction() * MAX_FLIPPED_BITS);
    const places = Array.from({ length: MAX_FLIPPED_BITS }, () => random.fraction());
    const flipped: number[] = [];
    const count = Math.min(wanted, bits);
    // Floyd's way to draw different numbers: a bit flipped twice would be as it was.
    for (const [index, place] of places.slice(0, count).entries()) {
      const last = bits - count + index;
      const bit = Math.floor(place * (last + 1));
      flipped.push(flipped.includes(bit) ? last : bit);
    }
    return flipped;
  }

  #delayMs(): number {
    const { delayMs = 0, jitter } = this.#settings;
    if (jitter === undefined) return delayMs;
    return Math.max(0, delayMs + jitter.ms * deviation(jitter.distribution, this.#random.jitter));
  }
}
