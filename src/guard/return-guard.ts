import type { Datagram, Endpoint } from '../net/index.js';
import { Fingerprint } from './fingerprint.js';
import { FingerprintTable } from './fingerprint-table.js';
import type { LoopGuard } from './loop-guard.js';
import { MAX_REMEMBERED } from './limits.js';

/** How many new responses a peer may send back in a row. */
const MAX_RETURNED = 32;
/** A response that comes back later than this does not count as sent back. */
const WINDOW_MS = 1000;

/**
 * Ends loops that never repeat a datagram, for example between a server that counts and a server that echoes. The
 * {@link LoopGuard} sees only repeated datagrams.
 *
 * A sign of such a loop is a new response that the peer sends back: one that neither side had sent before. After 32 signs
 * in a row, responses that come back get no response for a second. By then no datagram of the loop is under way any more.
 * Any other datagram from the peer ends the row, and always gets a response.
 */
export class ReturnGuard {
  readonly #loopGuard: LoopGuard;
  readonly #onLoop: (peer: Endpoint) => void;
  readonly #fingerprint = new Fingerprint();
  readonly #sent: FingerprintTable;
  /** By slot of {@link #sent}: 1 for a response that was new, and has not come back yet. */
  readonly #isNew: Uint8Array;
  readonly #peers: FingerprintTable;
  /** By slot of {@link #peers}: how many new responses came back in a row. */
  readonly #returned: Uint8Array;
  /** By slot of {@link #peers}: until when returned responses get no response. */
  readonly #silentUntilMs: Float64Array;

  /**
   * @param loopGuard the loop guard of the same server, which knows the datagrams of the peers
   * @param onLoop called with a peer each time that returned responses get no response for a second
   * @param maxRemembered how many peers, and how many responses, are remembered, see {@link FingerprintTable}
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

  /** Notes that a response is sent to a peer at `nowMs`. */
  sent(peer: Endpoint, data: Uint8Array, nowMs: number): void {
    // The peer sent these bytes first, for example to an echo server. It may send them again.
    if (this.#loopGuard.knows(peer, data)) return;
    this.#fingerprint.setDatagram(peer, data);
    const known = this.#sent.find(this.#fingerprint);
    const slot = known < 0 ? this.#sent.add(this.#fingerprint, nowMs) : known;
    if (known < 0 || nowMs - this.#sent.usedMs(slot) >= WINDOW_MS) this.#isNew[slot] = 1;
    this.#sent.use(slot, nowMs);
  }

  /** Whether a datagram that arrived at `nowMs` may get a response. Call it before the loop guard sees the datagram. */
  admits({ remote, data }: Datagram, nowMs: number): boolean {
    this.#fingerprint.setDatagram(remote, data);
    const response = this.#sent.find(this.#fingerprint);
    this.#fingerprint.setPeer(remote);
    const known = this.#peers.find(this.#fingerprint);
    if (response < 0 || nowMs - this.#sent.usedMs(response) >= WINDOW_MS) {
      if (known >= 0) this.#returned[known] = 0;
      return true;
    }
    const isNew = this.#isNew[response] === 1;
    this.#isNew[response] = 0;
    this.#sent.use(response, nowMs);
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
