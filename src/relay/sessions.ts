import { setImmediate as nextRound } from 'node:timers/promises';
import { systemCode } from '../net/errors.js';
import { DatagramError, type Endpoint } from '../net/index.js';
import { isLoopback } from '../net/address/endpoint.js';
import { Alarm } from '../timing/alarm.js';
import { Link, type LinkOptions, type LinkOwner } from './link.js';
import { type EndReason, Session, type SessionSocket } from './session.js';
import { SessionTable } from './session-table.js';

/** After a rebinding, answers to the old port are passed on for this time, in milliseconds. */
const FORMER_PORT_MS = 1000;

/** Codes of the system when it has no descriptor, no port or no memory for one more socket. */
const EXHAUSTED: ReadonlySet<string | undefined> = new Set([
  'EMFILE',
  'ENFILE',
  'EADDRINUSE',
  'EADDRNOTAVAIL',
  'EAGAIN',
  'ENOBUFS',
  'ENOMEM',
]);

/** How many sockets a session has at most. @param rebindMs how often it gets a new source port; undefined: never */
export function mostSocketsEach(rebindMs: number | undefined): number {
  return rebindMs === undefined ? 1 : 1 + Math.ceil(FORMER_PORT_MS / rebindMs);
}

/** The functions that {@link Sessions} calls. */
export interface SessionEvents {
  readonly opened: (session: Session) => void;
  /** A session ended. All its datagrams were sent or given up, or nothing can send them any more. */
  readonly ended: (session: Session) => void;
  /** A session has a new source port. */
  readonly rebound: (session: Session) => void;
  /** No socket could be opened. `isExhausted`: for want of descriptors or ports. */
  readonly openFailed: (session: Session, error: DatagramError, isExhausted: boolean) => void;
}

/** The bounds on the sessions of a relay. */
export interface SessionLimits {
  /** The number of sessions at a time. */
  readonly max: number;
  /** Returns the number of a new session. The relays of a process share it. */
  readonly nextNumber: () => number;
}

/** How sessions begin and end. */
export interface SessionOptions extends SessionLimits {
  readonly timeoutMs: number;
  readonly rebindMs: number | undefined;
  /** Whether every client gets every answer, however long. */
  readonly trustsAll: boolean;
}

/** Opens and ends the sessions of a relay, and their sockets. */
export class Sessions {
  readonly table: SessionTable;
  readonly #options: SessionOptions;
  readonly #links: LinkOptions;
  readonly #owner: LinkOwner;
  readonly #events: SessionEvents;
  /** Sessions that have ended, and of which datagrams still wait. */
  readonly #ending = new Set<Session>();
  readonly #closing = new Set<Promise<void>>();
  #rebindMs: (session: Session) => number | undefined;
  #opened = 0;
  /** Datagrams that the kernel dropped on sockets that are closed. */
  #formerDrops = 0;
  #formerDropsAreLowerBound = false;

  constructor(options: SessionOptions, links: LinkOptions, owner: LinkOwner, events: SessionEvents) {
    this.#options = options;
    this.#rebindMs = () => options.rebindMs;
    this.#links = links;
    this.#owner = owner;
    this.#events = events;
    this.table = new SessionTable(options.timeoutMs, (session) => {
      // A delayed datagram will still use it.
      if (session.waiting > 0) this.table.use(session, performance.now());
      else this.end(session, 'idle');
    });
  }

  /** How many sessions were opened. */
  get opened(): number {
    return this.#opened;
  }

  get isFull(): boolean {
    return this.table.size >= this.#options.max;
  }

  /** Opens a session. Its socket may be ready only later. */
  open(client: Endpoint, asked: Endpoint | undefined, target: Endpoint): Session {
    const trusted = this.#options.trustsAll || isLoopback(client.address);
    const session = new Session(this.#options.nextNumber(), { client, asked, target }, trusted);
    this.table.add(session);
    session.opening = this.#openLink(session).then(
      (link) => {
        session.link = link;
        this.#opened += 1;
        this.#events.opened(session);
        if (session.endReason !== undefined) this.settled(session);
        else this.#rebindAgain(session);
      },
      (error: unknown) => {
        // A session without a socket is none. The next datagram of the client tries again.
        session.endReason = 'end';
        this.table.remove(session);
        this.#ending.delete(session);
        this.#tell(session, error);
      },
    );
    return session;
  }

  #openLink(session: Session, target = session.target): Promise<SessionSocket> {
    return Link.open(session, target, this.#owner, this.#links);
  }

  #tell(session: Session, error: unknown): void {
    if (!(error instanceof DatagramError)) throw error;
    this.#events.openFailed(session, error, EXHAUSTED.has(systemCode(error.cause)));
  }

  #rebindAgain(session: Session): void {
    session.rebinding?.stop();
    const rebindMs = this.#rebindMs(session);
    if (rebindMs === undefined) return;
    session.rebinding = new Alarm(() => {
      void this.rebind(session).finally(() => {
        if (session.endReason === undefined) this.#rebindAgain(session);
      });
    });
    session.rebinding.set(rebindMs);
  }

  /** Changes how often each session gets a new source port, in milliseconds. Undefined: never. */
  rebindAll(everyMs: (session: Session) => number | undefined): void {
    this.#rebindMs = everyMs;
    for (const session of this.table) if (session.link !== undefined) this.#rebindAgain(session);
  }

  /**
   * Gives a session a new source port. If that fails, the session keeps the old one.
   *
   * @param target the address that the datagrams of the client go to from now on. Default: the same one as before.
   * @returns whether it succeeded
   */
  async rebind(session: Session, target?: Endpoint): Promise<boolean> {
    try {
      const link = await this.#openLink(session, target);
      const former = session.link;
      if (session.endReason !== undefined || former === undefined) {
        this.#close(link);
        return false;
      }
      session.link = link;
      if (target !== undefined) session.target = target;
      session.former = [...session.former, former];
      setTimeout(() => {
        if (!session.former.includes(former)) return;
        session.former = session.former.filter((other) => other !== former);
        this.#close(former);
        session.kernelDropped = dropsOf(session);
      }, FORMER_PORT_MS).unref();
      this.#events.rebound(session);
      return true;
    } catch (error) {
      this.#tell(session, error);
      return false;
    }
  }

  /** Ends a session. It takes no more datagrams. Its socket closes when its last datagram has left. */
  end(session: Session, reason: EndReason): void {
    if (session.endReason !== undefined) return;
    session.endReason = reason;
    session.rebinding?.stop();
    this.table.remove(session);
    this.#ending.add(session);
    this.settled(session);
  }

  /** A datagram of the session was sent or given up. If it was the last one of an ended session, closes its sockets. */
  settled(session: Session): void {
    if (session.endReason === undefined || session.waiting > 0) return;
    if (session.link === undefined || !this.#ending.delete(session)) return;
    this.#finish(session);
  }

  #finish(session: Session): void {
    this.#events.ended(session);
    const links = [...(session.link === undefined ? [] : [session.link]), ...session.former];
    session.link = undefined;
    session.former = [];
    for (const link of links) this.#close(link);
  }

  #close(link: SessionSocket): void {
    const closed = link.close().finally(() => {
      this.#closing.delete(closed);
    });
    this.#formerDrops += link.kernelDropped ?? 0;
    if (link.kernelDropsAreLowerBound) this.#formerDropsAreLowerBound = true;
    this.#closing.add(closed);
  }

  /** The sockets of all sessions. */
  *links(): Generator<SessionSocket> {
    for (const sessions of [this.table, this.#ending]) {
      for (const { link, former } of sessions) {
        if (link !== undefined) yield link;
        yield* former;
      }
    }
  }

  /**
   * Datagrams that the kernel dropped on the sockets of sessions.
   *
   * @param sinceMs asks only the sockets of sessions that were used since then. A socket without traffic drops nothing.
   */
  kernelDropped(sinceMs = -Infinity): { readonly count: number; readonly isLowerBound: boolean } {
    let count = this.#formerDrops;
    let isLowerBound = this.#formerDropsAreLowerBound;
    for (const session of this.table.latest()) {
      if (session.usedMs >= sinceMs) session.kernelDropped = dropsOf(session);
      count += session.kernelDropped;
      if (session.link?.kernelDropsAreLowerBound === true) isLowerBound = true;
    }
    return { count, isLowerBound };
  }

  /** Ends all sessions and waits until their sockets are closed. Datagrams that still wait are not sent. */
  async close(reason: EndReason): Promise<void> {
    for (const session of [...this.table]) this.end(session, reason);
    for (const session of [...this.#ending]) {
      await session.opening;
      // Closing a socket gives up the datagrams that the kernel has no room for.
      await session.link?.close();
      if (session.waiting > 0) await nextRound();
      if (this.#ending.delete(session)) this.#finish(session);
    }
    await Promise.all(this.#closing);
  }
}

/** Datagrams that the kernel dropped on the sockets that the session has now. */
function dropsOf({ link, former }: Session): number {
  return [link, ...former].reduce((sum, socket) => sum + (socket?.kernelDropped ?? 0), 0);
}
