import { type Endpoint, formatEndpoint } from '../net/index.js';

/** How many peers are remembered. The peer that was silent for longest is forgotten first, and counts from 1 again. */
const MAX_PEERS = 65_536;

/** Counts datagrams by peer. */
export class Numbering {
  readonly #counts = new Map<string, number>();

  /** Returns the number of the next datagram to a peer, from 1. */
  next(peer: Endpoint): number {
    const key = formatEndpoint(peer);
    const nth = 1 + (this.#counts.get(key) ?? 0);
    this.#counts.delete(key);
    this.#counts.set(key, nth);
    if (this.#counts.size > MAX_PEERS) {
      const [oldest = ''] = this.#counts.keys();
      this.#counts.delete(oldest);
    }
    return nth;
  }
}
