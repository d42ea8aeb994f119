import { type ActiveFault } from '../faults/active-fault.js';
import { Faults, type Grouped, type Place } from '../faults/faults.js';
import { directedSeed } from '../faults/random.js';
import type { DatagramError, Endpoint } from '../net/index.js';
import { ALL_TAKEN, type EngineOutgoing, type SendFailure } from '../net/engines/engine.js';
import { type Loss, WayCounts } from './counts.js';
import type { Way } from './plan.js';
import type { Session } from './session.js';

/** Datagrams of one session that are passed on: one, or a run. */
export interface Parcel extends EngineOutgoing {
  readonly session: Session;
  /** The number of datagrams. */
  readonly count: number;
}

/** One datagram on which faults act. */
export interface FaultyParcel extends Parcel, Grouped {
  readonly remote: Endpoint;
  readonly place: Place & { readonly flow: Session };
}

/** The functions that a {@link Lane} calls. */
export interface LaneEvents {
  /** Sends parcels, see {@link Lane.send}. */
  readonly transmit: (parcels: readonly Parcel[]) => Promise<void> | undefined;
  /** The kernel refused a datagram. */
  readonly refused: (session: Session, error: DatagramError) => void;
  /** A datagram of a session was sent or given up. */
  readonly settled: (session: Session) => void;
  /** A datagram was dropped because too many wait. Only the first one is told. */
  readonly overflowed: () => void;
}

/** One way through a relay: its counts and its faults. */
export class Lane {
  readonly way: Way;
  readonly counts = new WayCounts();
  /** Datagrams that were given to the kernel, and that it has neither taken nor refused yet. */
  inFlight = 0;
  readonly #events: LaneEvents;
  readonly #seed: number;
  readonly #startMs = performance.now();
  #acting: readonly ActiveFault[] = [];
  /** Undefined until there is a fault. */
  #faults: Faults<FaultyParcel> | undefined;
  /** The datagrams that the last call of {@link apply} lost. */
  #lost = new Map<Place, Loss>();

  constructor(way: Way, faults: readonly ActiveFault[], seed: number, events: LaneEvents) {
    this.way = way;
    this.#seed = directedSeed(seed, way);
    this.#events = events;
    this.change(faults);
  }

  /** The faults that act. */
  get acting(): readonly ActiveFault[] {
    return this.#acting;
  }

  /** Whether datagrams may be passed on as runs, because no fault looks at them. */
  get isClear(): boolean {
    return this.#acting.length === 0 && (this.#faults?.waiting ?? 0) === 0;
  }

  /** Whether a datagram may be sent twice. */
  get duplicates(): boolean {
    return this.#acting.some(({ name }) => name === 'duplicate');
  }

  /** Replaces the faults. Datagrams that wait keep their moments. */
  change(faults: readonly ActiveFault[]): void {
    this.#acting = faults;
    if (this.#faults !== undefined) this.#faults.change(faults);
    else if (faults.length > 0) this.#faults = this.#begin(faults);
  }

  #begin(acting: readonly ActiveFault[]): Faults<FaultyParcel> {
    const faults = new Faults<FaultyParcel>(acting, this.#seed);
    faults.begin(
      {
        onDue: this.#events.transmit,
        onOverflow: this.#events.overflowed,
        onLost: ({ place, session }, cause, isCopy) => {
          this.lose(session, cause, 1);
          if (!isCopy) this.#lost.set(place, cause);
        },
        onCopied: ({ session }) => {
          this.counts.duplicates += 1;
          session.counts[this.way].duplicates += 1;
        },
        onGivenUp: ({ session }) => {
          this.#giveUp(session, 1);
        },
      },
      this.#startMs,
    );
    return faults;
  }

  /** Counts datagrams that were taken. */
  receive(session: Session, count: number, bytes: number): void {
    const { counts } = this;
    counts.received += count;
    counts.bytes += bytes;
    const own = session.counts[this.way];
    own.received += count;
    own.bytes += bytes;
  }

  /** Counts datagrams that a fault or a bound took. @param session undefined if there is none */
  lose(session: Session | undefined, cause: Loss, count: number): void {
    this.counts.lose(cause, count);
    session?.counts[this.way].lose(cause, count);
  }

  /** Lets the faults act. Returns the datagrams to send now, and the faults that took the others away. */
  apply(parcels: readonly FaultyParcel[], nowMs: number): { now: readonly Parcel[]; lost: ReadonlyMap<Place, Loss> } {
    if (this.#faults === undefined) return { now: parcels, lost: this.#lost };
    this.#lost = new Map();
    const now = this.#faults.apply(parcels, nowMs);
    for (const { session } of parcels) if (session.endReason !== undefined) this.#events.settled(session);
    return { now, lost: this.#lost };
  }

  /**
   * Counts what the kernel took of parcels. Returns a promise only if that takes time.
   *
   * @param sent the result of sending them
   * @param onTaken called before the parcels are counted, because a session may lose its socket then, with the places of
   *   refused parcels
   */
  settle(
    parcels: readonly Parcel[],
    sent: Promise<readonly SendFailure[]>,
    onTaken?: (refused: ReadonlySet<number>) => Promise<void>,
  ): Promise<void> | undefined {
    if (sent === ALL_TAKEN && onTaken === undefined) {
      this.#count(parcels, []);
      return undefined;
    }
    let count = 0;
    for (const parcel of parcels) count += parcel.count;
    this.inFlight += count;
    return sent.then(async (failures) => {
      this.inFlight -= count;
      const told = onTaken?.(new Set(failures.map(({ index }) => index)));
      this.#count(parcels, failures);
      await told;
    });
  }

  #count(parcels: readonly Parcel[], failures: readonly SendFailure[]): void {
    const { way, counts } = this;
    for (const { session, count } of parcels) {
      counts.sent += count;
      session.counts[way].sent += count;
      if (session.endReason !== undefined) this.#events.settled(session);
    }
    for (const { index, error } of failures) {
      const { session } = parcels[index] as Parcel;
      counts.sent -= 1;
      session.counts[way].sent -= 1;
      this.#giveUp(session, 1);
      this.#events.refused(session, error);
    }
  }

  #giveUp(session: Session, count: number): void {
    this.counts.notSent += count;
    session.counts[this.way].notSent += count;
    this.#events.settled(session);
  }

  /** Counts parcels that cannot be sent, because their session has no socket. */
  discard(parcels: readonly Parcel[]): void {
    for (const { session, count } of parcels) {
      this.lose(session, 'noSocket', count);
      this.#events.settled(session);
    }
  }

  /** Resolves once no datagram waits for its moment. */
  async empty(): Promise<void> {
    await this.#faults?.empty();
  }

  /** Gives up the datagrams that are due after `untilMs`, by `performance.now()`. */
  cut(untilMs: number): void {
    this.#faults?.cut(untilMs);
  }

  stop(): void {
    this.#faults?.stop();
  }
}
