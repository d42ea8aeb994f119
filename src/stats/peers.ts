import { type Datagram, type Endpoint, formatEndpoint } from '../net/index.js';
import { formatRate } from '../output/quantity.js';
import { formatTime } from '../output/time.js';

/** Peers that are counted each by itself; those that come later are counted together. */
export const MAX_PEERS = 1024;
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

  add(other: Counts): void {
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

/** Who sent how much: a row for each of the first 1024 peers, and one for all who came later, so that memory is bounded. */
export class PeerTable {
  readonly #answers: boolean;
  /** Not by the formatted endpoint, which would have to be made for every datagram. */
  readonly #known = new Map<string, Map<number, Peer>>();
  readonly #peers: Peer[] = [];
  readonly #late = new Counts();
  #lastRemote: Endpoint | undefined;
  #lastCounts: Counts = this.#late;

  /** @param answers whether the server answers by itself, so that it is shown how many were answered */
  constructor(answers: boolean) {
    this.#answers = answers;
  }

  /** Peers that have a row of their own. */
  get size(): number {
    return this.#peers.length;
  }

  /** Whether others came when there was no row left. */
  get isFull(): boolean {
    return this.#late.received > 0;
  }

  /** Counts datagrams that were received. */
  count(batch: readonly Datagram[]): void {
    for (const { remote, data, timeMs } of batch) this.#of(remote).count(data.length, timeMs);
  }

  /** Counts one datagram, counted as received before, as answered. */
  answered(remote: Endpoint): void {
    this.#of(remote).answered += 1;
  }

  #of(remote: Endpoint): Counts {
    // A peer sends many datagrams in a row, and the engine gives them the same endpoint.
    if (remote === this.#lastRemote) return this.#lastCounts;
    const counts = this.#find(remote);
    this.#lastRemote = remote;
    this.#lastCounts = counts;
    return counts;
  }

  #find(remote: Endpoint): Counts {
    const ports = this.#known.get(remote.address);
    const known = ports?.get(remote.port);
    if (known !== undefined) return known;
    if (this.#peers.length >= MAX_PEERS) return this.#late;
    const peer = new Peer(remote);
    this.#peers.push(peer);
    if (ports === undefined) this.#known.set(remote.address, new Map([[remote.port, peer]]));
    else ports.set(remote.port, peer);
    return peer;
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
