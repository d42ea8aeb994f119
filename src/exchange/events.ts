import { timesOfTaken } from '../net/send-times.js';
import type { Datagram, DatagramClient, DatagramError, Endpoint } from '../net/index.js';
import type { Finding } from '../check/finding.js';
import type { Measurement } from '../check/measurement.js';
import type { LogFields } from '../output/log.js';
import type { NotSent } from '../stats/totals.js';

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
  | LeftEvent
  | ResolvedEvent
  | MeasuringEvent
  | OpenedEvent
  | ClosingEvent
  | ClosedEvent
  | NoteEvent
  | NotSentEvent;

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

/** The name of the destination was looked up. Only `ask` tells this event and those below it. */
export interface ResolvedEvent {
  readonly type: 'resolved';
  readonly name: string;
  readonly found: readonly Endpoint[];
}

/** Round trips will be measured. */
export interface MeasuringEvent {
  readonly type: 'measuring';
  readonly measurement: Measurement;
}

/** An exchange, for observers: its counts can be read at any moment. */
export interface ObservedExchange {
  /** The socket. Like the two addresses, it changes when another address of the name is tried. */
  readonly client: DatagramClient;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Whether replies from any address count. */
  readonly hearsEverybody: boolean;
  /** Whether replies are awaited at all. */
  readonly listens: boolean;
  /** Messages that the kernel took. */
  readonly sent: number;
  /** The same, with retransmissions and follow-ups. */
  readonly transmitted: number;
  readonly received: number;
  /** Undefined where it cannot be known. */
  readonly kernelDropped: number | undefined;
  readonly kernelDropsAreLowerBound: boolean;
}

/** The socket is open. Nothing is sent before the promises of all observers have settled, one after the other. */
export interface OpenedEvent {
  readonly type: 'opened';
  readonly exchange: ObservedExchange;
  /** Messages in a round; undefined if they are read meanwhile. */
  readonly rounds: number | undefined;
}

/** Nothing more is awaited, and the socket is about to be closed. */
export interface ClosingEvent {
  readonly type: 'closing';
}

/** The socket is closed, and every reply that counts was taken. It is told of each socket that was told as opened. */
export interface ClosedEvent {
  readonly type: 'closed';
}

/** Something to be told about the messages, such as why one was not sent. */
export interface NoteEvent {
  readonly type: 'note';
  readonly level: 'info' | 'warn';
  readonly message: string;
  readonly fields: LogFields | undefined;
}

/** What a recording holds and was not sent. */
export interface NotSentEvent {
  readonly type: 'not sent';
  readonly notSent: readonly NotSent[];
}

/** Events for which the exchange waits until the observers are done. */
type AwaitedEvent = RepliesEvent | TransmittedEvent | OpenedEvent;
type OtherEvent = Exclude<ExchangeEvent, AwaitedEvent>;

/** A function for each type of event, if wanted. */
type TakersOf<Event extends ExchangeEvent, Result> = {
  readonly [Type in Event['type']]?: (event: Extract<Event, { readonly type: Type }>) => Result;
};

/**
 * Looks at an exchange: an object with one function for each type of event that it wants to know of. A promise that rejects
 * ends the exchange as a failure, as long as it still waits for replies.
 */
export type ExchangeObserver = TakersOf<AwaitedEvent, void | Promise<void>> & TakersOf<OtherEvent, void>;

type Taker = (event: ExchangeEvent) => void | Promise<void>;

/** All observers of one exchange. */
export class Observers {
  /** Those that want to know of each type of event: a flood of replies is told to no other. */
  readonly #takers = new Map<string, Taker[]>();

  constructor(all: readonly ExchangeObserver[]) {
    for (const [type, take] of all.flatMap((observer) => Object.entries(observer) as [string, Taker][])) {
      const takers = this.#takers.get(type);
      if (takers === undefined) this.#takers.set(type, [take]);
      else takers.push(take);
    }
  }

  /** Whether an observer wants to know of such events: what nobody wants need not be made. */
  want(type: ExchangeEvent['type']): boolean {
    return this.#takers.has(type);
  }

  /** Tells all observers. */
  tell(event: OtherEvent): void {
    for (const take of this.#takers.get(event.type) ?? []) void take(event);
  }

  /** Tells one observer after the other that the socket is open. */
  async tellOpened(event: OpenedEvent): Promise<void> {
    for (const take of this.#takers.get(event.type) ?? []) await take(event);
  }

  /** Tells all observers. Settles when all of them are done; undefined if none takes time. */
  tellAndWait(event: RepliesEvent | TransmittedEvent): Promise<unknown> | undefined {
    let waiting: Promise<unknown> | undefined;
    for (const take of this.#takers.get(event.type) ?? []) {
      const taken = take(event);
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
