import type { DatagramError, Endpoint } from '../net/index.js';
import type { Loss } from './counts.js';
import type { Taken } from './inbox.js';
import type { Parcel } from './lane.js';
import type { Way } from './plan.js';
import type { Session } from './session.js';

/** The functions that a {@link Relay} calls. */
export interface RelayEvents {
  readonly sessionOpened: (session: Session) => void;
  readonly sessionEnded: (session: Session) => void;
  readonly sessionRebound: (session: Session) => void;
  /** No socket could be opened for a session. `isExhausted`: for want of descriptors or ports. */
  readonly openFailed: (session: Session, error: DatagramError, isExhausted: boolean) => void;
  /** The target refused a datagram of the session (ICMP), or the kernel did not send it. */
  readonly refused: (session: Session, error: DatagramError) => void;
  /** The datagrams of new sessions go to another address of the target, because the former one refused. */
  readonly retargeted: (target: Endpoint) => void;
  /** An error about an answer came back from a client, or the kernel did not send an answer. */
  readonly clientError: (error: DatagramError) => void;
  /** The system had no memory to receive with. */
  readonly receiveFailed: (error: DatagramError) => void;
  /** The full queue dropped datagrams. */
  readonly dropped: (count: number) => void;
  /** Something that is told once: see {@link Warning}. */
  readonly warned: (warning: Warning, session?: Session) => void;
  /** Datagrams arrived. */
  readonly arrived: () => void;
  /** As many datagrams were taken from clients as `count` says. */
  readonly counted: () => void;
  /** The relay can receive no more. */
  readonly failed: (error: unknown) => void;
}

/** `full`: a client got no session. `overflow`: too many datagrams wait. */
export type Warning = 'full' | 'overflow' | 'amplification' | 'loop';

/** Looks at every datagram: writes it to stdout or to a recording. */
export interface Viewer {
  /** Datagrams were taken. Resolves when the viewer has room for more. */
  taken(batch: readonly Taken[], fates: ReadonlyMap<Taken, Loss>): Promise<void>;
  /** Datagrams were sent. @param timesMs when each was given to the kernel, in milliseconds since the epoch */
  sent(way: Way, parcels: readonly Parcel[], timesMs: Float64Array): Promise<void>;
}
