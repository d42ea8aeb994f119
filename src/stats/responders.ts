import { Requests } from '../check/requests.js';
import type { NumberedPayloads } from '../input/numbered-payload.js';
import { type Datagram, type Endpoint, formatEndpoint } from '../net/index.js';
import { formatMs } from '../text/time.js';

/** How many responders are counted by themselves. */
const MAX_RESPONDERS = 1024;
/** How many responders have a line for people. */
const RESPONDERS_IN_WORDS = 10;
/** Send times that differ by less, in milliseconds, are the same: such a difference is an error of rounding. */
const SAME_TIME_MS = 0.001;

interface Responder {
  readonly address: string;
  replies: number;
  /** The number and the sum of the round-trip times, in milliseconds. */
  measured: number;
  sumMs: number;
  /** When the latest request was sent that has a round-trip time. */
  lastSentMs: number;
}

/** One responder as it stands in JSON. */
export interface ResponderFields {
  readonly address: string;
  readonly replies: number;
  /** The mean of the round-trip times in milliseconds. Absent if none is known. */
  readonly rttMs?: number;
}

/** All responders as they stand in JSON, in the order of their first replies. */
export interface RespondersFields {
  readonly responders: readonly ResponderFields[];
  /** All responders after the first 1024 together. Absent if there are none. */
  readonly otherResponders?: { readonly replies: number };
}

/** Counts the replies of each responder, if several may reply to one request, and measures their round-trip times. */
export class Responders {
  readonly #numbered: NumberedPayloads | undefined;
  /** When the requests were sent. Undefined if no reply can tell to which of them it belongs. */
  readonly #requests: Requests | undefined;
  /** By address and port. */
  readonly #known = new Map<string, Responder>();
  /** The replies of all responders that are not counted by themselves. */
  #others = 0;
  #lastRemote: Endpoint | undefined;
  #lastResponder: Responder | undefined;

  /** @param numbered the generator of the requests, if they are several, and their payloads carry numbers */
  constructor(numbered?: NumberedPayloads) {
    this.#numbered = numbered;
    this.#requests = numbered?.run === undefined ? undefined : new Requests();
  }

  /** The next requests are being given to the kernel. `timeMs` is now, by the wall clock. */
  sending(count: number, timeMs: number): void {
    if (this.#requests === undefined) return;
    for (let index = 0; index < count; index += 1) this.#requests.add(timeMs);
  }

  /** The kernel took the last requests, except for `refused` of them. @param timesMs when it took each, by the wall clock */
  taken(refused: number, timesMs: Float64Array): void {
    this.#requests?.withdraw(refused);
    this.#requests?.sentAt(timesMs);
  }

  /** All requests were sent again, to another address. `timeMs` is now, by the wall clock. */
  sentAgain(timeMs: number): void {
    this.#requests?.sentAgain(timeMs);
  }

  /** The round-trip time of an echo in milliseconds. Undefined if the reply does not bring the number of its request back. */
  rttOf({ data, timeMs }: Datagram): number | undefined {
    const header = this.#requests && this.#numbered?.read(data);
    if (header?.intact !== true || header.run !== this.#numbered?.run) return undefined;
    const sentMs = this.#requests?.timeOf(header.sequence);
    return sentMs === undefined ? undefined : Math.max(0, timeMs - sentMs);
  }

  /**
   * Counts a reply. The first reply of a responder to each request has a round-trip time.
   *
   * @param rttMs from the request to the reply, in milliseconds. Undefined if it is not known.
   */
  take({ remote, timeMs }: Datagram, rttMs: number | undefined): void {
    const responder = this.#of(remote);
    if (responder === undefined) {
      this.#others += 1;
      return;
    }
    responder.replies += 1;
    if (rttMs === undefined) return;
    const sentMs = timeMs - rttMs;
    if (sentMs < responder.lastSentMs + SAME_TIME_MS) return;
    responder.lastSentMs = sentMs;
    responder.measured += 1;
    responder.sumMs += rttMs;
  }

  /** Undefined for a responder that is not counted by itself. */
  #of(remote: Endpoint): Responder | undefined {
    // A responder may send many replies in a row, and the engine gives all of them the same endpoint object.
    if (remote === this.#lastRemote) return this.#lastResponder;
    const address = formatEndpoint(remote);
    let responder = this.#known.get(address);
    if (responder === undefined && this.#known.size < MAX_RESPONDERS) {
      responder = { address, replies: 0, measured: 0, sumMs: 0, lastSentMs: -Infinity };
      this.#known.set(address, responder);
    }
    this.#lastRemote = remote;
    this.#lastResponder = responder;
    return responder;
  }

  /** The responders for JSON. */
  fields(): RespondersFields {
    return {
      responders: [...this.#known.values()].map((responder) => {
        const { address, replies } = responder;
        const rttMs = meanOf(responder);
        return { address, replies, ...(rttMs !== undefined && { rttMs: Math.round(rttMs * 1000) / 1000 }) };
      }),
      ...(this.#others > 0 && { otherResponders: { replies: this.#others } }),
    };
  }

  /** The responders for people: a line for each of the first ten, and one for all others. */
  describe(): readonly string[] {
    const all = [...this.#known.values()];
    const lines = all.slice(0, RESPONDERS_IN_WORDS).map((responder) => {
      return `from ${responder.address}: ${countReplies(responder.replies)}${describeTime(responder)}`;
    });
    const rest = all.slice(RESPONDERS_IN_WORDS);
    if (rest.length === 0) return lines;
    const replies = rest.reduce((sum, responder) => sum + responder.replies, this.#others);
    // The number of responders that are not counted by themselves is not known.
    const atLeast = this.#others > 0 ? 'at least ' : '';
    const count = rest.length + (this.#others > 0 ? 1 : 0);
    return [...lines, `from ${atLeast}${count} ${count === 1 ? 'other' : 'others'}: ${countReplies(replies)}`];
  }
}

function meanOf({ measured, sumMs }: Responder): number | undefined {
  return measured === 0 ? undefined : sumMs / measured;
}

function describeTime(responder: Responder): string {
  const rttMs = meanOf(responder);
  if (rttMs === undefined) return '';
  const what = responder.measured > 1 ? ', mean round-trip time' : responder.replies > 1 ? ', the first in' : ' in';
  return `${what} ${formatMs(rttMs)} ms`;
}

function countReplies(count: number): string {
  return `${count} ${count === 1 ? 'reply' : 'replies'}`;
}
