import { hash } from 'node:crypto';
import type { Finding } from './judge.js';

/** The most replies that are kept because their like may still be read: 30 MB. */
const MAX_EARLY = 2 ** 16;
/** The most numbers that are listed, and that are told in words. */
const MAX_LISTED = 100;
const MAX_TOLD = 5;
const DIGEST_BYTES = 16;

/** Some of many, by their numbers from 1: all of them are counted, and the first are listed. */
export interface Numbered {
  readonly total: number;
  /** Ascending, at most 100. */
  readonly numbers: readonly number[];
}

/** A reply that is none of the expected ones read so far. */
interface Early {
  readonly number: number;
  readonly bytes: number;
  readonly settle: (finding: Finding) => void;
}

/**
 * Compares replies with those that a recording expects. The recording is read meanwhile. Each reply must be one of the
 * expected ones, byte for byte, and each of those counts once.
 *
 * Expected replies that did not come yet take about 150 bytes each, whatever their size. Those that came take none.
 */
export class ExpectedReplies {
  /** Numbers of the expected replies that are still to come, by digest. */
  readonly #expected = new Map<string, number[]>();
  readonly #early = new Map<string, Early[]>();
  readonly #maxEarly: number;
  #earlyCount = 0;
  #isFull = false;
  #isWhole = false;
  #count = 0;
  #replies = 0;
  #differing = 0;
  /** The first of them. */
  readonly #differingNumbers: number[] = [];

  /** @param maxEarly replies that are kept because their like may still be read. Default: 2^16 */
  constructor(maxEarly = MAX_EARLY) {
    this.#maxEarly = maxEarly;
  }

  /** How many replies the recording expects, as far as it was read. */
  get count(): number {
    return this.#count;
  }

  /** Whether more replies than can be kept came before their like was read: they can no longer be compared. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Takes in a reply that the recording expects. If one like it has come already, that one matches now. */
  expect(data: Uint8Array): void {
    this.#count += 1;
    const key = digest(data);
    const early = takeFirst(this.#early, key);
    if (early === undefined) {
      add(this.#expected, key, this.#count);
      return;
    }
    this.#earlyCount -= 1;
    early.settle(matching(early.number, this.#count));
  }

  /** The recording expects no more replies: those that came and are none of the expected ones differ. */
  end(): void {
    this.#isWhole = true;
    const left = [...this.#early.values()].flat().sort((a, b) => a.number - b.number);
    this.#early.clear();
    this.#earlyCount = 0;
    for (const { number, bytes, settle } of left) settle(this.#differs(number, bytes));
  }

  /** Whether a reply is one of the expected ones; it is pending while its like may still be read. */
  readonly judge = (data: Uint8Array): Finding => {
    this.#replies += 1;
    const number = this.#replies;
    const bytes = data.length;
    const key = digest(data);
    const expected = takeFirst(this.#expected, key);
    if (expected !== undefined) return matching(number, expected);
    if (this.#isWhole) return this.#differs(number, bytes);
    const says = `reply ${number} is none of the answers read so far`;
    if (this.#earlyCount >= this.#maxEarly) {
      this.#isFull = true;
      return { outcome: 'pending', says };
    }
    const later = (settle: Early['settle']): void => {
      this.#earlyCount += 1;
      add(this.#early, key, { number, bytes, settle });
    };
    return { outcome: 'pending', says, later };
  };

  #differs(number: number, bytes: number): Finding {
    this.#differing += 1;
    if (this.#differingNumbers.length < MAX_LISTED) this.#differingNumbers.push(number);
    const size = `${bytes} ${bytes === 1 ? 'byte' : 'bytes'}`;
    return { outcome: 'mismatch', says: `reply ${number}, of ${size}, differs from the recording` };
  }

  /** Which replies differ from every expected reply that was left. */
  get differing(): Numbered {
    return { total: this.#differing, numbers: this.#differingNumbers };
  }

  /** Which expected replies did not come. */
  get missing(): Numbered {
    const numbers = [...this.#expected.values()].flat().sort((a, b) => a - b);
    return { total: numbers.length, numbers: numbers.slice(0, MAX_LISTED) };
  }

  /** The differing replies in words; undefined if there is none. */
  describeDiffering(): string | undefined {
    const { total } = this.differing;
    if (total === 0) return undefined;
    return `${describeNumbers(['reply', 'replies'], this.differing)} ${total === 1 ? 'differs' : 'differ'} from the recording`;
  }

  /** The missing replies in words; undefined if there is none. */
  describeMissing(): string | undefined {
    const { missing } = this;
    if (missing.total === 0) return undefined;
    return `${describeNumbers(['answer', 'answers'], missing)} of ${this.#count} did not come as recorded`;
  }
}

function matching(reply: number, expected: number): Finding {
  return { outcome: 'match', says: `reply ${reply} is answer ${expected} of the recording` };
}

function describeNumbers([one, many]: readonly [string, string], { total, numbers }: Numbered): string {
  const told = numbers.slice(0, MAX_TOLD).join(', ');
  return `${total === 1 ? one : many} ${told}${total > MAX_TOLD ? ` and ${total - MAX_TOLD} more` : ''}`;
}

function digest(data: Uint8Array): string {
  return hash('sha256', data, 'buffer').toString('latin1', 0, DIGEST_BYTES);
}

function add<Item>(lists: Map<string, Item[]>, key: string, item: Item): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}

function takeFirst<Item>(lists: Map<string, Item[]>, key: string): Item | undefined {
  const list = lists.get(key);
  const item = list?.shift();
  if (list?.length === 0) lists.delete(key);
  return item;
}
