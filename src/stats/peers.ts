import { type Arrivals, type Datagram, type Endpoint, formatEndpoint } from '../net/index.js';
import { percentOf } from '../check/percent.js';
import { formatRate } from '../text/quantity.js';
import { formatTime } from '../text/time.js';
import { describeCounts } from './counts-in-words.js';
import { addCounts, NumberedPeer } from './numbered-peer.js';
import type { NumberedCounts } from './numbered-run.js';
import type { Flow } from './rate.js';

/** How many peers have a row of their own, unless `--max-peers` sets another number. */
export const MAX_PEERS = 1024;
/** In a full table, a peer that was silent for this long loses its row to a new peer. */
const EXPIRES_AFTER_MS = 60_000;
/** A full table looks for silent peers at most once in this time, because the search takes long. */
const LOOKED_FOR_EVERY_MS = 1000;
/** How many peers have a line for people. */
const PEERS_IN_WORDS = 10;
/** How many peers stand in JSON. */
const PEERS_IN_JSON = 100;
/** How many gaps in the numbers of payloads are remembered for each run of a peer. With more peers than usual they are fewer. */
const MAX_GAPS = 512;
const MIN_GAPS = 16;

/** The datagrams of one peer, or of several peers together. */
class Counts {
  received = 0;
  /** Bytes of all payloads. */
  bytes = 0;
  /** Responses that were sent. */
  responses = 0;
  /** Bytes of the smallest and of the largest payload. */
  smallest = Infinity;
  largest = 0;
  /** When the first and the last datagram came, in ms since the epoch. */
  firstMs = Infinity;
  lastMs = -Infinity;
  /** A datagram that comes at this time or later is to be read by {@link read} before it is counted. */
  readFromMs = Infinity;
  /** Reads numbered payloads. Undefined: no datagram is read. */
  protected numbers: NumberedPeer | undefined;
  /** The counts of numbered payloads that {@link merge} added. */
  #numbered: NumberedCounts | undefined;

  /** What the numbers of payloads show. Undefined if no payload had a number. */
  get numbered(): NumberedCounts | undefined {
    return addCounts([this.#numbered, this.numbers?.counts]);
  }

  /**
   * Reads a datagram that is not counted yet. It stands in `bytes` from `from` to before `to`.
   *
   * @param uncounted how many datagrams of the peer came before it and are not counted yet
   */
  read(bytes: Uint8Array, from: number, to: number, timeMs: number, uncounted = 0): void {
    if (this.numbers === undefined) return;
    const lastMs = uncounted === 0 ? this.lastMs : timeMs;
    this.readFromMs = this.numbers.read(bytes, from, to, timeMs, this.received + uncounted, lastMs);
  }

  count(size: number, timeMs: number): void {
    this.received += 1;
    this.bytes += size;
    if (size < this.smallest) this.smallest = size;
    if (size > this.largest) this.largest = size;
    // The system clock may be set back between two datagrams.
    if (timeMs < this.firstMs) this.firstMs = timeMs;
    if (timeMs > this.lastMs) this.lastMs = timeMs;
  }

  /** Adds the counts of datagrams. */
  add(other: Sums): void {
    this.received += other.received;
    this.bytes += other.bytes;
    this.responses += other.responses;
    this.smallest = Math.min(this.smallest, other.smallest);
    this.largest = Math.max(this.largest, other.largest);
    this.firstMs = Math.min(this.firstMs, other.firstMs);
    this.lastMs = Math.max(this.lastMs, other.lastMs);
  }

  /** Adds all counts of a peer. */
  merge(other: Counts): void {
    this.add(other);
    this.#numbered = addCounts([this.#numbered, other.numbered]);
  }

  /** Datagrams a second from the first to the last; undefined for a single one. */
  get perSecond(): number | undefined {
    const seconds = (this.lastMs - this.firstMs) / 1000;
    return seconds > 0 ? (this.received - 1) / seconds : undefined;
  }
}

type Sums = Pick<Counts, 'received' | 'bytes' | 'responses' | 'smallest' | 'largest' | 'firstMs' | 'lastMs'>;

class Peer extends Counts {
  readonly remote: Endpoint;

  constructor(remote: Endpoint, maxGaps: number) {
    super();
    this.remote = remote;
    this.numbers = new NumberedPeer(maxGaps);
    this.readFromMs = -Infinity;
  }
}

/** One row of the table as it stands in JSON. */
export interface PeerFields {
  readonly received: number;
  readonly bytes: number;
  /** Responses that were sent. Absent if the server does not respond by itself. */
  readonly answered?: number;
  /** Bytes of the smallest and of the largest payload. */
  readonly smallest: number;
  readonly largest: number;
  /** When the first and the last datagram came, in RFC 3339. */
  readonly first: string;
  readonly last: string;
  /** Datagrams a second from the first to the last; absent for a single one. */
  readonly perSecond?: number;
  /** Numbered payloads: see {@link NumberedCounts}. Absent if the peer sent none. */
  readonly lost?: number;
  /** The lost payloads in percent. */
  readonly lossPercent?: number;
  readonly duplicated?: number;
  readonly reordered?: number;
  readonly corrupted?: number;
}

/** The table as it stands in JSON. The rows add up to the totals of the run. */
export interface PeersFields {
  /** The 100 peers with the most datagrams, in this order. */
  readonly peers: readonly ({ readonly peer: string } & PeerFields)[];
  /** All other peers together. Absent if there are none. */
  readonly otherPeers?: {
    readonly count: number;
    /** Whether there may be more peers than `count`. */
    readonly countIsLowerBound: boolean;
  } & PeerFields;
}

/**
 * Counts the datagrams of each peer. The number of rows is bounded, and one more row counts all other peers together. If the
 * table is full, a peer that was silent for a minute loses its row to a new peer; its counts move to the row of the others.
 */
export class PeerTable {
  readonly #responds: boolean;
  /** By address and port. The formatted endpoint is no key, because to format it for every datagram takes too long. */
  readonly #known = new Map<string, Map<number, Peer>>();
  readonly #maxPeers: number;
  readonly #maxGaps: number;
  #peers: Peer[] = [];
  #lookedForExpiredMs = -Infinity;
  /** All peers without a row of their own. */
  readonly #others = new Counts();
  #lastRemote: Endpoint | undefined;
  #lastCounts: Counts = this.#others;

  /**
   * @param responds whether the server responds by itself. Only then responses are shown.
   * @param maxPeers how many peers have a row of their own, at least 1
   */
  constructor(responds: boolean, maxPeers = MAX_PEERS) {
    this.#responds = responds;
    this.#maxPeers = maxPeers;
    this.#maxGaps = Math.max(MIN_GAPS, Math.min(MAX_GAPS, Math.floor((MAX_GAPS * MAX_PEERS) / maxPeers)));
  }

  /** How many peers have a row of their own. */
  get size(): number {
    return this.#peers.length;
  }

  /** Whether there are peers without a row of their own. */
  get isFull(): boolean {
    return this.#others.received > 0;
  }

  /** Counts received datagrams. */
  count(batch: readonly Datagram[]): void {
    for (const { remote, data, timeMs } of batch) {
      const counts = this.#of(remote, timeMs);
      if (timeMs >= counts.readFromMs) counts.read(data, 0, data.length, timeMs);
      counts.count(data.length, timeMs);
    }
  }

  /** Counts received datagrams of one peer that arrived together. */
  countTogether(arrivals: Arrivals): void {
    const { remote, count, bytes, smallest, largest, timeMs } = arrivals;
    const peer = this.#of(remote, timeMs);
    if (timeMs >= peer.readFromMs) {
      const { payloads } = arrivals;
      for (let nth = 0; nth < count && timeMs >= peer.readFromMs; nth += 1) {
        const from = nth * largest;
        peer.read(payloads, from, Math.min(from + largest, bytes), timeMs, nth);
      }
    }
    peer.add({ received: count, bytes, responses: 0, smallest, largest, firstMs: timeMs, lastMs: timeMs });
  }

  /** Counts responses to a peer. Default: one. */
  responded(remote: Endpoint, count = 1): void {
    this.#of(remote).responses += count;
  }

  /** @param timeMs when a datagram of the peer came, for which it gets a row. Undefined: an unknown peer gets no row. */
  #of(remote: Endpoint, timeMs?: number): Counts {
    // A peer often sends many datagrams in a row, and the engine gives all of them the same endpoint object.
    if (remote === this.#lastRemote) return this.#lastCounts;
    const counts = this.#find(remote, timeMs);
    this.#lastRemote = remote;
    this.#lastCounts = counts;
    return counts;
  }

  #find(remote: Endpoint, timeMs: number | undefined): Counts {
    const known = this.#known.get(remote.address)?.get(remote.port);
    if (known !== undefined) return known;
    if (timeMs === undefined) return this.#others;
    if (this.#peers.length >= this.#maxPeers) this.#expire(timeMs);
    if (this.#peers.length >= this.#maxPeers) return this.#others;
    const peer = new Peer(remote, this.#maxGaps);
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
    // The system clock may be set back between two datagrams.
    if (Math.abs(timeMs - this.#lookedForExpiredMs) < LOOKED_FOR_EVERY_MS) return;
    this.#lookedForExpiredMs = timeMs;
    const isExpired = ({ lastMs }: Peer): boolean => timeMs - lastMs >= EXPIRES_AFTER_MS;
    for (const peer of this.#peers.filter(isExpired)) this.#others.merge(peer);
    this.#peers = this.#peers.filter((peer) => !isExpired(peer));
    this.#known.clear();
    for (const peer of this.#peers) this.#know(peer);
    this.#lastRemote = undefined;
  }

  /** Bytes of all payloads. */
  get bytes(): number {
    return this.#peers.reduce((sum, { bytes }) => sum + bytes, this.#others.bytes);
  }

  /** The datagrams of all peers together. */
  get flow(): Flow {
    const all = new Counts();
    for (const counts of [this.#others, ...this.#peers]) all.add(counts);
    const { received, bytes, firstMs, lastMs } = all;
    return { count: received, bytes, durationMs: Math.max(0, lastMs - firstMs) };
  }

  /** The table for JSON. */
  fields(): PeersFields {
    const { first, others } = this.#ranked(PEERS_IN_JSON);
    return {
      peers: first.map((peer) => ({ peer: formatEndpoint(peer.remote), ...this.#fieldsOf(peer) })),
      ...(others.received > 0 && {
        otherPeers: { ...this.#countOthers(first), ...this.#fieldsOf(others) },
      }),
    };
  }

  /** The table for people: a line for each of the ten peers with the most datagrams, and one for all others. */
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
    for (const peer of ranked.slice(most)) others.merge(peer);
    others.merge(this.#others);
    return { first: ranked.slice(0, most), others };
  }

  #countOthers(first: readonly Peer[]): { readonly count: number; readonly countIsLowerBound: boolean } {
    return { count: this.size - first.length + (this.isFull ? 1 : 0), countIsLowerBound: this.isFull };
  }

  #fieldsOf(counts: Counts): PeerFields {
    const { received, bytes, responses, smallest, largest, firstMs, lastMs, perSecond, numbered } = counts;
    return {
      received,
      bytes,
      ...(this.#responds && { answered: responses }),
      smallest,
      largest,
      first: formatTime(firstMs),
      last: formatTime(lastMs),
      ...(perSecond !== undefined && { perSecond: Math.round(perSecond * 1000) / 1000 }),
      ...(numbered !== undefined && fieldsOfNumbered(numbered)),
    };
  }

  #describe(counts: Counts): string {
    const { received, bytes, responses, smallest, largest, firstMs, lastMs, perSecond, numbered } = counts;
    const sizes = smallest === largest ? '' : ` (${smallest} to ${largest} each)`;
    const times = firstMs === lastMs ? formatTime(firstMs) : `${formatTime(firstMs)} to ${formatTime(lastMs)}`;
    return [
      `${received} received`,
      `${bytes} ${bytes === 1 ? 'byte' : 'bytes'}${sizes}`,
      ...(this.#responds ? [`${responses} answered`] : []),
      ...(numbered === undefined ? [] : describeNumbered(numbered)),
      ...(perSecond === undefined ? [] : [formatRate(perSecond)]),
      times,
    ].join(', ');
  }
}

function fieldsOfNumbered({ sent, lost, duplicated, reordered, corrupted }: NumberedCounts): Partial<PeerFields> {
  return { lost, lossPercent: percentOf(lost, sent), duplicated, reordered, corrupted };
}

/** The lost payloads, and every other count above 0. */
function describeNumbered({ sent, lost, duplicated, reordered, corrupted }: NumberedCounts): readonly string[] {
  return [
    `${lost} lost (${percentOf(lost, sent)}%)`,
    ...describeCounts([
      { count: duplicated, says: 'duplicated' },
      { count: reordered, says: 'reordered' },
      { count: corrupted, says: 'corrupted' },
    ]),
  ];
}
