import type { Datagram, Endpoint } from '../net/index.js';
import { Fingerprint } from './fingerprint.js';
import { FingerprintTable } from './fingerprint-table.js';
import { MAX_IDENTICAL, MAX_REMEMBERED } from './limits.js';

const WINDOW_MS = 1000;

/**
 * Ends loops between two servers that respond to each other. In such a loop the same bytes go round and round: so at most 100
 * identical datagrams from one peer get a response in any second. A peer that numbers its datagrams is not affected.
 */
export class LoopGuard {
  readonly #fingerprint = new Fingerprint();
  readonly #received: FingerprintTable;
  /** For datagrams that came more than once within a second, by their slots in {@link #received}. */
  readonly #windows = new Map<number, Window>();
  #sweptMs = 0;

  /** @param maxRemembered how many different datagrams are remembered, see {@link FingerprintTable} */
  constructor(maxRemembered = MAX_REMEMBERED) {
    this.#received = new FingerprintTable(maxRemembered);
  }

  /** Whether a datagram that arrived at `nowMs` may get a response. If so, the response counts towards the 100. */
  admits({ remote, data }: Datagram, nowMs: number): boolean {
    return this.admitsPart(remote, data, 0, data.length, nowMs);
  }

  /** {@link admits}, for a datagram that stands in `payloads` from `from` to before `to`. */
  admitsPart(remote: Endpoint, payloads: Uint8Array, from: number, to: number, nowMs: number): boolean {
    this.#fingerprint.setDatagram(remote, payloads, from, to);
    return this.#admitsFingerprint(nowMs);
  }

  #admitsFingerprint(nowMs: number): boolean {
    if (nowMs - this.#sweptMs >= WINDOW_MS) this.#sweep(nowMs);
    const slot = this.#received.find(this.#fingerprint);
    if (slot < 0) {
      this.#endWindow(this.#received.add(this.#fingerprint, nowMs));
      return true;
    }
    const lastMs = this.#received.usedMs(slot);
    this.#received.use(slot, nowMs);
    if (nowMs - lastMs >= WINDOW_MS) {
      this.#endWindow(slot);
      return true;
    }
    let window = this.#windows.get(slot);
    if (window === undefined) {
      window = new Window(lastMs);
      this.#windows.set(slot, window);
    }
    return window.admits(nowMs);
  }

  #endWindow(slot: number): void {
    // Mostly there are no windows, and to look for one in the map takes longer.
    if (this.#windows.size > 0) this.#windows.delete(slot);
  }

  /** Whether the guard remembers a datagram with these bytes from this peer. */
  knows(peer: Endpoint, data: Uint8Array): boolean {
    this.#fingerprint.setDatagram(peer, data);
    return this.#received.find(this.#fingerprint) >= 0;
  }

  /** Removes the windows of datagrams that did not come for a second. */
  #sweep(nowMs: number): void {
    for (const slot of this.#windows.keys()) {
      if (nowMs - this.#received.usedMs(slot) >= WINDOW_MS) this.#windows.delete(slot);
    }
    this.#sweptMs = nowMs;
  }
}

/** The times of the last responses to one datagram: a ring of as many as are allowed in a second. */
class Window {
  readonly #timesMs: number[];
  #oldest = 0;

  /** @param firstMs when the first response was given */
  constructor(firstMs: number) {
    this.#timesMs = [firstMs];
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
