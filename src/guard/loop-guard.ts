import { crc32 } from 'node:zlib';
import { type Datagram, formatEndpoint } from '../net/index.js';
import { Recent } from './recent.js';

/** Identical datagrams of one peer that are answered in any second. */
const MAX_IDENTICAL = 100;
const WINDOW_MS = 1000;
/** Different datagrams that are remembered at once, unless another number was asked for. */
const MAX_REMEMBERED = 65_536;

/**
 * Ends loops between two servers that answer each other: the same bytes go round and round, so of identical datagrams from
 * one peer at most 100 are answered in any second. A peer that numbers its datagrams never notices.
 */
export class LoopGuard {
  readonly #answered: Recent<Window>;

  /** @param maxRemembered different datagrams that are remembered at once, see {@link Recent} */
  constructor(maxRemembered = MAX_REMEMBERED) {
    this.#answered = new Recent(maxRemembered, WINDOW_MS);
  }

  /** Whether a datagram that arrived at `nowMs` may be answered; if so, it counts as answered. */
  admits({ remote, data }: Datagram, nowMs: number): boolean {
    const key = `${formatEndpoint(remote)} ${data.length} ${crc32(data)}`;
    return this.#answered.use(key, nowMs, () => new Window()).admits(nowMs);
  }
}

/** When the last answers were given, as many as are allowed in a second. */
class Window {
  readonly #timesMs: number[] = [];
  #oldest = 0;

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
