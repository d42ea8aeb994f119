import { type Endpoint, formatEndpoint } from '../net/index.js';
import { Recent } from './recent.js';
import { MAX_CORRUPTED, MAX_REMEMBERED } from './limits.js';

const WINDOW_MS = 1000;

/**
 * Ends loops between two servers if one of them corrupts its responses. Each corruption makes a new datagram, and the
 * {@link LoopGuard} sees only repeated ones. There are two signs of such a loop: a corrupted response, and a datagram that
 * the loop guard refuses. After more than 100 signs within a second, the peer gets no response for a second. By then no
 * datagram of the loop is under way any more.
 */
export class CorruptionGuard {
  readonly #peers: Recent<{ signs: number; sinceMs: number; silentUntilMs: number }>;
  readonly #onLoop: (peer: Endpoint) => void;

  /**
   * @param onLoop called with a peer each time that it gets no response for a second
   * @param maxPeers how many peers are remembered, see {@link Recent}
   */
  constructor(onLoop: (peer: Endpoint) => void, maxPeers = MAX_REMEMBERED) {
    this.#onLoop = onLoop;
    this.#peers = new Recent(maxPeers, 2 * WINDOW_MS);
  }

  /** Counts a sign of a loop with this peer. `nowMs` is of any clock that does not go back. */
  suspect(peer: Endpoint, nowMs: number): void {
    const state = this.#stateOf(peer, nowMs);
    if (nowMs - state.sinceMs >= WINDOW_MS) {
      state.signs = 0;
      state.sinceMs = nowMs;
    }
    state.signs += 1;
    if (state.signs <= MAX_CORRUPTED || nowMs < state.silentUntilMs) return;
    state.silentUntilMs = nowMs + WINDOW_MS;
    this.#onLoop(peer);
  }

  /** Whether the peer may get a response at `nowMs`. */
  admits(peer: Endpoint, nowMs: number): boolean {
    return nowMs >= this.#stateOf(peer, nowMs).silentUntilMs;
  }

  #stateOf(peer: Endpoint, nowMs: number): { signs: number; sinceMs: number; silentUntilMs: number } {
    return this.#peers.use(formatEndpoint(peer), nowMs, () => ({
      signs: 0,
      sinceMs: nowMs,
      silentUntilMs: -Infinity,
    }));
  }
}
