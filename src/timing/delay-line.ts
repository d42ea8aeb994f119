import { type Endpoint, formatEndpoint, type Outgoing } from '../net/index.js';
import { Alarm } from './alarm.js';

/** Datagrams that wait at once. */
export const MAX_WAITING = 65_536;
/** Bytes of their payloads. */
export const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** How long a datagram waits at most for another one to the same peer that goes before it. */
export const MAX_HELD_BACK_MS = 250;
/** How many are released at once, so that those that the kernel has no room for wait here, where they are counted. */
const MAX_RELEASED = 1024;

interface Waiting<Item> {
  /** Undefined once it was taken out. */
  outgoing: Item | undefined;
  readonly dueMs: number;
  /** By which those that are due at the same moment are ordered. */
  readonly order: number;
  /** Whether it waits for another one. */
  readonly heldBack: boolean;
}

/** A datagram that waited for another one, and when it would have been due by itself. */
export interface Overtaken<Item> {
  readonly outgoing: Item;
  readonly dueMs: number;
}

/** Datagrams that are to leave later: a heap with one timer, bounded in number and in memory. Moments are those of `performance.now()`. */
export class DelayLine<Item extends Outgoing> {
  readonly #release: (due: readonly Item[]) => Promise<void>;
  #heap: Waiting<Item>[] = [];
  /** By peer. */
  readonly #heldBack = new Map<string, Set<Waiting<Item>>>();
  readonly #alarm = new Alarm(() => {
    void this.#releaseDue();
  });
  #orders = 0;
  #size = 0;
  #bytes = 0;
  #releasing = false;
  #hurried = false;
  #whenEmpty: (() => void)[] = [];

  /** @param release called with what is due, in order, and not again before its promise has settled. It must not reject. */
  constructor(release: (due: readonly Item[]) => Promise<void>) {
    this.#release = release;
  }

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /** Has a datagram leave at that moment; false if there is no room for it. */
  add(outgoing: Item, dueMs: number): boolean {
    return this.#put(outgoing, dueMs, false);
  }

  /** Has a datagram leave after the next one to its peer, see {@link overtake}, or `MAX_HELD_BACK_MS` after that moment. */
  holdBack(outgoing: Item, dueMs: number): boolean {
    return this.#put(outgoing, dueMs + MAX_HELD_BACK_MS, true);
  }

  /** Takes out what was held back until another datagram leaves to this peer, in order. */
  overtake(remote: Endpoint): readonly Overtaken<Item>[] {
    if (this.#heldBack.size === 0) return [];
    const peer = formatEndpoint(remote);
    const all = this.#heldBack.get(peer) ?? [];
    this.#heldBack.delete(peer);
    return [...all].flatMap((waiting) => {
      const outgoing = this.#takeOut(waiting);
      return outgoing === undefined ? [] : [{ outgoing, dueMs: waiting.dueMs - MAX_HELD_BACK_MS }];
    });
  }

  /** Resolves once nothing waits any more. */
  empty(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenEmpty.push(resolve);
      this.#settle();
    });
  }

  /** Releases everything now, in the order in which it would have been due. */
  hurry(): void {
    this.#hurried = true;
    this.#alarm.stop();
    if (!this.#releasing) void this.#releaseDue();
  }

  /** Gives up what is due after that moment; returns how many those are. */
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
    if (outgoing !== undefined && waiting.heldBack) this.#waitsNoMore(waiting, outgoing.remote);
  }

  /** Releases nothing more; returns how many are given up. */
  stop(): number {
    return this.cut(-Infinity);
  }

  #put(outgoing: Item, dueMs: number, heldBack: boolean): boolean {
    const { data, remote } = outgoing;
    // What was taken out of the middle takes up room until its moment.
    if (this.#heap.length >= MAX_WAITING || this.#bytes + data.length > MAX_WAITING_BYTES) return false;
    // A part of a larger buffer would keep all of it in memory.
    const own = data.length < data.buffer.byteLength ? new Uint8Array(data) : data;
    const waiting = { outgoing: { ...outgoing, data: own }, dueMs, order: this.#orders++, heldBack };
    push(this.#heap, waiting);
    this.#size += 1;
    this.#bytes += data.length;
    if (heldBack) {
      const peer = formatEndpoint(remote);
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

  async #releaseDue(): Promise<void> {
    this.#releasing = true;
    for (let due = this.#takeDue(); due.length > 0; due = this.#takeDue()) await this.#release(due);
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
      if (first.heldBack) this.#waitsNoMore(first, outgoing.remote);
      due.push(outgoing);
    }
    return due;
  }

  #waitsNoMore(waiting: Waiting<Item>, remote: Endpoint): void {
    const peer = formatEndpoint(remote);
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

/** Puts one into a binary heap whose first is the one that is due first. */
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

/** Takes the first out of a heap that is not empty. */
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
