import type { Datagram, Endpoint, Run } from '../net/index.js';
import { asRun } from '../net/runs.js';
import { Fingerprint } from './fingerprint.js';
import { FingerprintTable } from './fingerprint-table.js';
import { MAX_IDENTICAL, MAX_REMEMBERED } from './limits.js';

const WINDOW_MS = 1000;
/**
 * Longer payloads are remembered by a sketch until the sketch comes again within a second: to hash all bytes of a large payload takes
 * longer than all else.
 */
const WHOLE_BYTES = 128;

/**
 * Ends loops between two servers that respond to each other. In such a loop the same bytes go round and round: so at most 100
 * identical datagrams from one peer get a response in any second. A peer that numbers its datagrams is not affected.
 */
export class LoopGuard {
  readonly #fingerprint = new Fingerprint();
  readonly #received: FingerprintTable;
  /** For datagrams that came more than once within a second, by their slots in {@link #received}. */
  readonly #windows = new Map<number, Window>();
  /**
   * For sketches that came more than once within a second, by their slots in {@link #received}: when the first came. The datagram of that
   * time is not remembered whole. So it counts towards the 100 of each datagram with this sketch.
   */
  readonly #sketches = new Map<number, number>();
  readonly #wholeBytes: number;
  /** Of each datagram of a run: its hash, its slot in {@link #received}, and when the same hash came before. */
  #hashes = new Int32Array(0);
  #slots = new Int32Array(0);
  #lastMs = new Float64Array(0);
  #sweptMs = 0;

  /**
   * @param maxRemembered how many different datagrams are remembered, see {@link FingerprintTable}
   * @param wholeBytes the size up to which payloads are remembered whole. {@link knows} may say no to a longer one that came.
   */
  constructor(maxRemembered = MAX_REMEMBERED, wholeBytes = WHOLE_BYTES) {
    this.#received = new FingerprintTable(maxRemembered);
    this.#wholeBytes = wholeBytes;
  }

  /** Whether a datagram that arrived at `nowMs` may get a response. If so, the response counts towards the 100. */
  admits(datagram: Datagram, nowMs: number): boolean {
    return this.declinedOf(asRun(datagram), nowMs).length === 0;
  }

  /**
   * Returns which datagrams of a run that arrived at `nowMs` get no response: their places in the run, in order. The responses to
   * the others count towards the 100.
   */
  declinedOf(run: Run, nowMs: number): readonly number[] {
    const { count } = run;
    if (nowMs - this.#sweptMs >= WINDOW_MS) this.#sweep(nowMs);
    if (this.#slots.length < count) this.#makeRoom(count);
    const lastMs = this.#lastMs;
    // All hashes first, then all look-ups: while the processor waits for the memory of one, it begins the next.
    this.#fingerprint.hashRun(run, this.#wholeBytes, this.#hashes);
    this.#received.useAll(this.#hashes, count, nowMs, this.#slots, lastMs);
    const declined: number[] = [];
    for (let nth = 0; nth < count; nth += 1) {
      const slot = this.#slots[nth] as number;
      if (nowMs - (lastMs[nth] as number) >= WINDOW_MS) this.#forget(slot);
      else if (!this.#admitsAgain(run, nth, slot, nowMs)) declined.push(nth);
    }
    return declined;
  }

  #makeRoom(count: number): void {
    this.#hashes = new Int32Array(2 * count);
    this.#slots = new Int32Array(count);
    this.#lastMs = new Float64Array(count);
  }

  /** The fingerprint in this slot came the first time within a second. */
  #forget(slot: number): void {
    // Mostly the maps are empty, and to look for the slot takes longer.
    if (this.#windows.size > 0) this.#windows.delete(slot);
    if (this.#sketches.size > 0) this.#sketches.delete(slot);
  }

  /** Whether a datagram gets a response whose fingerprint, in this slot, came within the last second. */
  #admitsAgain({ remote, bytes, segmentBytes }: Run, nth: number, slot: number, nowMs: number): boolean {
    const lastMs = this.#lastMs[nth] as number;
    const from = nth * segmentBytes;
    const to = Math.min(from + segmentBytes, bytes.length);
    if (to - from <= this.#wholeBytes) return this.#windowOf(slot, [lastMs]).admits(nowMs);
    let sketchMs = this.#sketches.get(slot);
    if (sketchMs === undefined) {
      sketchMs = lastMs;
      this.#sketches.set(slot, lastMs);
    }
    this.#fingerprint.setDatagram(remote, bytes, from, to);
    const received = this.#received;
    const whole = received.find(this.#fingerprint);
    if (whole < 0) {
      this.#forget(received.add(this.#fingerprint, nowMs));
      return true;
    }
    const wholeMs = received.usedMs(whole);
    received.use(whole, nowMs);
    if (nowMs - wholeMs >= WINDOW_MS) {
      this.#forget(whole);
      return true;
    }
    return this.#windowOf(whole, [sketchMs, wholeMs]).admits(nowMs);
  }

  /** @param firstMs the times of the responses before, if the slot has no window yet */
  #windowOf(slot: number, firstMs: number[]): Window {
    let window = this.#windows.get(slot);
    if (window === undefined) {
      window = new Window(firstMs);
      this.#windows.set(slot, window);
    }
    return window;
  }

  /** Whether the guard remembers a datagram with these bytes from this peer. */
  knows(peer: Endpoint, data: Uint8Array): boolean {
    this.#fingerprint.setDatagram(peer, data);
    return this.#received.find(this.#fingerprint) >= 0;
  }

  /** Removes the windows and sketches of datagrams that did not come for a second. */
  #sweep(nowMs: number): void {
    for (const slots of [this.#windows, this.#sketches]) {
      for (const slot of slots.keys()) {
        if (nowMs - this.#received.usedMs(slot) >= WINDOW_MS) slots.delete(slot);
      }
    }
    this.#sweptMs = nowMs;
  }
}

/** The times of the last responses to one datagram: a ring of as many as are allowed in a second. */
class Window {
  readonly #timesMs: number[];
  #oldest = 0;

  /** @param timesMs when the first responses were given, in order */
  constructor(timesMs: number[]) {
    this.#timesMs = timesMs;
  }

  admits(nowMs: number): boolean {
    if (this.#timesMs.length < MAX_IDENTICAL) {
      this.#timesMs.push(nowMs);
      return true;
    }
    const oldestMs = this.#timesMs[this.#oldest] ?? 0;
    if (nowMs - oldestMs < WINDOW_MS) return false;
    this.#timesMs[this.#oldest] = nowMs;
    this.#oldest = (this.#oldest + 1) % MAX_IDENTICAL;
    return true;
  }
}
