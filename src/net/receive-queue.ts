import type { Datagram } from './datagram.js';
import { DatagramError } from './errors.js';

export const OVERFLOWS = ['drop-newest', 'drop-oldest', 'fail'] as const;

/**
 * What happens to a datagram that arrives while the queue is full: it is dropped, the oldest is, or the queue fails:
 * what it holds can still be read, then receiving rejects with `QUEUE_FULL`. Each such datagram is counted.
 */
export type Overflow = (typeof OVERFLOWS)[number];

interface Waiter {
  /** A single datagram, or all there are. */
  readonly wants: 'one' | 'all';
  readonly settle: (batch: Datagram[]) => void;
  readonly end: () => void;
}

/**
 * Datagrams between the engine and their reader: bounded, in order of arrival, and every drop counted.
 * Readers wait in line; each gets its datagrams or learns of the end.
 */
export class ReceiveQueue {
  #capacity: number;
  readonly #overflow: Overflow;
  readonly #onDrop: (count: number) => void;
  readonly #onRoom: () => void;
  #items: Datagram[] = [];
  /** Where the queue begins in `#items`: what lies before was taken. */
  #head = 0;
  #waiters: Waiter[] = [];
  #ended = false;
  #failure: DatagramError | undefined;
  #dropped = 0;
  #discarded = 0;

  constructor(options: {
    /** Datagrams held, at least 1. */
    readonly capacity: number;
    readonly overflow: Overflow;
    /** Called with how many datagrams were just dropped. */
    readonly onDrop: (count: number) => void;
    /** Called when a full queue has room again, as long as more may come. */
    readonly onRoom: () => void;
  }) {
    this.#capacity = options.capacity;
    this.#overflow = options.overflow;
    this.#onDrop = options.onDrop;
    this.#onRoom = options.onRoom;
  }

  /** How many datagrams were dropped because the queue was full. */
  get dropped(): number {
    return this.#dropped;
  }

  /** How many datagrams came after the end. Those that the policy `fail` drops are counted in `dropped`. */
  get discarded(): number {
    return this.#discarded;
  }

  /** How many datagrams wait to be read. */
  get length(): number {
    return this.#items.length - this.#head;
  }

  /** How many more datagrams it can hold. */
  get room(): number {
    return this.#ended ? 0 : this.#capacity - this.length;
  }

  /**
   * How many datagrams it wants to be given: as many as it can hold, if the newest would be dropped, since they can as
   * well wait where they are; all, if the policy says that others pay for them, or nobody wants them any more.
   */
  get appetite(): number {
    return this.#overflow === 'drop-newest' && !this.#ended ? this.room : Infinity;
  }

  /** Takes in, in excess of its capacity, what would have waited elsewhere: the end is near, and bounds it. */
  takeInTheRest(): void {
    if (this.#overflow === 'drop-newest') this.#capacity = Infinity;
  }

  /** Takes in what arrived together. The array is the queue's from now on. */
  push(batch: Datagram[]): void {
    if (batch.length === 0) return;
    if (this.#ended) {
      // It overflows still, and until the socket is closed.
      if (this.#failure?.code === 'QUEUE_FULL') this.#drop(batch.length);
      else this.#discarded += batch.length;
      return;
    }
    let rest = batch;
    while (rest.length > 0 && this.#waiters.length > 0) {
      // A waiting reader means an empty queue, and all that arrived may pass it by.
      const waiter = this.#waiters.shift();
      const given = waiter?.wants === 'one' ? rest.slice(0, 1) : rest;
      rest = waiter?.wants === 'one' ? rest.slice(1) : [];
      waiter?.settle(given);
    }
    const fitting = Math.min(rest.length, this.room);
    if (fitting === rest.length) {
      if (this.length === 0) {
        this.#items = rest;
        this.#head = 0;
      } else {
        for (const datagram of rest) this.#items.push(datagram);
      }
      return;
    }
    this.#overflowWith(rest, fitting);
  }

  #overflowWith(batch: readonly Datagram[], fitting: number): void {
    const excess = batch.length - fitting;
    if (this.#overflow === 'drop-oldest') {
      this.#items = [...this.#items.slice(this.#head), ...batch].slice(-this.#capacity);
      this.#head = 0;
    } else {
      for (const datagram of batch.slice(0, fitting)) this.#items.push(datagram);
    }
    if (this.#overflow === 'fail') {
      this.end(new DatagramError('QUEUE_FULL', `the receive queue of ${this.#capacity} datagrams is full`));
    }
    this.#drop(excess);
  }

  #drop(count: number): void {
    this.#dropped += count;
    this.#onDrop(count);
  }

  /** No more will come: what is queued can still be read, then readers see the end, or `failure`. Twice is fine. */
  end(failure?: DatagramError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.end();
  }

  /** Throws away what is queued. */
  clear(): void {
    this.#items = [];
    this.#head = 0;
  }

  /**
   * The next datagram, or undefined at the end.
   *
   * @throws {DatagramError} the failure that ended the queue; `signal.reason` if given up, and then no datagram is lost.
   */
  async takeOne(signal?: AbortSignal): Promise<Datagram | undefined> {
    const batch = await this.#take('one', signal);
    return batch?.[0];
  }

  /** All datagrams that have arrived, at least one; undefined at the end. Throws as {@link takeOne}. */
  takeAll(signal?: AbortSignal): Promise<Datagram[] | undefined> {
    return this.#take('all', signal);
  }

  #take(wants: Waiter['wants'], signal: AbortSignal | undefined): Promise<Datagram[] | undefined> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.length > 0) {
        const wasFull = this.room === 0;
        resolve(wants === 'one' ? [this.#shift()] : this.#drain());
        if (wasFull && !this.#ended) this.#onRoom();
        return;
      }
      const end = (): void => {
        if (this.#failure === undefined) resolve(undefined);
        else reject(this.#failure);
      };
      if (this.#ended) {
        end();
        return;
      }
      const giveUp = (): void => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(signal?.reason as Error);
      };
      const waiter: Waiter = {
        wants,
        settle: (batch) => {
          signal?.removeEventListener('abort', giveUp);
          resolve(batch);
        },
        end: () => {
          signal?.removeEventListener('abort', giveUp);
          end();
        },
      };
      signal?.addEventListener('abort', giveUp, { once: true });
      this.#waiters.push(waiter);
    });
  }

  #drain(): Datagram[] {
    const batch = this.#head === 0 ? this.#items : this.#items.slice(this.#head);
    this.clear();
    return batch;
  }

  #shift(): Datagram {
    const datagram = this.#items[this.#head] as Datagram;
    // What was taken stays in memory until the queue moves up, which costs as much as what is left: so seldom enough.
    this.#head += 1;
    if (this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return datagram;
  }
}
