/** How many requests are remembered, however long a run is. They take 9 MB. */
const MAX_REMEMBERED = 2 ** 20;
const FIRST_CAPACITY = 1024;

/**
 * Remembers when each request was sent, and whether it got a reply. Requests are numbered from 0. Of a long run only the
 * latest requests are remembered. A request is open until it gets a reply.
 */
export class Requests {
  #sentMs = new Float64Array(FIRST_CAPACITY);
  /** 1 for a request that got a reply. */
  #replied = new Uint8Array(FIRST_CAPACITY);
  #count = 0;
  /** No request before this one is open. */
  #oldest = 0;
  /** No request before this one is open and young enough: see {@link replyToOldest}. */
  #oldestYoung = 0;
  readonly #most: number;

  /** @param most how many requests are remembered, a power of two from 1024. Default: 2^20. */
  constructor(most = MAX_REMEMBERED) {
    this.#most = most;
  }

  /** The number of all requests. The last one has the number `count - 1`. */
  get count(): number {
    return this.#count;
  }

  /** Adds the next request, with the time when it is sent. */
  add(sentMs: number): void {
    if (this.#count >= this.#sentMs.length && this.#sentMs.length < this.#most) this.#grow();
    const slot = this.#slot(this.#count);
    this.#sentMs[slot] = sentMs;
    this.#replied[slot] = 0;
    this.#count += 1;
  }

  #grow(): void {
    const { length } = this.#sentMs;
    const sentMs = new Float64Array(length * 2);
    sentMs.set(this.#sentMs);
    const replied = new Uint8Array(length * 2);
    replied.set(this.#replied);
    this.#sentMs = sentMs;
    this.#replied = replied;
  }

  #slot(index: number): number {
    return index % this.#sentMs.length;
  }

  /** Removes the last requests: they were not sent after all. */
  withdraw(count: number): void {
    this.#count -= count;
  }

  /** Sets the times of the last requests, in order: when each was sent is now known more exactly. */
  sentAt(timesMs: Float64Array): void {
    const first = this.#count - timesMs.length;
    for (const [nth, timeMs] of timesMs.entries()) this.#sentMs[this.#slot(first + nth)] = timeMs;
  }

  /** Sets the time of all open requests: they were sent again. */
  sentAgain(sentMs: number): void {
    for (let index = this.#firstRemembered; index < this.#count; index += 1) this.#sentMs[this.#slot(index)] = sentMs;
  }

  /** Opens all remembered requests again: the replies so far were no replies to them. */
  reopen(): void {
    this.#replied.fill(0);
    this.#oldest = this.#oldestYoung = 0;
  }

  get #firstRemembered(): number {
    return Math.max(this.#oldest, this.#count - this.#sentMs.length);
  }

  /**
   * Marks a request as one that got a reply. Returns the time when it was sent; `replied` if it has a reply already;
   * `unknown` if it was never sent, or is not remembered any more.
   */
  reply(index: number): number | 'replied' | 'unknown' {
    if (index >= this.#count || index < this.#count - this.#sentMs.length) return 'unknown';
    const slot = this.#slot(index);
    if (this.#replied[slot] === 1) return 'replied';
    this.#replied[slot] = 1;
    return this.#sentMs[slot] ?? 0;
  }

  /** The time when a request was sent. Undefined if it was never sent, or is not remembered any more. */
  timeOf(index: number): number | undefined {
    return index >= this.#count || index < this.#count - this.#sentMs.length ? undefined : this.#sentAt(index);
  }

  /**
   * Marks the oldest open request as one that got a reply. Returns the time when it was sent; undefined if none is open.
   *
   * @param sinceMs an earlier request is passed over, if a later one is open; not before the one of the last call
   */
  replyToOldest(sinceMs = -Infinity): number | undefined {
    this.#oldest = this.#firstFrom(this.#firstRemembered, -Infinity);
    let index = this.#oldest;
    if (index < this.#count && this.#sentAt(index) < sinceMs) {
      this.#oldestYoung = this.#firstFrom(Math.max(index, this.#oldestYoung), sinceMs);
      if (this.#oldestYoung < this.#count) index = this.#oldestYoung;
    }
    if (index >= this.#count) return undefined;
    this.#replied[this.#slot(index)] = 1;
    return this.#sentAt(index);
  }

  /** The first open request from a number on that was sent at `sinceMs` or later; `count` if there is none. */
  #firstFrom(index: number, sinceMs: number): number {
    let at = index;
    while (at < this.#count && (this.#replied[this.#slot(at)] === 1 || this.#sentAt(at) < sinceMs)) at += 1;
    return at;
  }

  #sentAt(index: number): number {
    return this.#sentMs[this.#slot(index)] ?? 0;
  }
}
