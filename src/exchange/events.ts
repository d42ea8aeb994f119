import { timesOfTaken } from '../net/send-times.js';
import type { Datagram, DatagramClient, DatagramError, Endpoint } from '../net/index.js';
import type { Finding } from '../check/finding.js';
import type { Measurement } from '../check/measurement.js';
import type { LogFields } from '../output/log.js';
import type { Flow } from '../stats/rate.js';
import type { Responders } from '../stats/responders.js';
import type { NotSent } from '../stats/totals.js';

/**
 * Why datagrams were sent: as a message, as a retransmission by `--retry`, as a follow-up that the protocol wants, or because
 * an earlier address refused.
 */
export type Transmission = 'message' | 'retransmission' | 'follow-up' | 'next address';

/**
 * The senders whose datagrams are replies: the address asked (`peer`), any port of its host (`host`), or every address
 * (`anyone`).
 */
export type RepliesFrom = 'peer' | 'host' | 'anyone';

/** An event of an exchange, told apart by `type`. */
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
  | RespondersEvent
  | OpenedEvent
  | ClosingEvent
  | ClosedEvent
  | NoteEvent
  | NotSentEvent;

/** Replies were judged. The {@link RepliesEvent} with the same replies follows. */
export interface JudgedEvent {
  readonly type: 'judged';
  readonly batch: readonly Datagram[];
  /** The finding for each reply, in the same order. */
  readonly findings: readonly Finding[];
  /** The round-trip time of each reply, in milliseconds: from its request, or from the last transmission. Undefined if unknown. */
  readonly rttsMs: readonly (number | undefined)[];
  /** The senders whose datagrams are replies at the address in use. */
  readonly repliesFrom: RepliesFrom;
}

/** Replies were judged, and can be written. The exchange goes on when the promises of all observers have settled. */
export interface RepliesEvent {
  readonly type: 'replies';
  readonly batch: readonly Datagram[];
  /** The address of the socket. */
  readonly local: Endpoint;
}

/** Datagrams came from other addresses than the one asked. */
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
  /** When each datagram was given to the kernel, in milliseconds since the epoch. */
  readonly timesMs: Float64Array;
}

/** A pending reply was decided: it matches, or it does not. */
export interface SettledEvent {
  readonly type: 'settled';
  readonly finding: Finding;
}

/** An ICMP error came back for a sent datagram. */
export interface PeerErrorEvent {
  readonly type: 'peer error';
  readonly error: DatagramError;
}

/** An address of the name refused or could not be used. The next one is tried. */
export interface NextAddressEvent {
  readonly type: 'next address';
  readonly refused: Endpoint;
  readonly next: Endpoint;
  readonly why: DatagramError;
}

/** Datagrams were dropped because the receive queue was full. */
export interface DroppedEvent {
  readonly type: 'dropped';
  readonly count: number;
}

/** The system had no memory to receive with. Receiving is tried again. */
export interface ReceiveErrorEvent {
  readonly type: 'receive error';
  readonly error: DatagramError;
}

/** The time is over, and `count` replies that had arrived are not judged. */
export interface LeftEvent {
  readonly type: 'left';
  readonly count: number;
}

/** The name of the destination was looked up. Only `ask` tells this event and the following ones. */
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

/** Several responders may reply. Their replies will be counted. */
export interface RespondersEvent {
  readonly type: 'responders';
  readonly responders: Responders;
}

/** An exchange as observers see it. All values can be read at any moment. */
export interface ObservedExchange {
  /** The socket. The socket and both addresses change when another address of the name is tried. */
  readonly client: DatagramClient;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Whether replies from every address count. */
  readonly hearsEverybody: boolean;
  /** Whether replies are awaited. */
  readonly listens: boolean;
  /** Messages that the kernel took. */
  readonly sent: number;
  /** Datagrams that the kernel took: messages, retransmissions and follow-ups. */
  readonly transmitted: number;
  /** Replies, matching or not. */
  readonly received: number;
  /** The messages that the kernel took, and the replies, with their bytes and times. */
  readonly flows: { readonly sent: Flow; readonly received: Flow };
  /** Replies that the kernel dropped. Undefined where the system does not tell. */
  readonly kernelDropped: number | undefined;
  /** Whether the kernel may have dropped more. */
  readonly kernelDropsAreLowerBound: boolean;
}

/** The socket is open. Observers are called one after the other, each after the promise of the one before. Then sending begins. */
export interface OpenedEvent {
  readonly type: 'opened';
  readonly exchange: ObservedExchange;
  /** The number of messages in a round. Undefined if messages are read while others are sent. */
  readonly rounds: number | undefined;
}

/** The exchange waits for nothing more, and is about to close the socket. */
export interface ClosingEvent {
  readonly type: 'closing';
}

/** The socket is closed, and every reply that counts was judged. It follows each {@link OpenedEvent}, after failures too. */
export interface ClosedEvent {
  readonly type: 'closed';
}

/** A text about the messages for the user, for example why the rest of the input was not sent. */
export interface NoteEvent {
  readonly type: 'note';
  readonly level: 'info' | 'warn';
  readonly message: string;
  readonly fields: LogFields | undefined;
}

/** The content of a recording that was not sent. */
export interface NotSentEvent {
  readonly type: 'not sent';
  readonly notSent: readonly NotSent[];
}

/** Events after which the exchange waits for the promises of the observers. */
type AwaitedEvent = RepliesEvent | TransmittedEvent | OpenedEvent;
type OtherEvent = Exclude<ExchangeEvent, AwaitedEvent>;

/** An object with functions for some types of events. */
type TakersOf<Event extends ExchangeEvent, Result> = {
  readonly [Type in Event['type']]?: (event: Extract<Event, { readonly type: Type }>) => Result;
};

/**
 * Observes an exchange: an object with a function for each type of event that it needs. If a promise of an observer rejects
 * while the exchange waits for replies, the exchange fails with that error.
 */
export type ExchangeObserver = TakersOf<AwaitedEvent, void | Promise<void>> & TakersOf<OtherEvent, void>;

type Taker = (event: ExchangeEvent) => void | Promise<void>;

/** All observers of one exchange. */
export class Observers {
  /** The functions of the observers by type of event: events of a flood cost nothing without a function for them. */
  readonly #takers = new Map<string, Taker[]>();

  constructor(all: readonly ExchangeObserver[]) {
    for (const [type, take] of all.flatMap((observer) => Object.entries(observer) as [string, Taker][])) {
      const takers = this.#takers.get(type);
      if (takers === undefined) this.#takers.set(type, [take]);
      else takers.push(take);
    }
  }

  /** Whether an observer has a function for these events. Otherwise the event need not be made. */
  want(type: ExchangeEvent['type']): boolean {
    return this.#takers.has(type);
  }

  /** Calls all observers. */
  tell(event: OtherEvent): void {
    for (const take of this.#takers.get(event.type) ?? []) void take(event);
  }

  /** Calls one observer after the other, and waits for the promise of each. */
  async tellOpened(event: OpenedEvent): Promise<void> {
    for (const take of this.#takers.get(event.type) ?? []) await take(event);
  }

  /** Calls all observers. Settles with their promises. Undefined if no observer returned a promise. */
  tellAndWait(event: RepliesEvent | TransmittedEvent): Promise<unknown> | undefined {
    let waiting: Promise<unknown> | undefined;
    for (const take of this.#takers.get(event.type) ?? []) {
      const taken = take(event);
      if (taken instanceof Promise) waiting = waiting === undefined ? taken : Promise.all([waiting, taken]);
    }
    return waiting;
  }

  /**
   * Makes an array for the times at which these datagrams are sent. Undefined if nobody needs the times.
   *
   * @param listens whether replies are expected: their round-trip times begin there
   */
  timesOf({ length }: readonly Uint8Array[], listens: boolean): Float64Array | undefined {
    return listens || this.want('transmitted') ? new Float64Array(length) : undefined;
  }

  /** Calls all observers with a {@link TransmittedEvent}. `timesMs` is from {@link timesOf}, and the socket has filled it. */
  async tellTransmitted(
    payloads: readonly Uint8Array[],
    why: Transmission,
    { local, remote }: DatagramClient,
    timesMs: Float64Array | undefined,
  ): Promise<void> {
    if (timesMs === undefined || !this.want('transmitted')) return;
    await this.tellAndWait({ type: 'transmitted', payloads, why, local, remote, timesMs: timesOfTaken(timesMs) });
  }
}
