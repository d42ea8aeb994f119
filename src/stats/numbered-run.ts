import { findSequence, type PayloadHeader } from '../input/numbered-header.js';
import { MissingNumbers } from './missing-numbers.js';

/** A payload with a wrong number is looked for among this many numbers that are due next. */
const NUMBERS_DUE = 32;

/** Counts of numbered payloads. */
export interface NumberedCounts {
  /** Payloads that were sent: the numbers from 0 to the largest that came. */
  readonly sent: number;
  /** Numbers below the largest that did not come. A number that came with wrong bytes is not lost. */
  readonly lost: number;
  /** Payloads whose number had come before. */
  readonly duplicated: number;
  /** Payloads that came after a payload with a larger number (RFC 4737 section 3.3). Duplicates do not count. */
  readonly reordered: number;
  /** Payloads whose checksum shows that bytes were changed, added or cut off. */
  readonly corrupted: number;
}

/** Counts the received payloads of one run of `send`. Each payload is on time, reordered, duplicated or corrupted. */
export class NumberedRun {
  /** The random number of the run. */
  readonly run: number;
  readonly #missing: MissingNumbers;
  /** The number after the largest that came. */
  #next = 0;
  #duplicated = 0;
  #reordered = 0;
  #corrupted = 0;
  /** Payloads of unknown number: each may be one of the missing ones. */
  #unknown: number;
  #patternCheck = 0;

  /**
   * @param maxGaps how many gaps in the numbers are remembered
   * @param unread how many datagrams that were not read may be of this run
   */
  constructor(run: number, maxGaps: number, unread: number) {
    this.run = run;
    this.#missing = new MissingNumbers(maxGaps);
    this.#unknown = unread;
  }

  get counts(): NumberedCounts {
    return {
      sent: this.#next,
      lost: Math.max(0, this.#missing.count - this.#unknown),
      duplicated: this.#duplicated,
      reordered: this.#reordered,
      corrupted: this.#corrupted,
    };
  }

  /** Counts an intact payload. */
  take({ sequence, patternCheck }: PayloadHeader): void {
    this.#patternCheck = patternCheck;
    if (sequence >= this.#next) this.#advance(sequence);
    else if (this.#missing.remove(sequence)) this.#reordered += 1;
    else this.#duplicated += 1;
  }

  #advance(sequence: number): void {
    this.#missing.add(this.#next, sequence);
    this.#next = sequence + 1;
  }

  /** Counts a corrupted payload. @param data its first 16 bytes, or more; fewer if it was cut off. At least 4. */
  takeCorrupted(data: Uint8Array): void {
    this.#corrupted += 1;
    const due = { from: this.#next, count: NUMBERS_DUE };
    const { sequence, certain } = findSequence(data, this.run, this.#patternCheck, due);
    if (sequence === undefined || (!certain && sequence >= this.#next + NUMBERS_DUE)) this.#unknown += 1;
    else if (sequence >= this.#next) this.#advance(sequence);
    else this.#missing.remove(sequence);
  }
}
