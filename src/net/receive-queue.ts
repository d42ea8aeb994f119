import type { Datagram, Run } from './datagram.js';
import { DatagramError } from './errors.js';
import { asRun, countOf, cutRuns } from './runs.js';

export const OVERFLOWS = ['drop-newest', 'drop-oldest', 'fail'] as const;

/**
 * What happens when a datagram arrives and the receive queue is full.
 *
 * - `drop-newest`: the datagram that arrived is dropped. With the linux engine it waits in the kernel's buffer instead;
 *   if that is full too, the kernel drops it, see `DatagramSocket.kernelDropped`.
 * - `drop-oldest`: the oldest datagram of the queue is dropped.
 * - `fail`: receiving ends. Queued datagrams can still be read; then reading rejects with `QUEUE_FULL`.
 *
 * Each dropped datagram is counted, see `DatagramSocket.dropped`.
 */
export type Overflow = (typeof OVERFLOWS)[number];

type Item = Datagram | Run;

/**
 * Takes runs: at least one, in order of arrival. The array belongs to it. Returns whether it wants more, or a promise of that:
 * meanwhile datagrams wait in the queue.
 */
export type Consumer = (runs: Run[]) => boolean | Promise<boolean>;

/** What a reader asks for: one datagram, all datagrams, or all as runs. */
type Wanted = 'one' | 'all' | 'runs';

interface Waiter {
  readonly wants: Wanted;
  /** Whether it uses payloads only until `settle` returns. */
  readonly borrows?: boolean;
  readonly settle: (batch: Item[]) => void;
  readonly end: () => void;
}

interface QueueOptions {
  /** How many datagrams the queue holds at most, at least 1. */
  readonly capacity: number;
  readonly overflow: Overflow;
  /** Called after datagrams were dropped, with their number. */
  readonly onDrop: (count: number) => void;
  /** Called when a full queue has room again. Not called after the end. */
  readonly onRoom: () => void;
}

/**
 * The bounded queue between an engine, which pushes datagrams, and readers, which take them. It keeps the order of
 * arrival and counts each dropped datagram. Several readers may wait: the first that asked gets the next datagrams.
 */
export class ReceiveQueue {
  #capacity: number;
  readonly #options: QueueOptions;
  #items: Item[] = [];
  /** Whether `#items` holds runs. */
  #holdsRuns = false;
  /** The number of datagrams in `#items` minus the number of items: a run is one item but holds several datagrams. */
  #excess = 0;
  #takesRuns = false;
  /** Index of the first item in `#items` that no reader has taken yet. */
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

  /** How many datagrams came after the end. After a `QUEUE_FULL` they count as `dropped` instead. */
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
   * How many datagrams the engine may deliver now. Under `drop-newest` only what fits, because the rest can wait in the
   * kernel. Otherwise unlimited: the policy decides what to drop, and an ended queue discards everything.
   */
  get appetite(): number {
    return this.#options.overflow === 'drop-newest' && !this.#ended ? this.room : Infinity;
  }

  /** Whether its reader last asked for runs. */
  get takesRuns(): boolean {
    return this.#takesRuns;
  }

  /** Whether the reader that gets the next runs uses their payloads only until it returns. */
  get borrowsRuns(): boolean {
    return this.#waiters[0]?.borrows === true;
  }

  /** Removes the bound, so that the datagrams still in the kernel fit. Called when the socket closes. */
  takeInTheRest(): void {
    if (this.#options.overflow === 'drop-newest') this.#capacity = Infinity;
  }

  /** Adds datagrams that arrived together. The queue keeps the array: do not use it afterwards. */
  push(batch: Datagram[]): void {
    if (batch.length === 0) return;
    if (this.#ended) {
      // A queue that failed counts drops until the socket is closed.
      if (this.#failure?.code === 'QUEUE_FULL') this.#drop(batch.length);
      else this.#discarded += batch.length;
      return;
    }
    let rest = batch;
    while (rest.length > 0 && this.#waiters.length > 0) {
      // A reader waits only while the queue is empty. So these datagrams go to it directly, also if they exceed the
      // capacity.
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
   * Adds runs that arrived together. The queue keeps the array: do not use it afterwards. It cuts the runs into
   * datagrams if a reader waits for datagrams, and if there is not room for all of them.
   */
  pushRuns(runs: Run[]): void {
    const count = countOf(runs);
    const [waiter] = this.#waiters;
    const fits = waiter === undefined ? count <= this.room : waiter.wants === 'runs';
    if (this.#ended || !fits) this.push(cutRuns(runs));
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

  /**
   * Ends the queue. Queued datagrams can still be read; then readers get undefined, or `failure`. A second call does
   * nothing.
   */
  end(failure?: DatagramError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.end();
  }

  /** Removes all queued datagrams. They do not count as dropped. */
  clear(): void {
    this.#items = [];
    this.#head = 0;
    this.#holdsRuns = false;
    this.#excess = 0;
  }

  /** Replaces each queued run by its datagrams. */
  #cutRuns(): void {
    if (!this.#holdsRuns) return;
    const items = this.#items.slice(this.#head);
    this.clear();
    this.#items = cutRuns(items);
  }

  /**
   * Waits for the next datagram. Returns undefined at the end.
   *
   * @param signal Ends the wait. No datagram is lost by that.
   * @throws {DatagramError} the failure that ended the queue
   * @throws The reason of `signal` once it is aborted.
   */
  async takeOne(signal?: AbortSignal): Promise<Datagram | undefined> {
    const batch = await this.#take('one', signal);
    return batch?.[0] as Datagram | undefined;
  }

  /** Waits for at least one datagram and returns all queued ones; undefined at the end. Throws like {@link takeOne}. */
  takeAll(signal?: AbortSignal): Promise<Datagram[] | undefined> {
    return this.#take('all', signal) as Promise<Datagram[] | undefined>;
  }

  /**
   * Returns all queued datagrams as runs, otherwise like {@link takeAll}. Datagrams pushed singly become runs of one.
   */
  async takeRuns(signal?: AbortSignal): Promise<Run[] | undefined> {
    const batch = await this.#take('runs', signal);
    return batch?.map(asRun);
  }

  /** Waits for items. If runs are wanted, the result may hold datagrams too. */
  #take(wants: Wanted, signal: AbortSignal | undefined): Promise<Item[] | undefined> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      this.#takesRuns = wants === 'runs';
      if (wants !== 'runs') this.#cutRuns();
      if (this.length > 0) {
        resolve(this.#takeQueued(wants));
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

  /**
   * Gives all datagrams to `consumer`, those that arrive in the moment of their arrival. Resolves at the end, or when `consumer`
   * wants no more.
   *
   * @param borrows see `ConsumeOptions`
   * @throws {DatagramError} the failure that ended the queue
   * @throws the error of `consumer`
   */
  consume(consumer: Consumer, borrows = false): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail: (error: unknown) => void = reject;
      const give = (items: Item[]): void => {
        try {
          const wantsMore = consumer(items.map(asRun));
          if (typeof wantsMore === 'boolean') goOn(wantsMore);
          else wantsMore.then(goOn).catch(fail);
        } catch (error) {
          fail(error);
        }
      };
      const waiter: Waiter = {
        wants: 'runs',
        borrows,
        settle: give,
        end: () => {
          if (this.#failure === undefined) resolve();
          else reject(this.#failure);
        },
      };
      const goOn = (wantsMore: boolean): void => {
        this.#takesRuns = true;
        if (!wantsMore) resolve();
        else if (this.length > 0) give(this.#takeQueued('runs'));
        else if (this.#ended) waiter.end();
        else this.#waiters.push(waiter);
      };
      goOn(true);
    });
  }

  /** Takes one datagram or all. There must be at least one. */
  #takeQueued(wants: Wanted): Item[] {
    const wasFull = this.room === 0;
    const taken = wants === 'one' ? [this.#shift()] : this.#drain();
    if (wasFull && !this.#ended) this.#options.onRoom();
    return taken;
  }

  #drain(): Item[] {
    const batch = this.#head === 0 ? this.#items : this.#items.slice(this.#head);
    this.clear();
    return batch;
  }

  #shift(): Item {
    const datagram = this.#items[this.#head] as Item;
    // Removing taken items copies the rest of the array. So it happens only when half of the array was taken.
    this.#head += 1;
    if (this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return datagram;
  }
}
