/** The requests that are remembered, however long a run is: 9 MB at most. */
const MAX_REMEMBERED = 2 ** 20;
const FIRST_CAPACITY = 1024;

/** When each request was sent, and whether it was answered. Of a long run only the latest are known. */
export class Requests {
  #sentMs = new Float64Array(FIRST_CAPACITY);
  #answered = new Uint8Array(FIRST_CAPACITY);
  #count = 0;
  /** No request before this one is open. */
  #oldest = 0;
  readonly #most: number;

  /** @param most requests that are remembered, a power of two; default: 2^20 */
  constructor(most = MAX_REMEMBERED) {
    this.#most = most;
  }

  /** Requests in all, of which the last has the number `count - 1`. */
  get count(): number {
    return this.#count;
  }

  /** The next request is sent. */
  add(sentMs: number): void {
    if (this.#count >= this.#sentMs.length && this.#sentMs.length < this.#most) this.#grow();
    const slot = this.#slot(this.#count);
    this.#sentMs[slot] = sentMs;
    this.#answered[slot] = 0;
    this.#count += 1;
  }

  #grow(): void {
    const { length } = this.#sentMs;
    const sentMs = new Float64Array(length * 2);
    sentMs.set(this.#sentMs);
    const answered = new Uint8Array(length * 2);
    answered.set(this.#answered);
    this.#sentMs = sentMs;
    this.#answered = answered;
  }

  /** The length is a power of two. */
  #slot(index: number): number {
    return index % this.#sentMs.length;
  }

  /** The last requests were not sent after all. */
  withdraw(count: number): void {
    this.#count -= count;
  }

  /** What is open was sent once more. */
  sentAgain(sentMs: number): void {
    for (let index = this.#firstRemembered; index < this.#count; index += 1) this.#sentMs[this.#slot(index)] = sentMs;
  }

  /** None was answered after all. */
  reopen(): void {
    this.#answered.fill(0);
    this.#oldest = 0;
  }

  get #firstRemembered(): number {
    return Math.max(this.#oldest, this.#count - this.#sentMs.length);
  }

  /** Marks a request as answered; when it was sent, or `answered` before, or `unknown`: never sent, or long given up. */
  answer(index: number): number | 'answered' | 'unknown' {
    if (index >= this.#count || index < this.#count - this.#sentMs.length) return 'unknown';
    const slot = this.#slot(index);
    if (this.#answered[slot] === 1) return 'answered';
    this.#answered[slot] = 1;
    return this.#sentMs[slot] ?? 0;
  }

  /** Marks the oldest request as answered that was not; when it was sent, or undefined where none is open. */
  answerOldest(): number | undefined {
    this.#oldest = this.#firstRemembered;
    while (this.#oldest < this.#count && this.#answered[this.#slot(this.#oldest)] === 1) this.#oldest += 1;
    if (this.#oldest >= this.#count) return undefined;
    const slot = this.#slot(this.#oldest);
    this.#answered[slot] = 1;
    return this.#sentMs[slot];
  }
}
