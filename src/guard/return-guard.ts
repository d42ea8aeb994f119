import type { Datagram, Endpoint } from '../net/index.js';
import { Fingerprint } from './fingerprint.js';
import { FingerprintTable } from './fingerprint-table.js';
import type { LoopGuard } from './loop-guard.js';
import { MAX_REMEMBERED } from './limits.js';

/** How many new answers a peer may send back, and nothing else in between. */
const MAX_RETURNED = 32;
/** Within this time an answer comes back, or is forgotten. */
const WINDOW_MS = 1000;

/**
 * Ends loops with a server that sends back what it gets, where this one's answers are ever new, such as a number that it
 * counts up, so that the {@link LoopGuard} of neither sees anything twice. An answer that neither had sent before, and
 * that the peer sends back, is a sign of that. After 32 of them in a row no answer that comes back is answered for a
 * second, which is the end of whatever was under way. What the peer says by itself ends the row, and is always answered.
 */
export class ReturnGuard {
  readonly #loopGuard: LoopGuard;
  readonly #onLoop: (peer: Endpoint) => void;
  readonly #fingerprint = new Fingerprint();
  readonly #sent: FingerprintTable;
  /** By slot of {@link #sent}: 1 for an answer that was new, and has not come back yet. */
  readonly #isNew: Uint8Array;
  readonly #peers: FingerprintTable;
  /** By slot of {@link #peers}. */
  readonly #returned: Uint8Array;
  readonly #silentUntilMs: Float64Array;

  /**
   * @param loopGuard that has seen what came from the peers
   * @param onLoop called with a peer whenever it is to be left unanswered
   * @param maxRemembered peers, and answers, that are remembered at once, see {@link FingerprintTable}
   */
  constructor(loopGuard: LoopGuard, onLoop: (peer: Endpoint) => void, maxRemembered = MAX_REMEMBERED) {
    this.#loopGuard = loopGuard;
    this.#onLoop = onLoop;
    this.#sent = new FingerprintTable(maxRemembered);
    this.#isNew = new Uint8Array(this.#sent.slots);
    this.#peers = new FingerprintTable(maxRemembered);
    this.#returned = new Uint8Array(this.#peers.slots);
    this.#silentUntilMs = new Float64Array(this.#peers.slots);
  }

  /** An answer is sent at `nowMs`. */
  sent(peer: Endpoint, data: Uint8Array, nowMs: number): void {
    // The peer's own words, which it may say again.
    if (this.#loopGuard.knows(peer, data)) return;
    this.#fingerprint.setDatagram(peer, data);
    const known = this.#sent.find(this.#fingerprint);
    const slot = known < 0 ? this.#sent.add(this.#fingerprint, nowMs) : known;
    if (known < 0 || nowMs - this.#sent.usedMs(slot) >= WINDOW_MS) this.#isNew[slot] = 1;
    this.#sent.use(slot, nowMs);
  }

  /** Whether a datagram that arrived at `nowMs`, and that the loop guard has not seen yet, may be answered. */
  admits({ remote, data }: Datagram, nowMs: number): boolean {
    this.#fingerprint.setDatagram(remote, data);
    const answer = this.#sent.find(this.#fingerprint);
    this.#fingerprint.setPeer(remote);
    const known = this.#peers.find(this.#fingerprint);
    if (answer < 0 || nowMs - this.#sent.usedMs(answer) >= WINDOW_MS) {
      if (known >= 0) this.#returned[known] = 0;
      return true;
    }
    const isNew = this.#isNew[answer] === 1;
    this.#isNew[answer] = 0;
    this.#sent.use(answer, nowMs);
    const peer = known < 0 ? this.#peers.add(this.#fingerprint, nowMs) : known;
    if (known < 0 || nowMs - this.#peers.usedMs(peer) >= WINDOW_MS) {
      this.#returned[peer] = 0;
      this.#silentUntilMs[peer] = 0;
    }
    this.#peers.use(peer, nowMs);
    if (nowMs < (this.#silentUntilMs[peer] ?? 0)) return false;
    if (!isNew) return true;
    const returned = (this.#returned[peer] ?? 0) + 1;
    this.#returned[peer] = returned % (MAX_RETURNED + 1);
    if (returned <= MAX_RETURNED) return true;
    this.#silentUntilMs[peer] = nowMs + WINDOW_MS;
    this.#onLoop(remote);
    return false;
  }
}
