import type { DatagramServer, Run } from '../net/index.js';
import type { SendFailure } from '../net/engines/engine.js';
import type { Lane, Parcel } from './lane.js';
import type { Way } from './plan.js';
import type { Session } from './session.js';

/** Answers of more sessions than this, in one round of the event loop, are sent together at its end. */
const MOST_AT_ONCE = 2;

/** Called with the parcels that the kernel took. @param timesMs when it took each, in milliseconds since the epoch */
type OnSent = (parcels: readonly Parcel[], timesMs: Float64Array) => Promise<void>;

/** Sends datagrams in batches: up by the sockets of the sessions, down by the socket for clients. */
export class Forwarding {
  readonly #lanes: Readonly<Record<Way, Lane>>;
  readonly #server: () => DatagramServer;
  readonly #onRoom: () => void;
  readonly #pending = new Set<Promise<void>>();
  /** Runs of one session that are to be sent up. */
  #up: Parcel[] = [];
  #down: Parcel[] = [];
  /** The session of the last answers, and how many sessions had answers in this round and in the last one. */
  #lastAnswered: Session | undefined;
  #answered = 0;
  #answeredBefore = 0;
  #roundEnds = false;

  /** @param onRoom called after a send that had to wait */
  constructor(lanes: Readonly<Record<Way, Lane>>, server: () => DatagramServer, onRoom: () => void) {
    this.#lanes = lanes;
    this.#server = server;
    this.#onRoom = onRoom;
  }

  /** Passes a run of a client on as it is. Call {@link endUp} after the last run that arrived. */
  up(session: Session, run: Run): void {
    const { bytes: data, segmentBytes, count } = run;
    const [first] = this.#up;
    if (first !== undefined && first.session !== session) this.endUp();
    this.#lanes.up.receive(session, count, data.length);
    this.#up.push({ data, segmentBytes, session, count });
  }

  endUp(): void {
    const [first] = this.#up;
    if (first === undefined) return;
    const parcels = this.#up;
    this.#up = [];
    void this.#keep(this.#sendToTarget(first.session, parcels));
  }

  /** Whether {@link down} sends the next answers of this session at once. */
  sendsAtOnce(session: Session): boolean {
    const answered = session === this.#lastAnswered ? this.#answered : this.#answered + 1;
    return answered <= MOST_AT_ONCE && this.#answeredBefore <= MOST_AT_ONCE;
  }

  /** Passes runs of the target on as they are. */
  down(session: Session, runs: readonly Run[]): void {
    const { client: remote, asked: local } = session;
    const lane = this.#lanes.down;
    const sendsAtOnce = this.sendsAtOnce(session);
    for (const { bytes: data, segmentBytes, count } of runs) {
      lane.receive(session, count, data.length);
      const parcel: Parcel = { data, segmentBytes, remote, local, session, count };
      this.#down.push(parcel);
    }
    if (session !== this.#lastAnswered) {
      this.#lastAnswered = session;
      this.#answered += 1;
    }
    if (!this.#roundEnds) {
      this.#roundEnds = true;
      setImmediate(this.#endRound);
    }
    // One system call for the answers of many sessions is faster. With few sessions it would only delay them.
    if (sendsAtOnce) this.flush();
  }

  readonly #endRound = (): void => {
    this.#roundEnds = false;
    this.#answeredBefore = this.#answered;
    this.#answered = 0;
    this.#lastAnswered = undefined;
    this.flush();
  };

  /** Sends the answers that wait for the end of the round. */
  flush(): void {
    if (this.#down.length === 0) return;
    const parcels = this.#down;
    this.#down = [];
    void this.#keep(this.#lanes.down.settle(parcels, this.#server().sendRuns(parcels as never)));
  }

  /**
   * Sends parcels in their order.
   *
   * @param onSent told of what was sent, and when. Default: nobody is.
   */
  send(way: Way, parcels: readonly Parcel[], onSent: OnSent | undefined): Promise<void> | undefined {
    return this.#keep(way === 'down' ? this.#sendToClients(parcels, onSent) : this.#sendToTargets(parcels, onSent));
  }

  #sendToTargets(parcels: readonly Parcel[], onSent: OnSent | undefined): Promise<void> | undefined {
    const [only] = parcels;
    if (parcels.length === 1 && only !== undefined) return this.#sendToTarget(only.session, [plain(only)], onSent);
    const bySession = new Map<Session, Parcel[]>();
    for (const parcel of parcels) {
      const own = bySession.get(parcel.session);
      if (own === undefined) bySession.set(parcel.session, [plain(parcel)]);
      else own.push(plain(parcel));
    }
    const all = [...bySession].flatMap(([session, own]) => this.#sendToTarget(session, own, onSent) ?? []);
    return all.length === 0 ? undefined : Promise.all(all).then(() => undefined);
  }

  #sendToTarget(session: Session, parcels: Parcel[], onSent?: OnSent): Promise<void> | undefined {
    const lane = this.#lanes.up;
    const { link } = session;
    if (link !== undefined) {
      return settle(lane, parcels, (timesMs) => link.send(parcels, timesMs), onSent);
    }
    return this.#whenOpen(session, parcels, onSent);
  }

  async #whenOpen(session: Session, borrowed: Parcel[], onSent: OnSent | undefined): Promise<void> {
    const lane = this.#lanes.up;
    const parcels = borrowed.map((parcel) => ({ ...parcel, data: Uint8Array.from(parcel.data) }));
    lane.inFlight += parcels.length;
    await session.opening;
    lane.inFlight -= parcels.length;
    const { link } = session;
    if (link === undefined) lane.discard(parcels);
    else await settle(lane, parcels, (timesMs) => link.send(parcels, timesMs), onSent);
  }

  #sendToClients(parcels: readonly Parcel[], onSent: OnSent | undefined): Promise<void> | undefined {
    const server = this.#server();
    return settle(
      this.#lanes.down,
      parcels,
      (timesMs) =>
        timesMs === undefined ? server.sendRuns(parcels as never) : server.sendBatch(parcels as never, { timesMs }),
      onSent,
    );
  }

  #keep(sent: Promise<void> | undefined): Promise<void> | undefined {
    if (sent === undefined) return undefined;
    this.#pending.add(sent);
    void sent.finally(() => {
      this.#pending.delete(sent);
      this.#onRoom();
    });
    return sent;
  }

  /** Resolves when the kernel has taken or refused everything. */
  async settled(): Promise<void> {
    this.flush();
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }
}

/** A parcel without an address: the socket of its session has one. */
function plain({ data, segmentBytes, session, count }: Parcel): Parcel {
  return { data, segmentBytes, session, count };
}

/** Sends parcels and counts what the kernel took. */
function settle(
  lane: Lane,
  parcels: readonly Parcel[],
  send: (timesMs: Float64Array | undefined) => Promise<readonly SendFailure[]>,
  onSent: OnSent | undefined,
): Promise<void> | undefined {
  if (onSent === undefined) return lane.settle(parcels, send(undefined));
  const timesMs = new Float64Array(parcels.length);
  return lane.settle(parcels, send(timesMs), (refused) => {
    if (refused.size === 0) return onSent(parcels, timesMs);
    const isSent = (_: unknown, index: number): boolean => !refused.has(index);
    return onSent(parcels.filter(isSent), timesMs.filter(isSent));
  });
}
