import { type Endpoint, isWildcard, sameEndpoint } from '../../address/endpoint.js';
import type { Arrivals, Datagram, Run } from '../../datagram.js';
import { countOf, datagramsOf } from '../../runs.js';
import type { EngineEvents } from '../engine.js';
import { receiveError } from '../errors.js';
import { KERNEL_FACTOR, LEAST_CHARGE_BYTES } from '../limits.js';
import { EAGAIN, EINTR, ENOBUFS, ENOMEM } from './constants.js';
import { type ErrorQueue, isPendingError } from './error-queue.js';
import type { OpenedSocket } from './open.js';
import { RECEIVED_AT_ONCE, type Reception } from './reception.js';
import { systemError } from './system-calls.js';
import type { Turns } from './turns.js';

/** System calls that receive between two turns of the event loop. */
const RECEIVES_PER_TURN = 16;

/** When reading stops, though there may be more to read. */
interface ReadLimits {
  readonly mostCalls?: number;
  /** Of the kernel's buffer, as Linux charges it. */
  readonly mostBytes?: number;
  readonly withinMs?: number;
}

/** Reads a socket as fast as its owner has room. */
export class Receiving {
  readonly #socket: OpenedSocket;
  readonly #events: EngineEvents;
  readonly #turns: Turns;
  readonly #errors: ErrorQueue;
  /** The `local` of a datagram where the kernel did not tell it. */
  readonly #fallbackLocal: Endpoint | undefined;
  /** Datagrams that were read and found no room: a message of the kernel may hold many. */
  #backlog: Datagram[] = [];
  /** How many datagrams a message held of late. No more messages are read than there is room for their datagrams. */
  #datagramsPerMessage = 1;
  /** Whether reading stopped for want of room. */
  #full = false;
  #failing = false;

  constructor(socket: OpenedSocket, events: EngineEvents, turns: Turns, errors: ErrorQueue) {
    this.#socket = socket;
    this.#events = events;
    this.#turns = turns;
    this.#errors = errors;
    this.#fallbackLocal = isWildcard(socket.local.address) ? undefined : socket.local;
  }

  /** Whether the owner has room for more, as far as is known. */
  get hasRoom(): boolean {
    return !this.#full;
  }

  /** The next turn reads the error queue. */
  failed(): void {
    this.#failing = true;
  }

  /** Reads for one turn, and takes another if there may be more. */
  turn(): void {
    if (this.#failing) {
      this.#failing = false;
      this.#errors.read();
      this.#errors.clearPending();
    }
    if (this.#read({ mostCalls: RECEIVES_PER_TURN })) this.#turns.take();
  }

  /** See `EngineSocket.resume`. */
  resume(): void {
    if (!this.#full || this.#turns.closed) return;
    this.#full = false;
    this.#turns.take();
  }

  /** Reads what the kernel held when it was asked, see `EngineSocket.poll`. */
  drain(withinMs: number): void {
    this.#errors.read();
    // The kernel's buffer cannot have held more. A flood fills it again meanwhile.
    this.#read({ mostBytes: this.#socket.buffers.recvBytes * KERNEL_FACTOR, withinMs });
  }

  /** Gives up datagrams that found no room. */
  giveUp(): void {
    this.#backlog = [];
  }

  /** Reads as far as there is room and the limits allow. Returns whether there may be more. */
  #read({ mostCalls = Infinity, mostBytes = Infinity, withinMs = Infinity }: ReadLimits): boolean {
    const { machinery, fd, local } = this.#socket;
    const { reception, calls } = machinery;
    const untilMs = withinMs === Infinity ? Infinity : performance.now() + withinMs;
    let bytes = 0;
    for (let nth = 0; nth < mostCalls && bytes < mostBytes && !this.#turns.closed; nth += 1) {
      if (nth > 0 && untilMs < Infinity && performance.now() >= untilMs) return true;
      const { arrivals } = this.#events;
      // A reader that waits takes datagrams past the queue, so that there may be room again after each batch.
      const room = !this.#giveBacklog() ? 0 : arrivals === undefined ? this.#events.room() : Infinity;
      this.#full = room <= 0;
      if (this.#full) return false;
      const most = Math.max(1, Math.min(RECEIVED_AT_ONCE, Math.floor(room / this.#datagramsPerMessage)));
      const received = reception.receive(fd, most);
      if (received < 0) {
        if (!this.#survive(calls.errno())) return false;
        continue;
      }
      this.#turns.succeeded();
      bytes += chargeOf(reception, received);
      if (arrivals !== undefined) {
        for (const together of reception.arrivals(received)) this.#tellOf(together);
      } else if (this.#events.takesRuns()) {
        const runs = reception.runs(received, local.port, this.#fallbackLocal);
        const count = countOf(runs);
        this.#datagramsPerMessage = Math.ceil(count / received) || 1;
        this.#giveRuns(runs, count, room);
      } else {
        const batch = reception.datagrams(received, local.port, this.#fallbackLocal);
        this.#datagramsPerMessage = Math.ceil(batch.length / received) || 1;
        this.#give(batch, room);
      }
      // A datagram that came meanwhile makes the socket readable again. The backlog does not.
      if (received < most && this.#backlog.length === 0) return false;
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

  /** The owner may close the socket while it is told. Then it is told no more. */
  #tellOf(together: Arrivals): void {
    if (!this.#turns.closed) this.#events.arrivals?.(together);
  }

  /** Hands over the backlog as far as there is room. Returns whether none of it is left. */
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

  /** Hands over as many datagrams as there is room for and keeps the others. */
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

  /** Hands over runs, or their datagrams where there is no room for all, and where some are no peer's. */
  #giveRuns(runs: Run[], count: number, room: number): void {
    const { remote: peer } = this.#socket.request;
    const hasStrays = peer !== undefined && runs.some(({ remote }) => !sameEndpoint(remote, peer));
    if (count > room || hasStrays) this.#give(runs.flatMap(datagramsOf), room);
    else if (runs.length > 0) this.#events.runs(runs);
  }
}

/** How much of the kernel's buffer the last messages took at least, in bytes. */
function chargeOf({ messages }: Reception, received: number): number {
  let bytes = 0;
  for (let nth = 0; nth < received; nth += 1) bytes += Math.max(messages.length(nth), LEAST_CHARGE_BYTES);
  return bytes;
}

/**
 * Takes the datagrams out of a batch that do not come from the peer. A connected socket has some as well: until it is
 * connected, anybody can reach it.
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
