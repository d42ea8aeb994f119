import type { Endpoint } from '../net/index.js';
import type { EngineOutgoing, SendFailure } from '../net/engines/engine.js';
import type { Alarm } from '../timing/alarm.js';
import { AmplificationGuard } from './amplification-guard.js';
import { type Counts, createCounts, type WayFields } from './counts.js';

/** Why a session ended. `deleted` and `disabled`: the program that controls the relay did it. */
export type EndReason = 'idle' | 'responses' | 'end' | 'deleted' | 'disabled';

/** A socket of a session towards the target. */
export interface SessionSocket {
  readonly local: Endpoint;
  /** Datagrams that the kernel dropped. */
  readonly kernelDropped: number | undefined;
  readonly kernelDropsAreLowerBound: boolean;
  /** Sends datagrams or runs to the target. See `EngineSocket.send`. */
  send(batch: EngineOutgoing[], timesMs?: Float64Array): Promise<readonly SendFailure[]>;
  /** Takes the answers that have arrived. */
  poll(): Promise<void>;
  close(): Promise<void>;
}

/** Shared by all sessions without former sockets, to save memory. It is never changed. */
const NO_SOCKETS: SessionSocket[] = [];

/** The conversation of one client with the target. */
export class Session {
  /** The number of the session, from 1, in the order of opening. */
  readonly number: number;
  readonly client: Endpoint;
  /** The address that the client sent to. Answers leave from it. Undefined if it is not known. */
  readonly asked: Endpoint | undefined;
  /** The address that the datagrams of the client go to. `--any-port` changes the port. */
  target: Endpoint;
  readonly counts: Counts = createCounts();
  /** Undefined for a client that gets every answer. */
  readonly amplification: AmplificationGuard | undefined;
  readonly openedMs = performance.now();
  /** When the last datagram went either way. */
  usedMs = this.openedMs;
  /** The socket towards the target. Undefined while it is being opened, and after the end. */
  link: SessionSocket | undefined;
  /** Settles when the first socket is open, or could not be opened. */
  opening: Promise<void> = Promise.resolve();
  /** Sockets from before a rebinding, which still take answers. */
  former: SessionSocket[] = NO_SOCKETS;
  /** Rings when the session gets a new source port. */
  rebinding: Alarm | undefined;
  /** Datagrams that the kernel dropped on the socket, as far as it was asked. */
  kernelDropped = 0;
  /** Set once the session takes no more datagrams. Delayed ones may still leave. */
  endReason: EndReason | undefined;
  /** The object of the client's address by which {@link SessionTable} finds the session fastest. */
  shortcut: Endpoint | undefined;
  /** The sessions that were used before and after this one. */
  before: Session | undefined;
  after: Session | undefined;

  /** @param isTrusted whether the client gets every answer, however long */
  constructor(
    number: number,
    { client, asked, target }: Pick<Session, 'client' | 'asked' | 'target'>,
    isTrusted: boolean,
  ) {
    this.number = number;
    this.client = client;
    this.asked = asked;
    this.target = target;
    this.amplification = isTrusted ? undefined : new AmplificationGuard();
  }

  /** Datagrams of both ways that were neither sent nor given up yet. */
  get waiting(): number {
    return this.counts.up.waiting + this.counts.down.waiting;
  }

  /** The address that the session comes from, towards the target. */
  get source(): Endpoint | undefined {
    return this.link?.local;
  }

  /** The counts in JSON. */
  countFields(): { readonly durationMs: number; readonly up: WayFields; readonly down: WayFields } {
    const durationMs = Math.round((performance.now() - this.openedMs) * 1000) / 1000;
    return { durationMs, up: this.counts.up.fields(), down: this.counts.down.fields() };
  }
}
