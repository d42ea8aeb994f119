import { formatEndpoint, type Outgoing } from '../net/index.js';
import { Alarm } from './alarm.js';

/** How many datagrams wait at most. */
export const MAX_WAITING = 65_536;
/** How many bytes of payload wait at most. */
export const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** How long a datagram is held back at most for the next datagram to the same peer, in milliseconds. */
export const MAX_HELD_BACK_MS = 250;
/** How many datagrams are released at once. If the kernel has no room for them, the others still count as waiting. */
const MAX_RELEASED = 1024;

interface Waiting<Item> {
  /** The datagram. Undefined once it was taken out of the line. */
  outgoing: Item | undefined;
  readonly dueMs: number;
  /** Orders datagrams that are due at the same moment: the smaller number leaves first. */
  readonly order: number;
  /** Whether it waits for the next datagram to its peer. */
  readonly heldBack: boolean;
}

/** A datagram that was held back and has been overtaken by the next one. */
export interface Overtaken<Item> {
  readonly outgoing: Item;
  /** When it was due without being held back, by `performance.now()`. */
  readonly dueMs: number;
}

/** Options of a {@link DelayLine}. */
export interface DelayLineOptions<Item> {
  /** Returns the conversation of a datagram, for {@link DelayLine.overtake}. Default, and for undefined: its peer. */
  readonly flowOf?: (outgoing: Item) => object | undefined;
  /** Called with each datagram that is discarded. */
  readonly onGivenUp?: (outgoing: Item) => void;
}

/**
 * Datagrams that leave later: a heap ordered by the moment, with one timer, and bounded in number and bytes. Moments
 * are those of `performance.now()`, in milliseconds.
 */
export class DelayLine<Item extends Outgoing> {
  readonly #release: (due: readonly Item[]) => Promise<void> | undefined;
  readonly #options: DelayLineOptions<Item>;
  #heap: Waiting<Item>[] = [];
  /** The datagrams held back, by peer. */
  readonly #heldBack = new Map<unknown, Set<Waiting<Item>>>();
  readonly #alarm = new Alarm(() => {
    this.#releaseDue();
  }, true);
  #orders = 0;
  #size = 0;
  #bytes = 0;
  #releasing = false;
  #hurried = false;
  #whenEmpty: (() => void)[] = [];

  /**
   * @param release Called with the datagrams that are due, in order, and again only after its promise has settled. The
   * promise must not reject. Undefined: all of them have left.
   */
  constructor(release: (due: readonly Item[]) => Promise<void> | undefined, options: DelayLineOptions<Item> = {}) {
    this.#release = release;
    this.#options = options;
  }

  /** The datagrams of one peer, or of one conversation, overtake each other. */
  #peerOf(outgoing: Item): unknown {
    return this.#options.flowOf?.(outgoing) ?? formatEndpoint(outgoing.remote);
  }

  /** How many datagrams wait. */
  get size(): number {
    return this.#size;
  }

  /** Adds a datagram that leaves at `dueMs`. Returns false if there is no room for it. */
  add(outgoing: Item, dueMs: number): boolean {
    return this.#put(outgoing, dueMs, false);
  }

  /**
   * Adds a datagram that the next one to its peer overtakes, see {@link overtake}. Without a next one it leaves
   * `MAX_HELD_BACK_MS` after `dueMs`. Returns false if there is no room for it.
   */
  holdBack(outgoing: Item, dueMs: number): boolean {
    return this.#put(outgoing, dueMs + MAX_HELD_BACK_MS, true);
  }

  /**
   * Removes the datagrams that were held back for the next one to the peer of `next`, and returns them in order. Call it when
   * that next one leaves.
   */
  overtake(next: Item): readonly Overtaken<Item>[] {
    if (this.#heldBack.size === 0) return [];
    const peer = this.#peerOf(next);
    const all = this.#heldBack.get(peer) ?? [];
    this.#heldBack.delete(peer);
    return [...all].flatMap((waiting) => {
      const outgoing = this.#takeOut(waiting);
      return outgoing === undefined ? [] : [{ outgoing, dueMs: waiting.dueMs - MAX_HELD_BACK_MS }];
    });
  }

  /** Resolves when no datagram waits any more. */
  empty(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenEmpty.push(resolve);
      this.#settle();
    });
  }

  /** Releases all datagrams now, in the order of their moments. */
  hurry(): void {
    this.#hurried = true;
    this.#alarm.stop();
    if (!this.#releasing) this.#releaseDue();
  }

  /** Discards the datagrams that are due after `untilMs`. Returns their number. */
  cut(untilMs: number): number {
    const size = this.#size;
    const all = this.#heap;
    this.#heap = [];
    for (const waiting of all) {
      if (waiting.dueMs <= untilMs) push(this.#heap, waiting);
      else this.#giveUp(waiting);
    }
    if (!this.#releasing) this.#setAlarm();
    this.#settle();
    return size - this.#size;
  }

  #giveUp(waiting: Waiting<Item>): void {
    const outgoing = this.#takeOut(waiting);
    if (outgoing === undefined) return;
    if (waiting.heldBack) this.#waitsNoMore(waiting, outgoing);
    this.#options.onGivenUp?.(outgoing);
  }

  /** Discards all datagrams. Returns their number. */
  stop(): number {
    return this.cut(-Infinity);
  }

  #put(outgoing: Item, dueMs: number, heldBack: boolean): boolean {
    const { data } = outgoing;
    // A datagram that was overtaken leaves an empty place in the heap until its moment, and the place counts.
    if (this.#heap.length >= MAX_WAITING || this.#bytes + data.length > MAX_WAITING_BYTES) return false;
    // Copy the payload: a view of a larger buffer would keep the whole buffer in memory.
    const own = data.length < data.buffer.byteLength ? new Uint8Array(data) : data;
    const waiting = { outgoing: { ...outgoing, data: own }, dueMs, order: this.#orders++, heldBack };
    push(this.#heap, waiting);
    this.#size += 1;
    this.#bytes += data.length;
    if (heldBack) {
      const peer = this.#peerOf(outgoing);
      const others = this.#heldBack.get(peer);
      if (others === undefined) this.#heldBack.set(peer, new Set([waiting]));
      else others.add(waiting);
    }
    if (this.#heap[0] === waiting && !this.#releasing) this.#alarm.set(dueMs - performance.now());
    return true;
  }

  #takeOut(waiting: Waiting<Item>): Item | undefined {
    const { outgoing } = waiting;
    if (outgoing === undefined) return undefined;
    waiting.outgoing = undefined;
    this.#size -= 1;
    this.#bytes -= outgoing.data.length;
    return outgoing;
  }

  #releaseDue(): void {
    this.#releasing = true;
    for (let due = this.#takeDue(); due.length > 0; due = this.#takeDue()) {
      const released = this.#release(due);
      if (released !== undefined) {
        void released.then(() => {
          this.#releaseDue();
        });
        return;
      }
    }
    this.#releasing = false;
    this.#setAlarm();
    this.#settle();
  }

  #setAlarm(): void {
    const [next] = this.#heap;
    if (next === undefined) this.#alarm.stop();
    else this.#alarm.set(next.dueMs - performance.now());
  }

  #takeDue(): readonly Item[] {
    const untilMs = this.#hurried ? Infinity : performance.now();
    const due: Item[] = [];
    for (let [first] = this.#heap; first !== undefined && first.dueMs <= untilMs; [first] = this.#heap) {
      if (due.length >= MAX_RELEASED) break;
      pop(this.#heap);
      const outgoing = this.#takeOut(first);
      if (outgoing === undefined) continue;
      if (first.heldBack) this.#waitsNoMore(first, outgoing);
      due.push(outgoing);
    }
    return due;
  }

  #waitsNoMore(waiting: Waiting<Item>, outgoing: Item): void {
    const peer = this.#peerOf(outgoing);
    const all = this.#heldBack.get(peer);
    all?.delete(waiting);
    if (all?.size === 0) this.#heldBack.delete(peer);
  }

  #settle(): void {
    if (this.#size > 0 || this.#releasing) return;
    for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }
}

function isBefore(a: Waiting<unknown>, b: Waiting<unknown>): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}

/** Adds an entry to a binary heap. The first entry of the heap is due first. */
function push<Item>(heap: Waiting<Item>[], waiting: Waiting<Item>): void {
  let at = heap.length;
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above] as Waiting<Item>;
    if (!isBefore(waiting, parent)) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = waiting;
}

/** Removes the first entry of a heap that is not empty. */
function pop<Item>(heap: Waiting<Item>[]): void {
  const last = heap.pop() as Waiting<Item>;
  const { length } = heap;
  if (length === 0) return;
  let at = 0;
  for (let below = 1; below < length; below = 2 * at + 1) {
    if (below + 1 < length && isBefore(heap[below + 1] as Waiting<Item>, heap[below] as Waiting<Item>)) below += 1;
    const child = heap[below] as Waiting<Item>;
    if (isBefore(last, child)) break;
    heap[at] = child;
    at = below;
  }
  heap[at] = last;
}
