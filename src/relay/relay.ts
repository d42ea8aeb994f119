import { type ActiveFault, activeFaults } from '../faults/active-fault.js';
import { type DatagramServer, type Endpoint, type Run, startUdpServer } from '../net/index.js';
import { chooseEngine } from '../net/engines/choice.js';
import type { KernelCounter } from '../run/drop-watch.js';
import { Admission } from './admission.js';
import { Forwarding } from './forwarding.js';
import { Judge } from './judge.js';
import { judgeBatch } from './judged-batch.js';
import { type FaultyParcel, Lane, type Parcel } from './lane.js';
import type { LinkOptions } from './link.js';
import type { RelaySettings, Way } from './plan.js';
import type { RelayEvents, Viewer } from './relay-events.js';
import type { EndReason, Session } from './session.js';
import { type SessionLimits, Sessions } from './sessions.js';
import { Targets } from './targets.js';
import { Inbox, type Taken } from './inbox.js';

/** The faults that act on each way. */
export type Acting = Readonly<Record<Way, readonly ActiveFault[]>>;

/** Passes datagrams on between clients and a target. {@link Relay.start} makes it. */
export class Relay implements KernelCounter {
  readonly sessions: Sessions;
  readonly lanes: Readonly<Record<Way, Lane>>;
  readonly admission: Admission;
  readonly #events: RelayEvents;
  readonly #settings: RelaySettings;
  readonly #inbox: Inbox;
  readonly #forwarding: Forwarding;
  readonly #judge: Judge;
  #server!: DatagramServer;
  #viewer: Viewer | undefined;
  #takes: 'both' | 'answers' | 'nothing' = 'both';
  #work: Promise<void> = Promise.resolve();
  /** When the kernel was last asked for its drops. */
  #askedMs = -Infinity;

  private constructor(
    settings: RelaySettings,
    targets: readonly Endpoint[],
    links: LinkOptions,
    limits: SessionLimits,
    events: RelayEvents,
  ) {
    const { faults, seed, socket } = settings;
    this.#events = events;
    this.#settings = settings;
    this.admission = new Admission(settings);
    this.sessions = new Sessions(
      {
        timeoutMs: settings.sessionTimeout,
        ...limits,
        rebindMs: settings.rebind,
        trustsAll: settings.allow !== undefined || settings.amplify === true,
      },
      links,
      {
        roomFor: (link) => this.#inbox.roomFor(link),
        // Answers that are cut into datagrams are sent, or copied by a delay, before `answered` returns.
        borrows: (session) =>
          this.#inbox.isOpen && (!this.#passesAnswersOn(session) || this.#forwarding.sendsAtOnce(session)),
        answered: (session, runs) => {
          this.#answered(session, runs);
        },
        refused: (session, error) => {
          events.refused(session, error);
          if (error.code === 'REFUSED' || error.code === 'UNREACHABLE') this.#judge.refused(session, error.peer);
        },
        receiveFailed: events.receiveFailed,
        failed: (session, error) => {
          events.refused(session, error);
          this.sessions.end(session, 'end');
        },
      },
      {
        opened: events.sessionOpened,
        ended: events.sessionEnded,
        rebound: events.sessionRebound,
        openFailed: (session, error, isExhausted) => {
          events.openFailed(session, error, isExhausted);
          if (!isExhausted && session.link === undefined) this.#judge.passOver(session.target);
        },
      },
    );
    const lane = (way: Way): Lane =>
      new Lane(way, activeFaults(faults[way]), seed, {
        transmit: (parcels) => this.#transmit(way, parcels),
        refused: (session, error) => {
          if (way === 'up') events.refused(session, error);
          else events.clientError(error);
        },
        settled: (session) => {
          this.sessions.settled(session);
        },
        overflowed: () => {
          this.#judge.warn('overflow');
        },
      });
    this.lanes = { up: lane('up'), down: lane('down') };
    this.#judge = new Judge(settings, targets, this.lanes, this.sessions, events);
    this.#forwarding = new Forwarding(
      this.lanes,
      () => this.#server,
      () => {
        this.#inbox.resume();
      },
    );
    this.#inbox = new Inbox({
      capacity: socket.maxReadQueue ?? 1024,
      overflow: socket.overflow ?? 'drop-newest',
      inFlight: () => this.lanes.up.inFlight + this.lanes.down.inFlight,
      onDrop: events.dropped,
      resumeClients: () => {
        this.#server.resume();
      },
    });
  }

  /**
   * Binds the socket for clients. Datagrams wait until {@link begin}.
   *
   * @param targets the addresses of the target, looked up. Empty: they are not known yet, and datagrams of clients are lost.
   * @throws {DatagramError} like `startUdpServer`
   */
  static async start(
    settings: RelaySettings,
    targets: readonly Endpoint[],
    limits: SessionLimits,
    events: RelayEvents,
  ): Promise<Relay> {
    const { socket, sessionSocket: options, source, anyPort } = settings;
    // Loading the engine before the relay exists, because its links are opened with it.
    const chosen = await chooseEngine(socket.engine ?? 'auto');
    const links = { engine: chosen.engine, source, anyPort: anyPort === true, options };
    const relay = new Relay(settings, targets, links, limits, events);
    relay.#server = await startUdpServer(settings.listen, { ...socket, receiver: relay.#receiver() });
    // Under `auto`, the server may have fallen back to the other engine.
    links.engine = (await chooseEngine(relay.#server.engine)).engine;
    relay.#server.on('peerError', events.clientError);
    relay.#server.on('receiveError', events.receiveFailed);
    return relay;
  }

  #receiver() {
    return {
      room: () => this.#inbox.roomFor(undefined),
      borrows: () => this.#inbox.isOpen,
      take: (runs: Run[]) => {
        this.#take(runs);
      },
      failed: this.#events.failed,
    };
  }

  /** The socket for clients. */
  get server(): DatagramServer {
    return this.#server;
  }

  /** Whether datagrams that have arrived are not passed on yet. */
  get isBusy(): boolean {
    return this.#inbox.isBusy;
  }

  /** The address that the datagrams of new sessions go to. */
  get target(): Endpoint | undefined {
    return this.#judge.targets.first;
  }

  /** Changes the addresses of the target, for new sessions. */
  set targets(targets: readonly Endpoint[]) {
    this.#judge.targets = new Targets(targets);
  }

  get kernelDropped(): number | undefined {
    const own = this.#server.kernelDropped;
    const sinceMs = this.#askedMs;
    this.#askedMs = performance.now();
    return own === undefined ? undefined : own + this.sessions.kernelDropped(sinceMs).count;
  }

  get kernelDropsAreLowerBound(): boolean {
    return this.#server.kernelDropsAreLowerBound || this.sessions.kernelDropped(Infinity).isLowerBound;
  }

  /** The faults that act. */
  get faults(): Acting {
    return { up: this.lanes.up.acting, down: this.lanes.down.acting };
  }

  /** Replaces the faults. Datagrams that wait keep their moments. */
  set faults({ up, down }: Acting) {
    this.lanes.up.change(up);
    this.lanes.down.change(down);
  }

  /**
   * Begins to pass datagrams on.
   *
   * @param viewer looks at every datagram. Undefined: datagrams are passed on without a look, which is faster.
   */
  begin(viewer: Viewer | undefined): void {
    this.#viewer = viewer;
    if (viewer === undefined) this.#inbox.open();
    this.#work = this.#processAll();
  }

  async #processAll(): Promise<void> {
    try {
      for await (const batch of this.#inbox.batches()) {
        await this.#process(batch);
      }
    } catch (error) {
      this.#events.failed(error);
    }
  }

  /** Takes datagrams of clients. */
  #take(runs: Run[]): void {
    if (this.#takes !== 'both') return;
    const admitted = this.admission.admit(runs, this.lanes.up.counts.received);
    if (admitted.length === 0) return;
    this.#events.arrived();
    if (!this.#inbox.isOpen) this.#inbox.add('up', undefined, admitted);
    else if (this.lanes.up.isClear) this.#forwardUp(admitted);
    else this.#passAtOnce('up', undefined, admitted);
    this.#checkCount();
  }

  /** Ends the taking of datagrams from clients after `count` of them. */
  #checkCount(): void {
    const { count = Infinity } = this.#settings;
    if (this.#takes !== 'both' || this.lanes.up.counts.received < count) return;
    this.#takes = 'answers';
    this.#events.counted();
  }

  /** Takes answers of the target. */
  #answered(session: Session, runs: Run[]): void {
    if (this.#takes === 'nothing' || session.endReason !== undefined) return;
    this.#events.arrived();
    if (!this.#inbox.isOpen) this.#inbox.add('down', session, runs);
    else if (this.#passesAnswersOn(session)) {
      this.sessions.table.use(session, performance.now());
      this.#forwarding.down(session, runs);
    } else this.#passAtOnce('down', session, runs);
  }

  /** Whether answers are passed on as runs: no fault and no bound looks at each. */
  #passesAnswersOn({ amplification }: Session): boolean {
    return this.lanes.down.isClear && amplification?.isProven !== false && this.#settings.responses === undefined;
  }

  /** Passes runs on as they are. */
  #forwardUp(runs: Run[]): void {
    const nowMs = performance.now();
    for (const run of runs) {
      const session = this.#judge.sessionOf(run, nowMs, () => run.bytes.subarray(0, run.segmentBytes));
      if (typeof session === 'string') this.#judge.refuse(session, run.count, run.bytes.length);
      else {
        session.amplification?.received(run.bytes.length);
        this.#forwarding.up(session, run);
      }
    }
    this.#forwarding.endUp();
  }

  /** Passes datagrams on, each by itself, without a viewer. */
  #passAtOnce(way: Way, session: Session | undefined, runs: readonly Run[]): void {
    const parcels: FaultyParcel[] = [];
    const nowMs = performance.now();
    for (const run of runs) {
      for (const datagram of this.#inbox.cut(way, session, run)) {
        const judged = this.#judge.judge(datagram, nowMs);
        if (typeof judged === 'object') parcels.push(judged);
      }
    }
    const lane = this.lanes[way];
    void this.#transmit(way, lane.apply(parcels, nowMs).now);
    if (session !== undefined) this.#endAnswered(session);
  }

  /** Passes datagrams of the inbox on. */
  async #process(batch: readonly Taken[]): Promise<void> {
    const { taken, fates, admitted, now } = judgeBatch(batch, this.#judge, this.lanes, performance.now());
    // A new session is told before its first datagram, and its address is known then.
    for (const { session } of admitted.up) if (session.link === undefined) await session.opening;
    const viewed = this.#viewer?.taken(taken, fates);
    const sending = [this.#transmit('up', now.up), this.#transmit('down', now.down)];
    for (const { session } of admitted.down) this.#endAnswered(session);
    this.#checkCount();
    await Promise.all([viewed, ...sending]);
  }

  #endAnswered(session: Session): void {
    const { responses = Infinity } = this.#settings;
    if (session.counts.down.received >= responses) this.sessions.end(session, 'responses');
  }

  #transmit(way: Way, parcels: readonly Parcel[]): Promise<void> | undefined {
    if (parcels.length === 0) return undefined;
    const viewer = this.#viewer;
    return this.#forwarding.send(way, parcels, viewer && ((sent, timesMs) => viewer.sent(way, sent, timesMs)));
  }

  /** Takes no more datagrams from clients. */
  endTaking(): void {
    if (this.#takes === 'both') this.#takes = 'answers';
  }

  /** Takes the datagrams that have arrived, and then no more. Resolves when they were passed on or wait for their moments. */
  async endReceiving(): Promise<void> {
    await this.#server.poll();
    await Promise.all([...this.sessions.links()].map((link) => link.poll()));
    this.#forwarding.flush();
    this.#takes = 'nothing';
    this.#inbox.end();
    await this.#work;
  }

  /** Resolves when every datagram of a way that was taken has left, or was given up. */
  async passedOn(way: Way): Promise<void> {
    await this.lanes[way].empty();
    await this.#forwarding.settled();
  }

  /** Gives up the datagrams that are due after `untilMs`, by `performance.now()`. */
  cut(untilMs: number): void {
    for (const lane of Object.values(this.lanes)) lane.cut(untilMs);
  }

  /**
   * Ends all sessions and closes all sockets. Datagrams that still wait count as not sent.
   *
   * @param isForced whether to give up datagrams that the kernel has no room for
   */
  async close(reason: EndReason, isForced = false): Promise<void> {
    this.#takes = 'nothing';
    this.#inbox.end();
    for (const lane of Object.values(this.lanes)) lane.stop();
    this.#forwarding.flush();
    if (isForced) this.#server.abort();
    else await this.#forwarding.settled();
    await this.sessions.close(reason);
    this.#server.close();
    await this.#server.waitClosed();
  }
}
