import type { Datagram, Run } from './datagram.js';
import { DatagramError } from './errors.js';
import { asDatagrams, asRun, countOf } from './runs.js';

export const OVERFLOWS = ['drop-newest', 'drop-oldest', 'fail'] as const;

/**
 * What happens to a datagram that arrives while the queue is full: it is dropped, the oldest is, or the queue fails:
 * what it holds can still be read, then receiving rejects with `QUEUE_FULL`. Each such datagram is counted.
 */
export type Overflow = (typeof OVERFLOWS)[number];

type Item = Datagram | Run;

/** A single datagram, all there are, or all as runs. */
type Wanted = 'one' | 'all' | 'runs';

interface Waiter {
  readonly wants: Wanted;
  readonly settle: (batch: Item[]) => void;
  readonly end: () => void;
}

interface QueueOptions {
  /** Datagrams held, at least 1. */
  readonly capacity: number;
  readonly overflow: Overflow;
  /** Called with how many datagrams were just dropped. */
  readonly onDrop: (count: number) => void;
  /** Called when a full queue has room again, as long as more may come. */
  readonly onRoom: () => void;
}

/**
 * Datagrams between the engine and their reader: bounded, in order of arrival, and every drop counted.
 * Readers wait in line; each gets its datagrams or learns of the end.
 */
export class ReceiveQueue {
  #capacity: number;
  readonly #options: QueueOptions;
  #items: Item[] = [];
  /** Whether some items are runs, and how many more datagrams there are than items. */
  #holdsRuns = false;
  #excess = 0;
  #takesRuns = false;
  /** Where the queue begins in `#items`: what lies before was taken. */
  #head = 0;
  #waiters: Waiter[] = [];
  #ended = false;
  #failure: DatagramError | undefined;
  #dropped = 0;
  #discarded = 0;

  constructor(options: QueueOptions) {
    this.#capacity = options.capacity;
    this.#options = options;
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
    return this.#items.length - this.#head + this.#excess;
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
    return this.#options.overflow === 'drop-newest' && !this.#ended ? this.room : Infinity;
  }

  /** Whether its reader last asked for runs. */
  get takesRuns(): boolean {
    return this.#takesRuns;
  }

  /** Takes in, in excess of its capacity, what would have waited elsewhere: the end is near, and bounds it. */
  takeInTheRest(): void {
    if (this.#options.overflow === 'drop-newest') this.#capacity = Infinity;
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

  /**
   * Takes in runs that arrived together. The array is the queue's from now on. They become datagrams where a reader waits
   * for these, and where there is no room for all.
   */
  pushRuns(runs: Run[]): void {
    const count = countOf(runs);
    const [waiter] = this.#waiters;
    const fits = waiter === undefined ? count <= this.room : waiter.wants === 'runs';
    if (this.#ended || !fits) this.push(runs.flatMap(asDatagrams));
    else if (waiter !== undefined) {
      this.#waiters.shift();
      waiter.settle(runs);
    } else {
      for (const run of runs) this.#items.push(run);
      this.#holdsRuns = true;
      this.#excess += count - runs.length;
    }
  }

  #overflowWith(batch: readonly Datagram[], fitting: number): void {
    const excess = batch.length - fitting;
    this.#cutRuns();
    if (this.#options.overflow === 'drop-oldest') {
      this.#items = [...this.#items.slice(this.#head), ...batch].slice(-this.#capacity);
      this.#head = 0;
    } else {
      for (const datagram of batch.slice(0, fitting)) this.#items.push(datagram);
    }
    if (this.#options.overflow === 'fail') {
      this.end(new DatagramError('QUEUE_FULL', `the receive queue of ${this.#capacity} datagrams is full`));
    }
    this.#drop(excess);
  }

  #drop(count: number): void {
    this.#dropped += count;
    this.#options.onDrop(count);
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
    this.#holdsRuns = false;
    this.#excess = 0;
  }

  /** Puts the datagrams of each run in its place. */
  #cutRuns(): void {
    if (!this.#holdsRuns) return;
    const items = this.#items.slice(this.#head);
    this.clear();
    this.#items = items.flatMap(asDatagrams);
  }

  /**
   * The next datagram, or undefined at the end.
   *
   * @throws {DatagramError} the failure that ended the queue; `signal.reason` if given up, and then no datagram is lost.
   */
  async takeOne(signal?: AbortSignal): Promise<Datagram | undefined> {
    const batch = await this.#take('one', signal);
    return batch?.[0] as Datagram | undefined;
  }

  /** All datagrams that have arrived, at least one; undefined at the end. Throws as {@link takeOne}. */
  takeAll(signal?: AbortSignal): Promise<Datagram[] | undefined> {
    return this.#take('all', signal) as Promise<Datagram[] | undefined>;
  }

  /** As {@link takeAll}, as runs. Those come that the engine gave while the reader asked for runs; else runs of one. */
  async takeRuns(signal?: AbortSignal): Promise<Run[] | undefined> {
    const batch = await this.#take('runs', signal);
    return batch?.map(asRun);
  }

  /** Items of the kind that is wanted, or datagrams where runs are. */
  #take(wants: Wanted, signal: AbortSignal | undefined): Promise<Item[] | undefined> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      this.#takesRuns = wants === 'runs';
      if (wants !== 'runs') this.#cutRuns();
      if (this.length > 0) {
        const wasFull = this.room === 0;
        resolve(wants === 'one' ? [this.#shift()] : this.#drain());
        if (wasFull && !this.#ended) this.#options.onRoom();
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

  #drain(): Item[] {
    const batch = this.#head === 0 ? this.#items : this.#items.slice(this.#head);
    this.clear();
    return batch;
  }

  #shift(): Item {
    const datagram = this.#items[this.#head] as Item;
    // What was taken stays in memory until the queue moves up, which costs as much as what is left: so seldom enough.
    this.#head += 1;
    if (this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return datagram;
  }
}
