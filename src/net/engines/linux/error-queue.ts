import type { EngineEvents } from '../engine.js';
import {
  EACCES,
  EAGAIN,
  ECONNREFUSED,
  EHOSTDOWN,
  EHOSTUNREACH,
  EMSGSIZE,
  ENETUNREACH,
  ENONET,
  ENOPROTOOPT,
  EOPNOTSUPP,
  EPROTO,
  MSG_ERRQUEUE,
} from './constants.js';
import { icmpError, type QueuedError, type QueuedTime, readQueued } from './icmp.js';
import type { OpenedSocket } from './open.js';
import { RECEIVED_AT_ONCE } from './reception.js';
import type { Turns } from './turns.js';

/**
 * How many errors are read in one round of the event loop, so that a flood of ICMP errors does not block the process.
 */
const ERRORS_PER_TURN = 1024;

/** Error numbers by which a call may report a pending ICMP error (icmp_err_convert, icmpv6_err_convert of Linux). */
const PENDING = new Set([
  EACCES,
  ECONNREFUSED,
  EHOSTDOWN,
  EHOSTUNREACH,
  EMSGSIZE,
  ENETUNREACH,
  ENONET,
  ENOPROTOOPT,
  EOPNOTSUPP,
  EPROTO,
]);

/** Whether a call may have failed with the ICMP error of an earlier datagram. */
export function isPendingError(errno: number): boolean {
  return PENDING.has(errno);
}

/** The result of reading an error queue. */
export interface ErrorsRead {
  /** How many ICMP errors it held. */
  readonly icmp: number;
  /** Whether it held an error of this host, which refused to send a datagram. */
  readonly local: boolean;
  /** The MTU of the path in bytes, if this host refused the datagram because it is larger. */
  readonly mtu: number | undefined;
  /** The latest time of a sent datagram that it held, in milliseconds since the epoch. */
  readonly sentMs: number | undefined;
}

/** Reads the error queue of a socket (IP_RECVERR, ip(7)) and reports its ICMP errors as events. */
export class ErrorQueue {
  readonly #socket: OpenedSocket;
  readonly #events: EngineEvents;
  readonly #turns: Turns;

  constructor(socket: OpenedSocket, events: EngineEvents, turns: Turns) {
    this.#socket = socket;
    this.#events = events;
    this.#turns = turns;
  }

  /**
   * Reads the queue until it is empty, or `ERRORS_PER_TURN` errors were read.
   *
   * @param untilTime whether to stop after the time of a sent datagram. It stands before the ICMP errors for that datagram, which
   *   the event loop tells of: so no listener hears of them before the send has ended.
   */
  read(untilTime = false): ErrorsRead {
    const { machinery, fd } = this.#socket;
    const { errors, calls } = machinery;
    let icmp = 0;
    let local = false;
    let mtu: number | undefined;
    let sentMs: number | undefined;
    while (icmp < ERRORS_PER_TURN && !this.#turns.closed && !(untilTime && sentMs !== undefined)) {
      const read = errors.receive(fd, untilTime ? 1 : RECEIVED_AT_ONCE, MSG_ERRQUEUE);
      if (read < 0 && calls.errno() !== EAGAIN && this.#turns.triesAgain()) continue;
      if (read <= 0) break;
      // Take all entries out of the shared memory first: a listener may send, which overwrites it.
      for (const entry of this.#entries(read)) {
        if ('sentMs' in entry) ({ sentMs } = entry);
        else if (entry.icmp === undefined) {
          local = true;
          mtu = entry.mtu;
        } else {
          icmp += 1;
          const { errno, peer = this.#socket.request.remote } = entry;
          this.#events.peerError(icmpError({ errno, peer, icmp: entry.icmp }, this.#socket.local));
        }
      }
    }
    return { icmp, local, mtu, sentMs };
  }

  #entries(read: number): (QueuedError | QueuedTime)[] {
    const { messages, remotes } = this.#socket.machinery.errors;
    const entries: (QueuedError | QueuedTime)[] = [];
    for (let nth = 0; nth < read; nth += 1) {
      const entry = readQueued(messages, nth, remotes);
      if (entry !== undefined) entries.push(entry);
    }
    return entries;
  }

  /** Clears a pending error that has no entry in the queue. The event loop would report it again and again. */
  clearPending(): void {
    this.#socket.machinery.options.pendingError(this.#socket.fd);
  }
}
