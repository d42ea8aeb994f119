import { type Endpoint, isWildcard, sameEndpoint } from '../../address/endpoint.js';
import type { Arrivals, Datagram, Run } from '../../datagram.js';
import { countOf, cutRuns } from '../../runs.js';
import type { EngineEvents } from '../engine.js';
import { receiveError } from '../errors.js';
import { KERNEL_FACTOR, LEAST_CHARGE_BYTES } from '../limits.js';
import { EAGAIN, EINTR, ENOBUFS, ENOMEM } from './constants.js';
import { type ErrorQueue, isPendingError } from './error-queue.js';
import type { OpenedSocket } from './open.js';
import { RECEIVED_AT_ONCE, type Reception } from './reception.js';
import { systemError } from './system-calls.js';
import type { Turns } from './turns.js';

/** How many system calls receive in one round of the event loop. */
const RECEIVES_PER_TURN = 16;

/** Limits at which reading stops, although there may be more to read. Each is unlimited by default. */
interface ReadLimits {
  /** Whether a call asks for as many messages as usually wait. The event loop tells of the others. Default: for all. */
  readonly asUsual?: boolean;
  readonly mostCalls?: number;
  /** Bytes of the kernel's buffer that the datagrams took, counted as Linux counts them. */
  readonly mostBytes?: number;
  readonly withinMs?: number;
}

/** Reads datagrams from a socket as fast as its owner has room for them. */
export class Receiving {
  readonly #socket: OpenedSocket;
  readonly #events: EngineEvents;
  readonly #turns: Turns;
  readonly #errors: ErrorQueue;
  /** The `local` of a datagram for which the kernel did not tell it. */
  readonly #fallbackLocal: Endpoint | undefined;
  /** Datagrams that were read although there was no room: one message of the kernel may hold many datagrams. */
  #backlog: Datagram[] = [];
  /**
   * How many datagrams a message of the last call held on average. The next call reads only as many messages as fit.
   */
  #datagramsPerMessage = 1;
  /** How many messages usually wait. To look for one more takes the kernel time, before the response leaves. */
  #usual = 1;
  /** Whether reading stopped because the owner has no room. */
  #full = false;
  #failing = false;

  constructor(socket: OpenedSocket, events: EngineEvents, turns: Turns, errors: ErrorQueue) {
    this.#socket = socket;
    this.#events = events;
    this.#turns = turns;
    this.#errors = errors;
    this.#fallbackLocal = isWildcard(socket.local.address) ? undefined : socket.local;
  }

  /** Whether the owner had room when it was last asked. */
  get hasRoom(): boolean {
    return !this.#full;
  }

  /** The event loop reported an error: the next turn reads the error queue. */
  failed(): void {
    this.#failing = true;
  }

  /** Reads for one turn, and asks for another turn if there may be more to read. */
  turn(): void {
    if (this.#failing) {
      this.#failing = false;
      this.#errors.read();
      this.#errors.clearPending();
    }
    if (this.#read({ mostCalls: RECEIVES_PER_TURN, asUsual: true })) this.#turns.take();
  }

  /** See `EngineSocket.resume`. */
  resume(): void {
    if (!this.#full || this.#turns.closed) return;
    this.#full = false;
    this.#turns.take();
  }

  /** Reads the ICMP errors and datagrams that the kernel holds now, see `EngineSocket.poll`. */
  drain(withinMs: number): void {
    this.#errors.read();
    // The kernel's buffer holds at most this much now. A flood would fill it again and again, so reading stops there.
    this.#read({ mostBytes: this.#socket.buffers.recvBytes * KERNEL_FACTOR, withinMs });
  }

  /** Discards the backlog. */
  giveUp(): void {
    this.#backlog = [];
  }

  /**
   * Reads until the kernel has no more, the owner has no room, or a limit is reached. Returns whether there may be
   * more.
   */
  #read({ asUsual = false, mostCalls = Infinity, mostBytes = Infinity, withinMs = Infinity }: ReadLimits): boolean {
    const { machinery, fd, local } = this.#socket;
    const { reception, calls } = machinery;
    const untilMs = withinMs === Infinity ? Infinity : performance.now() + withinMs;
    let bytes = 0;
    for (let nth = 0; nth < mostCalls && bytes < mostBytes && !this.#turns.closed; nth += 1) {
      if (nth > 0 && untilMs < Infinity && performance.now() >= untilMs) return true;
      const { arrivals } = this.#events;
      // Ask for room before each call: a waiting reader may have taken the whole last batch.
      const room = !this.#giveBacklog() ? 0 : arrivals === undefined ? this.#events.room() : Infinity;
      this.#full = room <= 0;
      if (this.#full) return false;
      const fitting = Math.max(1, Math.min(RECEIVED_AT_ONCE, Math.floor(room / this.#datagramsPerMessage)));
      const most = asUsual ? Math.min(this.#usual, fitting) : fitting;
      const received = reception.receive(fd, most);
      if (received < 0) {
        if (!this.#survive(calls.errno())) return false;
        continue;
      }
      this.#turns.succeeded();
      this.#usual = received === most ? Math.min(2 * most, RECEIVED_AT_ONCE) : received;
      bytes += chargeOf(reception, received);
      if (arrivals !== undefined) {
        for (const together of reception.arrivals(received)) this.#tellOf(together);
      } else if (this.#events.takesRuns()) {
        const borrowed = this.#events.borrowsRuns?.() === true;
        const runs = reception.runs(received, local.port, this.#fallbackLocal, borrowed);
        const count = countOf(runs);
        this.#datagramsPerMessage = Math.ceil(count / received) || 1;
        this.#giveRuns(runs, count, room, borrowed);
      } else {
        const batch = reception.datagrams(received, local.port, this.#fallbackLocal);
        this.#datagramsPerMessage = Math.ceil(batch.length / received) || 1;
        this.#give(batch, room);
      }
      // The event loop tells of datagrams that are left in the kernel, and of the next one that comes. It does not tell of the
      // backlog, which needs another round.
      const isDone = received < most || (asUsual && most < RECEIVED_AT_ONCE);
      if (isDone && this.#backlog.length === 0) return false;
    }
    return true;
  }

  /** Deals with an error of receiving. Returns whether to read again now. */
  #survive(errno: number): boolean {
    if (errno === EAGAIN) {
      this.#turns.succeeded();
      return false;
    }
    if (isPendingError(errno)) {
      const { icmp, local } = this.#errors.read();
      return icmp > 0 || local || this.#turns.triesAgain();
    }
    if (errno === EINTR) return this.#turns.triesAgain();
    const error = receiveError(systemError('recvmmsg', errno), this.#socket.local);
    if (errno !== ENOMEM && errno !== ENOBUFS) {
      this.#events.failed(error);
      return false;
    }
    this.#events.receiveError(error);
    return this.#turns.triesAgain();
  }

  /** Reports counts, unless the owner closed the socket during an earlier report. */
  #tellOf(together: Arrivals): void {
    if (!this.#turns.closed) this.#events.arrivals?.(together);
  }

  /** Delivers the backlog as far as there is room. Returns whether it is empty now. */
  #giveBacklog(): boolean {
    while (this.#backlog.length > 0) {
      const room = this.#events.room();
      if (room <= 0) return false;
      const backlog = this.#backlog;
      this.#backlog = [];
      this.#give(backlog, room);
    }
    return true;
  }

  /** Delivers as many datagrams as there is room for, and puts the others into the backlog. */
  #give(batch: Datagram[], room: number): void {
    const { remote, hearStrays } = this.#socket.request;
    if (batch.length === 0) return;
    if (remote !== undefined) {
      const strays = takeStrays(batch, remote);
      if (strays.length > 0 && hearStrays) this.#events.strays(strays);
      if (batch.length === 0) return;
    }
    if (batch.length > room) {
      this.#backlog = batch.splice(Math.max(room, 0));
      if (batch.length === 0) return;
    }
    this.#events.datagrams(batch);
  }

  /**
   * Delivers runs. Cuts them into datagrams if there is not room for all, or if some are strays.
   *
   * @param borrowed whether their payloads stand in the memory of reception
   */
  #giveRuns(runs: Run[], count: number, room: number, borrowed: boolean): void {
    const { remote: peer } = this.#socket.request;
    const hasStrays = peer !== undefined && runs.some(({ remote }) => !sameEndpoint(remote, peer));
    const { reception } = this.#socket.machinery;
    if (count > room || hasStrays) this.#give(cutRuns(borrowed ? reception.keep(runs) : runs), room);
    else if (runs.length > 0) this.#events.runs(runs);
  }
}

/** How many bytes of the kernel's buffer the last `received` messages took at least. */
function chargeOf({ messages }: Reception, received: number): number {
  let bytes = 0;
  for (let nth = 0; nth < received; nth += 1) bytes += Math.max(messages.length(nth), LEAST_CHARGE_BYTES);
  return bytes;
}

/**
 * Removes the strays from a batch and returns them. A connected socket may have some too: between bind(2) and
 * connect(2) it receives from every address.
 */
function takeStrays(batch: Datagram[], peer: Endpoint): Datagram[] {
  let last: Endpoint | undefined;
  let isPeer = false;
  const isStray = ({ remote }: Datagram): boolean => {
    if (remote !== last) {
      last = remote;
      isPeer = sameEndpoint(remote, peer);
    }
    return !isPeer;
  };
  if (!batch.some(isStray)) return [];
  const strays = batch.filter(isStray);
  const own = batch.filter((datagram) => !isStray(datagram));
  batch.splice(0, batch.length, ...own);
  return strays;
}
