import { hash } from 'node:crypto';
import type { Finding } from './finding.js';

/** How many early replies are kept. They take 30 MB. */
const MAX_EARLY = 2 ** 16;
/** How many numbers of replies JSON lists. */
const MAX_LISTED = 100;
/** How many numbers of replies a line for people names. */
const MAX_TOLD = 5;
const DIGEST_BYTES = 16;

/** Some of the replies, by their numbers from 1. */
export interface Numbered {
  /** How many they are. */
  readonly total: number;
  /** The first 100 numbers, ascending. */
  readonly numbers: readonly number[];
}

/** A reply that came before its expected reply was read from the recording, or that differs from all. */
interface Early {
  readonly number: number;
  readonly bytes: number;
  readonly settle: (finding: Finding) => void;
}

/**
 * Compares replies with the replies that a recording expects. Replies come while the recording is still being read. Each
 * reply must equal an expected reply, byte for byte. Each expected reply matches one reply.
 *
 * Only digests are kept: an expected reply without a match takes about 150 bytes, whatever its size. A matched one takes none.
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
  /** The numbers of the first differing replies. */
  readonly #differingNumbers: number[] = [];

  /** @param maxEarly how many early replies are kept. Default: 2^16. */
  constructor(maxEarly = MAX_EARLY) {
    this.#maxEarly = maxEarly;
  }

  /** How many expected replies were read so far. */
  get count(): number {
    return this.#count;
  }

  /** Whether more early replies came than can be kept. Then replies and recording can no longer be compared. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Adds an expected reply. It matches an equal early reply, if there is one. */
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

  /** The recording was read to its end. All early replies without a match differ from it. */
  end(): void {
    this.#isWhole = true;
    const left = [...this.#early.values()].flat().sort((a, b) => a.number - b.number);
    this.#early.clear();
    this.#earlyCount = 0;
    for (const { number, bytes, settle } of left) settle(this.#differs(number, bytes));
  }

  /** Judges a reply. It is pending while an equal expected reply may still be read. */
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

  /** The replies that match no expected reply. */
  get differing(): Numbered {
    return { total: this.#differing, numbers: this.#differingNumbers };
  }

  /** The expected replies without a match. */
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
