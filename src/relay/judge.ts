import { type Endpoint, type Run, sameEndpoint } from '../net/index.js';
import type { Loss } from './counts.js';
import type { Taken } from './inbox.js';
import type { FaultyParcel, Lane } from './lane.js';
import { LoopWatch } from './loop-watch.js';
import type { RelaySettings, Way } from './plan.js';
import type { RelayEvents, Warning } from './relay-events.js';
import type { Session } from './session.js';
import type { Sessions } from './sessions.js';
import { Targets } from './targets.js';

/** Decides before the faults what happens to a datagram: its session, and the bounds that take it away. */
export class Judge {
  /** The addresses of the target. */
  targets: Targets;
  readonly #settings: Pick<RelaySettings, 'count' | 'responses'>;
  readonly #lanes: Readonly<Record<Way, Lane>>;
  readonly #sessions: Sessions;
  readonly #events: Pick<RelayEvents, 'warned' | 'retargeted'>;
  readonly #loopWatch = new LoopWatch();
  readonly #told = new Set<Warning>();

  constructor(
    settings: Pick<RelaySettings, 'count' | 'responses'>,
    targets: readonly Endpoint[],
    lanes: Readonly<Record<Way, Lane>>,
    sessions: Sessions,
    events: Pick<RelayEvents, 'warned' | 'retargeted'>,
  ) {
    this.#settings = settings;
    this.targets = new Targets(targets);
    this.#lanes = lanes;
    this.#sessions = sessions;
    this.#events = events;
  }

  /** Returns the session of a client, and opens one if there is none; or the bound that forbids it. */
  sessionOf(
    { remote, local }: Pick<Run, 'remote' | 'local'>,
    nowMs: number,
    first: () => Uint8Array,
  ): Session | 'full' | 'noTarget' {
    const known = this.#sessions.table.find(remote, local);
    if (known !== undefined) {
      this.#sessions.table.use(known, nowMs);
      return known;
    }
    const target = this.targets.first;
    if (target === undefined) return 'noTarget';
    if (this.#sessions.isFull) {
      this.warn('full');
      if (!this.#told.has('loop') && this.#loopWatch.isLoop()) this.warn('loop');
      return 'full';
    }
    const session = this.#sessions.open(remote, local, target);
    this.#loopWatch.opened(session, first());
    return session;
  }

  /** Counts datagrams of a client that gets no session. */
  refuse(why: Loss, count: number, bytes: number): void {
    const { counts } = this.#lanes.up;
    counts.received += count;
    counts.bytes += bytes;
    counts.lose(why, count);
  }

  /** Counts a datagram. Returns it ready to send, or the bound that takes it away; undefined if it comes after the end. */
  judge(taken: Taken, nowMs: number): FaultyParcel | Loss | undefined {
    const { way, data, timeMs: arrivedMs } = taken;
    const lane = this.#lanes[way];
    if (way === 'up') {
      if (lane.counts.received >= (this.#settings.count ?? Infinity)) return undefined;
      const session = this.sessionOf(taken, nowMs, () => data);
      if (typeof session === 'string') {
        this.refuse(session, 1, data.length);
        return session;
      }
      taken.session = session;
    }
    const session = taken.session as Session;
    const own = session.counts[way];
    if (way === 'down') {
      if (session.endReason !== undefined || own.received === this.#settings.responses) return undefined;
      this.#sessions.table.use(session, nowMs);
    }
    lane.receive(session, 1, data.length);
    if (way === 'up') session.amplification?.received(data.length);
    else if (session.amplification?.admits(data.length * (lane.duplicates ? 2 : 1)) === false) {
      lane.lose(session, 'amplification', 1);
      this.warn('amplification', session);
      return 'amplification';
    }
    const [remote, local] = way === 'up' ? [session.target, undefined] : [session.client, session.asked];
    return { data, remote, local, session, count: 1, arrivedMs, place: { flow: session, nth: own.received } };
  }

  /**
   * An address of the target refused datagrams of a session. New sessions go to another address of the target, if it has one,
   * and so does this session, unless it got an answer before.
   */
  refused(session: Session, by: Endpoint | undefined): void {
    if (by === undefined) return;
    this.passOver(by);
    const { first } = this.targets;
    if (first === undefined || sameEndpoint(first, session.target) || !sameEndpoint(by, session.target)) return;
    if (session.counts.down.received > 0) return;
    void this.#sessions.rebind(session, first).then((isRebound) => {
      if (!isRebound) this.passOver(first);
    });
  }

  /** Lets new sessions go to another address of the target, if it has one. */
  passOver(address: Endpoint): void {
    const next = this.targets.refused(address);
    if (next !== undefined) this.#events.retargeted(next);
  }

  /** Tells something once. */
  warn(warning: Warning, session?: Session): void {
    if (this.#told.has(warning)) return;
    this.#told.add(warning);
    this.#events.warned(warning, session);
  }
}
