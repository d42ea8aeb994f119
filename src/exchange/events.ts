import { timesOfTaken } from '../net/send-times.js';
import type { Datagram, DatagramClient, DatagramError, Endpoint } from '../net/index.js';
import type { Finding } from '../check/judge.js';

/** Why datagrams were sent. */
export type Transmission = 'message' | 'retransmission' | 'follow-up' | 'next address';

/**
 * Whose datagrams are replies: those of the address asked (`peer`), of any port of its host (`host`), or those of every
 * sender (`anyone`).
 */
export type RepliesFrom = 'peer' | 'host' | 'anyone';

/** What an exchange tells while it goes on. */
export type ExchangeEvent =
  | JudgedEvent
  | RepliesEvent
  | StraysEvent
  | TransmittedEvent
  | SettledEvent
  | PeerErrorEvent
  | NextAddressEvent
  | DroppedEvent
  | ReceiveErrorEvent
  | LeftEvent;

/** Replies were judged. It comes before the {@link RepliesEvent} of the same replies. */
export interface JudgedEvent {
  readonly type: 'judged';
  readonly batch: readonly Datagram[];
  /** What each of them was found to be, in the same order. */
  readonly findings: readonly Finding[];
  /** Whose datagrams are replies at the address in use. */
  readonly repliesFrom: RepliesFrom;
}

/** Replies that were judged. The exchange takes the next ones when the promises of all observers have settled. */
export interface RepliesEvent {
  readonly type: 'replies';
  readonly batch: readonly Datagram[];
  /** The address of the socket. */
  readonly local: Endpoint;
}

/** Datagrams from other addresses than the one asked. */
export interface StraysEvent {
  readonly type: 'strays';
  readonly batch: readonly Datagram[];
  /** The address of the socket. */
  readonly local: Endpoint;
}

/** The kernel took datagrams. The exchange goes on when the promises of all observers have settled. */
export interface TransmittedEvent {
  readonly type: 'transmitted';
  readonly payloads: readonly Uint8Array[];
  readonly why: Transmission;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** When the kernel was given each of them, in milliseconds since the epoch. */
  readonly timesMs: Float64Array;
}

/** A reply was pending, and is now found to match or not. */
export interface SettledEvent {
  readonly type: 'settled';
  readonly finding: Finding;
}

/** An ICMP error came back for a datagram that was sent. */
export interface PeerErrorEvent {
  readonly type: 'peer error';
  readonly error: DatagramError;
}

/** An address could not be used, and the next is tried. */
export interface NextAddressEvent {
  readonly type: 'next address';
  readonly refused: Endpoint;
  readonly next: Endpoint;
  readonly why: DatagramError;
}

/** Datagrams found the receive queue full. */
export interface DroppedEvent {
  readonly type: 'dropped';
  readonly count: number;
}

/** The system had no memory to receive with. It is asked again. */
export interface ReceiveErrorEvent {
  readonly type: 'receive error';
  readonly error: DatagramError;
}

/** The wait is over, and so many replies that had arrived are not judged. */
export interface LeftEvent {
  readonly type: 'left';
  readonly count: number;
}

/** Events for which the exchange waits until the observers are done. */
type AwaitedEvent = RepliesEvent | TransmittedEvent;
type OtherEvent = Exclude<ExchangeEvent, AwaitedEvent>;

/** A function for each type of event, if wanted. */
type TakersOf<Event extends ExchangeEvent, Result> = {
  readonly [Type in Event['type']]?: (event: Extract<Event, { readonly type: Type }>) => Result;
};

/**
 * Looks at an exchange: one function for each type of event that it wants to know of. A promise that rejects ends the
 * exchange as a failure.
 */
export type ExchangeObserver = TakersOf<AwaitedEvent, void | Promise<void>> & TakersOf<OtherEvent, void>;

/** All observers of one exchange. */
export class Observers {
  readonly #all: readonly ExchangeObserver[];

  constructor(all: readonly ExchangeObserver[]) {
    this.#all = all;
  }

  /** Whether an observer wants to know of such events: what nobody wants need not be made. */
  want(type: ExchangeEvent['type']): boolean {
    return this.#all.some((observer) => observer[type] !== undefined);
  }

  /** Tells all observers. */
  tell(event: OtherEvent): void {
    for (const observer of this.#all) {
      const take = observer[event.type] as ((event: OtherEvent) => void) | undefined;
      take?.(event);
    }
  }

  /** Tells all observers. Settles when all of them are done; undefined if none takes time. */
  tellAndWait(event: AwaitedEvent): Promise<unknown> | undefined {
    let waiting: Promise<unknown> | undefined;
    for (const observer of this.#all) {
      const take = observer[event.type] as ((event: AwaitedEvent) => void | Promise<void>) | undefined;
      const taken = take?.(event);
      if (taken instanceof Promise) waiting = waiting === undefined ? taken : Promise.all([waiting, taken]);
    }
    return waiting;
  }

  /** Room for the times at which datagrams are sent; undefined if nobody wants to know them. */
  timesOf({ length }: readonly Uint8Array[]): Float64Array | undefined {
    return this.want('transmitted') ? new Float64Array(length) : undefined;
  }

  /** Tells that the kernel took datagrams. `timesMs` was made by {@link timesOf}, and filled by the socket. */
  async tellTransmitted(
    payloads: readonly Uint8Array[],
    why: Transmission,
    { local, remote }: DatagramClient,
    timesMs: Float64Array | undefined,
  ): Promise<void> {
    if (timesMs === undefined) return;
    await this.tellAndWait({ type: 'transmitted', payloads, why, local, remote, timesMs: timesOfTaken(timesMs) });
  }
}
