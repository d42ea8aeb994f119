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
  EPROTO,
  MSG_ERRQUEUE,
} from './constants.js';
import { icmpError, type QueuedError, readQueuedError } from './icmp.js';
import type { OpenedSocket } from './open.js';
import { RECEIVED_AT_ONCE } from './reception.js';
import type { Turns } from './turns.js';

/** Errors read from the error queue between two turns: a flood of them holds nothing up. */
const ERRORS_PER_TURN = 1024;

/** The errors by which the next call tells a pending ICMP error (icmp_err_convert and icmpv6_err_convert in Linux). */
const PENDING = new Set([
  EACCES,
  ECONNREFUSED,
  EHOSTDOWN,
  EHOSTUNREACH,
  EMSGSIZE,
  ENETUNREACH,
  ENONET,
  ENOPROTOOPT,
  EPROTO,
]);

/** Whether a call may have failed with the ICMP error of an earlier datagram. */
export function isPendingError(errno: number): boolean {
  return PENDING.has(errno);
}

/** What a reading of the error queue found. */
export interface ErrorsRead {
  /** How many ICMP errors. */
  readonly icmp: number;
  /** Whether this host itself refused to send a datagram. */
  readonly local: boolean;
}

/** The error queue of a socket (IP_RECVERR in ip(7)): ICMP errors in it become events. */
export class ErrorQueue {
  readonly #socket: OpenedSocket;
  readonly #events: EngineEvents;
  readonly #turns: Turns;

  constructor(socket: OpenedSocket, events: EngineEvents, turns: Turns) {
    this.#socket = socket;
    this.#events = events;
    this.#turns = turns;
  }

  /** Reads the queue until it is empty or the share of a turn is read. */
  read(): ErrorsRead {
    const { machinery, fd } = this.#socket;
    const { reception, calls } = machinery;
    let icmp = 0;
    let local = false;
    while (icmp < ERRORS_PER_TURN && !this.#turns.closed) {
      const read = reception.receive(fd, RECEIVED_AT_ONCE, MSG_ERRQUEUE);
      if (read < 0 && calls.errno() !== EAGAIN && this.#turns.triesAgain()) continue;
      if (read <= 0) break;
      // All are read first: a listener of an event may send, which uses the same memory.
      for (const error of this.#entries(read)) {
        if (error.icmp === undefined) local = true;
        else {
          icmp += 1;
          const { errno, peer = this.#socket.request.remote } = error;
          this.#events.peerError(icmpError({ errno, peer, icmp: error.icmp }));
        }
      }
    }
    return { icmp, local };
  }

  #entries(read: number): QueuedError[] {
    const { messages, remotes } = this.#socket.machinery.reception;
    const errors: QueuedError[] = [];
    for (let nth = 0; nth < read; nth += 1) {
      const error = readQueuedError(messages, nth, remotes);
      if (error !== undefined) errors.push(error);
    }
    return errors;
  }

  /** Clears an error that has no entry in the queue: the event loop would tell it over and over. */
  clearPending(): void {
    this.#socket.machinery.options.pendingError(this.#socket.fd);
  }
}
