import type { CapturedDatagram } from './captured-datagram.js';
import type { ReplayFilter } from './replay-filter.js';
import { type Endpoint, formatEndpoint } from '../net/index.js';

/** One datagram of a recording that is replayed. */
export interface Replayed {
  /** A `request` is sent. A `response` went the other way between the ends of a request. `other` is neither. */
  readonly role: 'request' | 'response' | 'other';
  /** Its number among all datagrams of the recording, from 1. */
  readonly number: number;
  /** When it was recorded, in milliseconds since the epoch; NaN if the recording does not say. */
  readonly timeMs: number;
  /** The endpoint that sent it, as ADDRESS:PORT. */
  readonly sender: string;
  readonly data: Uint8Array;
  /** See {@link CapturedDatagram.mayBeJoined}. */
  readonly mayBeJoined: boolean;
}

/** How many datagrams of a recording were not selected, by reason. */
export interface Unselected {
  /** Responses: datagrams that went the other way between the ends of a selected one. */
  readonly responses: number;
  /** Other datagrams, counted for each receiver. The receiver of the most datagrams comes first. */
  readonly receivers: readonly { readonly to: string; readonly count: number }[];
  /** Other datagrams whose receiver was not kept, because the recording has too many conversations. */
  readonly more: number;
}

/**
 * The maximum number of pairs of sender and receiver that are kept in memory, of requests and of other datagrams each.
 */
const MAX_PAIRS = 64 * 1024;

/**
 * Selects the datagrams of a recording that are sent. Without a filter these are the datagrams to the receiver of the
 * first one. A response goes from the receiver of a request to its sender. A response that the recording has before its
 * request gets the role `other`; {@link ReplaySelection.unselected} counts it as a response once the request was read.
 */
export class ReplaySelection {
  #selects: Matcher | undefined;
  #read = 0;
  #responses = 0;
  #more = 0;
  /** Senders and receivers of the requests so far. */
  readonly #pairs = new Set<string>();
  /** Other datagrams so far, counted for each pair of sender and receiver. */
  readonly #others = new Map<string, { readonly to: string; count: number }>();

  /** @param filter Default: the datagrams to the receiver of the first one. */

  constructor(filter: ReplayFilter | undefined) {
    this.#selects = filter === undefined ? undefined : matcherOf(filter);
  }

  /** Takes the next datagram of the recording, and returns it with its role. */
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
    this.#responses += this.#others.get(reverse)?.count ?? 0;
    this.#others.delete(reverse);
    return 'request';
  }

  #noRequest(sender: string, receiver: string): 'response' | 'other' {
    if (this.#pairs.has(pairOf(receiver, sender))) {
      this.#responses += 1;
      return 'response';
    }
    const pair = pairOf(sender, receiver);
    const other = this.#others.get(pair);
    if (other !== undefined) other.count += 1;
    else if (this.#others.size < MAX_PAIRS) this.#others.set(pair, { to: receiver, count: 1 });
    else this.#more += 1;
    return 'other';
  }

  /** The datagrams that were not selected, as far as the recording was read. */
  get unselected(): Unselected {
    const counts = new Map<string, number>();
    for (const { to, count } of this.#others.values()) counts.set(to, (counts.get(to) ?? 0) + count);
    const receivers = [...counts].map(([to, count]) => ({ to, count })).sort((one, other) => other.count - one.count);
    return { responses: this.#responses, receivers, more: this.#more };
  }
}

/**
 * The addresses that a recording has for a receiver that did not learn its own address. A receiver that heard both
 * families has both, each in the packets of its family.
 */
const WILDCARDS: readonly string[] = ['0.0.0.0', '::'];

type Matcher = (datagram: Pick<CapturedDatagram, 'source' | 'destination'>) => boolean;

/** Returns a matcher for the datagrams to the same receiver. */
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
