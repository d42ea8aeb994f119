import type { CapturedDatagram } from './captured-datagram.js';
import type { ReplayFilter } from './replay-filter.js';
import { type Endpoint, formatEndpoint } from '../net/index.js';

/** One datagram of a recording: one that is to be sent, that answered one, or of another conversation. */
export interface Replayed {
  readonly role: 'request' | 'answer' | 'other';
  /** Its place in the recording, among all its datagrams, from 1. */
  readonly number: number;
  /** When it was recorded, in milliseconds since the epoch; NaN where that is not known. */
  readonly timeMs: number;
  /** Who sent it, as text. */
  readonly sender: string;
  readonly data: Uint8Array;
  /** See {@link CapturedDatagram.mayBeJoined}. */
  readonly mayBeJoined: boolean;
}

/** Datagrams of a recording that were not selected. */
export interface Unselected {
  /** What went the other way between the ends of datagrams that were selected. */
  readonly answers: number;
  /** The others by their receiver, the most first. */
  readonly receivers: readonly { readonly to: string; readonly count: number }[];
  /** More of the others: of some conversations, when there are very many, the receiver is not remembered. */
  readonly more: number;
}

/** How many pairs of ends are remembered, so that answers are known by being the other way round. */
const MAX_PAIRS = 64 * 1024;

/**
 * Tells which datagrams of a recording are to be sent: without a filter those to the receiver of the first datagram. An
 * answer goes the other way between the same ends. Before the first request of these ends its role is `other`, though
 * {@link ReplaySelection.unselected} counts them as answers.
 */
export class ReplaySelection {
  #selects: Matcher | undefined;
  #read = 0;
  #answers = 0;
  #more = 0;
  /** Pairs of ends, of which something was selected. */
  readonly #pairs = new Set<string>();
  /** Of other pairs, how many there were so far, and who received them. */
  readonly #others = new Map<string, { readonly to: string; count: number }>();

  constructor(filter: ReplayFilter | undefined) {
    this.#selects = filter === undefined ? undefined : matcherOf(filter);
  }

  /** Takes in the next datagram of the recording. */
  take(datagram: CapturedDatagram): Replayed {
    this.#read += 1;
    this.#selects ??= receiverOf(datagram);
    const [sender, receiver] = [formatEndpoint(datagram.source), formatEndpoint(datagram.destination)];
    const isRequest = this.#selects(datagram);
    const role = isRequest ? this.#request(sender, receiver) : this.#noRequest(sender, receiver);
    const { timeMs, data, mayBeJoined = false } = datagram;
    return { role, number: this.#read, timeMs, sender, data, mayBeJoined };
  }

  #request(sender: string, receiver: string): 'request' {
    if (this.#pairs.size < MAX_PAIRS) this.#pairs.add(pairOf(sender, receiver));
    const reverse = pairOf(receiver, sender);
    this.#answers += this.#others.get(reverse)?.count ?? 0;
    this.#others.delete(reverse);
    return 'request';
  }

  #noRequest(sender: string, receiver: string): 'answer' | 'other' {
    if (this.#pairs.has(pairOf(receiver, sender))) {
      this.#answers += 1;
      return 'answer';
    }
    const pair = pairOf(sender, receiver);
    const other = this.#others.get(pair);
    if (other !== undefined) other.count += 1;
    else if (this.#others.size < MAX_PAIRS) this.#others.set(pair, { to: receiver, count: 1 });
    else this.#more += 1;
    return 'other';
  }

  /** What was read and not selected so far. */
  get unselected(): Unselected {
    const counts = new Map<string, number>();
    for (const { to, count } of this.#others.values()) counts.set(to, (counts.get(to) ?? 0) + count);
    const receivers = [...counts].map(([to, count]) => ({ to, count })).sort((one, other) => other.count - one.count);
    return { answers: this.#answers, receivers, more: this.#more };
  }
}

/** Where a receiver heard both families, and did not learn its own address, packets have the one of their own. */
const WILDCARDS: readonly string[] = ['0.0.0.0', '::'];

type Matcher = (datagram: Pick<CapturedDatagram, 'source' | 'destination'>) => boolean;

function receiverOf({ destination: { address, port } }: { readonly destination: Endpoint }): Matcher {
  if (!WILDCARDS.includes(address)) return matcherOf({ end: 'dst', address, port });
  return ({ destination }) => destination.port === port && WILDCARDS.includes(destination.address);
}

function matcherOf(filter: ReplayFilter): Matcher {
  if (filter === 'all') return () => true;
  const { end, address, port } = filter;
  return ({ source, destination }) => {
    const { address: itsAddress, port: itsPort } = end === 'src' ? source : destination;
    const isThere = address === undefined || address === itsAddress || itsAddress.startsWith(`${address}%`);
    return isThere && (port === undefined || port === itsPort);
  };
}

function pairOf(from: string, to: string): string {
  return `${from} ${to}`;
}
