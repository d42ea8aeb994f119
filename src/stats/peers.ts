import { type Arrivals, type Datagram, type Endpoint, formatEndpoint } from '../net/index.js';
import { formatRate } from '../text/quantity.js';
import { formatTime } from '../text/time.js';

/** Peers that are counted each by itself, unless another number was asked for. */
export const MAX_PEERS = 1024;
/** A peer that was silent for so long makes room for another one, where there is none. */
const EXPIRES_AFTER_MS = 60_000;
/** To look for such peers costs time; where there were none there will be none for a while. */
const LOOKED_FOR_EVERY_MS = 1000;
/** Peers that are shown to people, those who sent most. */
const PEERS_IN_WORDS = 10;
/** Peers that stand in JSON, those who sent most. */
const PEERS_IN_JSON = 100;

/** What one peer sent, or several together. */
class Counts {
  received = 0;
  /** Of all payloads. */
  bytes = 0;
  answered = 0;
  /** Bytes of the smallest and of the largest payload. */
  smallest = Infinity;
  largest = 0;
  /** When the first and the last datagram came, in ms since the epoch. */
  firstMs = Infinity;
  lastMs = -Infinity;

  count(size: number, timeMs: number): void {
    this.received += 1;
    this.bytes += size;
    if (size < this.smallest) this.smallest = size;
    if (size > this.largest) this.largest = size;
    // The system's clock may be set back meanwhile.
    if (timeMs < this.firstMs) this.firstMs = timeMs;
    if (timeMs > this.lastMs) this.lastMs = timeMs;
  }

  add(other: Omit<Counts, 'count' | 'add' | 'perSecond'>): void {
    this.received += other.received;
    this.bytes += other.bytes;
    this.answered += other.answered;
    this.smallest = Math.min(this.smallest, other.smallest);
    this.largest = Math.max(this.largest, other.largest);
    this.firstMs = Math.min(this.firstMs, other.firstMs);
    this.lastMs = Math.max(this.lastMs, other.lastMs);
  }

  /** Datagrams a second from the first to the last; undefined for a single one. */
  get perSecond(): number | undefined {
    const seconds = (this.lastMs - this.firstMs) / 1000;
    return seconds > 0 ? (this.received - 1) / seconds : undefined;
  }
}

class Peer extends Counts {
  readonly remote: Endpoint;

  constructor(remote: Endpoint) {
    super();
    this.remote = remote;
  }
}

/** One row as it stands in JSON. */
export interface PeerFields {
  readonly received: number;
  readonly bytes: number;
  /** Only where the server answers by itself. */
  readonly answered?: number;
  /** Bytes of the smallest and of the largest payload. */
  readonly smallest: number;
  readonly largest: number;
  readonly first: string;
  readonly last: string;
  /** Datagrams a second from the first to the last; absent for a single one. */
  readonly perSecond?: number;
}

/** All peers as they stand in JSON: their rows add up to what was received. */
export interface PeersFields {
  /** At most a hundred, those who sent most first. */
  readonly peers: readonly ({ readonly peer: string } & PeerFields)[];
  /** All others together, if there are any. */
  readonly otherPeers?: {
    readonly count: number;
    /** Whether there may be more of them than `count`. */
    readonly countIsLowerBound: boolean;
  } & PeerFields;
}

/**
 * Who sent how much: a row for each of so many peers, and one for all others together, so that memory is bounded. When
 * the rows are full, peers that were silent for a minute are counted with the others, to make room for new ones.
 */
export class PeerTable {
  readonly #answers: boolean;
  /** Not by the formatted endpoint, which would have to be made for every datagram. */
  readonly #known = new Map<string, Map<number, Peer>>();
  readonly #maxPeers: number;
  #peers: Peer[] = [];
  #lookedForExpiredMs = -Infinity;
  readonly #late = new Counts();
  #lastRemote: Endpoint | undefined;
  #lastCounts: Counts = this.#late;

  /**
   * @param answers whether the server answers by itself, so that it is shown how many were answered
   * @param maxPeers that have a row of their own, from 1
   */
  constructor(answers: boolean, maxPeers = MAX_PEERS) {
    this.#answers = answers;
    this.#maxPeers = maxPeers;
  }

  /** Peers that have a row of their own. */
  get size(): number {
    return this.#peers.length;
  }

  /** Whether there are others, that have no row. */
  get isFull(): boolean {
    return this.#late.received > 0;
  }

  /** Counts datagrams that were received. */
  count(batch: readonly Datagram[]): void {
    for (const { remote, data, timeMs } of batch) this.#of(remote, timeMs).count(data.length, timeMs);
  }

  /** Counts datagrams that arrived together. */
  countTogether({ remote, count, bytes, smallest, largest, timeMs }: Arrivals): void {
    const counts = { received: count, bytes, answered: 0, smallest, largest, firstMs: timeMs, lastMs: timeMs };
    this.#of(remote, timeMs).add(counts);
  }

  /** Counts one datagram, counted as received before, as answered. */
  answered(remote: Endpoint): void {
    this.#of(remote).answered += 1;
  }

  /** @param timeMs when the peer sent something, so that it may get a row; undefined where it did not. */
  #of(remote: Endpoint, timeMs?: number): Counts {
    // A peer sends many datagrams in a row, and the engine gives them the same endpoint.
    if (remote === this.#lastRemote) return this.#lastCounts;
    const counts = this.#find(remote, timeMs);
    this.#lastRemote = remote;
    this.#lastCounts = counts;
    return counts;
  }

  #find(remote: Endpoint, timeMs: number | undefined): Counts {
    const known = this.#known.get(remote.address)?.get(remote.port);
    if (known !== undefined) return known;
    if (timeMs === undefined) return this.#late;
    if (this.#peers.length >= this.#maxPeers) this.#expire(timeMs);
    if (this.#peers.length >= this.#maxPeers) return this.#late;
    const peer = new Peer(remote);
    this.#peers.push(peer);
    this.#know(peer);
    return peer;
  }

  #know(peer: Peer): void {
    const { address, port } = peer.remote;
    const ports = this.#known.get(address);
    if (ports === undefined) this.#known.set(address, new Map([[port, peer]]));
    else ports.set(port, peer);
  }

  #expire(timeMs: number): void {
    // The system's clock may be set back meanwhile.
    if (Math.abs(timeMs - this.#lookedForExpiredMs) < LOOKED_FOR_EVERY_MS) return;
    this.#lookedForExpiredMs = timeMs;
    const isExpired = ({ lastMs }: Peer): boolean => timeMs - lastMs >= EXPIRES_AFTER_MS;
    for (const peer of this.#peers.filter(isExpired)) this.#late.add(peer);
    this.#peers = this.#peers.filter((peer) => !isExpired(peer));
    this.#known.clear();
    for (const peer of this.#peers) this.#know(peer);
    this.#lastRemote = undefined;
  }

  /** Bytes of all payloads. */
  get bytes(): number {
    return this.#peers.reduce((sum, { bytes }) => sum + bytes, this.#late.bytes);
  }

  fields(): PeersFields {
    const { first, others } = this.#ranked(PEERS_IN_JSON);
    return {
      peers: first.map((peer) => ({ peer: formatEndpoint(peer.remote), ...this.#fieldsOf(peer) })),
      ...(others.received > 0 && {
        otherPeers: { ...this.#countOthers(first), ...this.#fieldsOf(others) },
      }),
    };
  }

  /** A line for each of the ten who sent most, and one for all others. */
  describe(): string[] {
    const { first, others } = this.#ranked(PEERS_IN_WORDS);
    const lines = first.map((peer) => `from ${formatEndpoint(peer.remote)}: ${this.#describe(peer)}`);
    if (others.received === 0) return lines;
    const { count, countIsLowerBound } = this.#countOthers(first);
    const whom = `${count} ${count === 1 ? 'other' : 'others'}`;
    return [...lines, `from ${countIsLowerBound ? `at least ${whom}` : whom}: ${this.#describe(others)}`];
  }

  #ranked(most: number): { readonly first: readonly Peer[]; readonly others: Counts } {
    const ranked = this.#peers.toSorted((a, b) => b.received - a.received);
    const others = new Counts();
    for (const peer of ranked.slice(most)) others.add(peer);
    others.add(this.#late);
    return { first: ranked.slice(0, most), others };
  }

  #countOthers(first: readonly Peer[]): { readonly count: number; readonly countIsLowerBound: boolean } {
    return { count: this.size - first.length + (this.isFull ? 1 : 0), countIsLowerBound: this.isFull };
  }

  #fieldsOf(counts: Counts): PeerFields {
    const { received, bytes, answered, smallest, largest, firstMs, lastMs, perSecond } = counts;
    return {
      received,
      bytes,
      ...(this.#answers && { answered }),
      smallest,
      largest,
      first: formatTime(firstMs),
      last: formatTime(lastMs),
      ...(perSecond !== undefined && { perSecond: Math.round(perSecond * 1000) / 1000 }),
    };
  }

  #describe(counts: Counts): string {
    const { received, bytes, answered, smallest, largest, firstMs, lastMs, perSecond } = counts;
    const sizes = smallest === largest ? '' : ` (${smallest} to ${largest} each)`;
    const times = firstMs === lastMs ? formatTime(firstMs) : `${formatTime(firstMs)} to ${formatTime(lastMs)}`;
    return [
      `${received} received`,
      `${bytes} ${bytes === 1 ? 'byte' : 'bytes'}${sizes}`,
      ...(this.#answers ? [`${answered} answered`] : []),
      ...(perSecond === undefined ? [] : [formatRate(perSecond)]),
      times,
    ].join(', ');
  }
}
