import { type Endpoint, formatEndpoint } from '../net/index.js';
import { Recent } from './recent.js';
import { MAX_CORRUPTED, MAX_REMEMBERED } from './limits.js';

const WINDOW_MS = 1000;

/**
 * Ends loops between two servers of which one corrupts its answers, so that what goes round is never the same twice, and
 * the {@link LoopGuard} alone would not notice. Signs of a loop are corrupted answers, and datagrams that the loop guard
 * refuses: a peer for which there were more than 100 in a second is not answered for the next, which is the end of
 * whatever was under way.
 */
export class CorruptionGuard {
  readonly #peers: Recent<{ signs: number; sinceMs: number; silentUntilMs: number }>;
  readonly #onLoop: (peer: Endpoint) => void;

  /**
   * @param onLoop called with a peer whenever it is to be left unanswered
   * @param maxPeers that are remembered at once, see {@link Recent}
   */
  constructor(onLoop: (peer: Endpoint) => void, maxPeers = MAX_REMEMBERED) {
    this.#onLoop = onLoop;
    this.#peers = new Recent(maxPeers, 2 * WINDOW_MS);
  }

  /** A sign was seen. */
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

  /** Whether the peer may be answered at `nowMs`. */
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
