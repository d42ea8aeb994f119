import { wallClockMs } from '../../clock.js';
import { type Endpoint, familyOf, isBroadcast, isWildcard, MAX_PAYLOAD_BYTES } from '../../address/endpoint.js';
import type { EngineOutgoing, SendFailure } from '../engine.js';
import { sendError } from '../errors.js';
import { MAX_ATTEMPTS, NO_MEMORY_TIMEOUT_MS, SENDS_PER_TURN } from '../limits.js';
import { EAGAIN, EINTR, EINVAL, EIO, EMSGSIZE, ENETUNREACH, ENOBUFS, ENOMEM } from './constants.js';
import { type ErrorQueue, isPendingError } from './error-queue.js';
import { isConnected, type OpenedSocket } from './open.js';
import { systemError } from './system-calls.js';
import type { Route } from './transmission.js';
import type { Turns } from './turns.js';

/** No datagram has larger segments. */
const NO_SEGMENT_LIMIT = 65_507;

const NO_FAILURES: Promise<readonly SendFailure[]> = Promise.resolve([]);

/** A batch on its way to the kernel. */
interface Delivery {
  readonly batch: readonly EngineOutgoing[];
  readonly timesMs: Float64Array | undefined;
  readonly failures: SendFailure[];
  /** The first datagram that the kernel has neither taken nor refused. */
  next: number;
  /** Datagrams before this one are sent one by one, because the kernel did not take them as segments. */
  singlyUntil: number;
  /** How often the next datagram has failed with an error that may be about an earlier one. */
  attempts: number;
  /** Since when the kernel takes no datagram for want of memory. */
  noMemorySinceMs: number | undefined;
  resolve: ((failures: readonly SendFailure[]) => void) | undefined;
}

/** Sends batches in order, and sends again what an ICMP error of an earlier datagram held up. */
export class Sending {
  readonly #socket: OpenedSocket;
  readonly #turns: Turns;
  readonly #errors: ErrorQueue;
  #deliveries: Delivery[] = [];
  #delivering = false;
  #sendsThisTurn = 0;
  /** Why nothing can be sent now: the send buffer is full, or the kernel has no memory for more (ENOBUFS, ENOMEM). */
  #blocked: 'no' | 'full' | 'no memory' = 'no';
  #segmentLimit = NO_SEGMENT_LIMIT;
  /** See `Route.unnamed`. */
  readonly #unnamed = new Set<string>();

  constructor(socket: OpenedSocket, turns: Turns, errors: ErrorQueue) {
    this.#socket = socket;
    this.#turns = turns;
    this.#errors = errors;
    const { address } = socket.local;
    if (!isWildcard(address)) this.#unnamed.add(address);
  }

  /** Whether datagrams wait for room in the send buffer. */
  get waitsForRoom(): boolean {
    return this.#blocked === 'full';
  }

  /** See `EngineSocket.send`. */
  send(batch: readonly EngineOutgoing[], timesMs?: Float64Array): Promise<readonly SendFailure[]> {
    const delivery: Delivery = {
      batch,
      timesMs,
      failures: [],
      next: 0,
      singlyUntil: 0,
      attempts: 0,
      noMemorySinceMs: undefined,
      resolve: undefined,
    };
    this.#deliveries.push(delivery);
    this.#deliverAll();
    if (delivery.next >= batch.length) {
      return delivery.failures.length === 0 ? NO_FAILURES : Promise.resolve(delivery.failures);
    }
    return new Promise((resolve) => {
      delivery.resolve = resolve;
    });
  }

  /** The send buffer may have room again, and a new share of the turn begins. */
  startTurn(): void {
    if (this.#blocked === 'full') this.#blocked = 'no';
    this.#sendsThisTurn = 0;
  }

  /** Sends for the rest of a turn. */
  turn(): void {
    this.#deliverAll();
  }

  /** Fails the deliveries of a closed socket. */
  giveUp(): void {
    this.#blocked = 'no';
    this.#deliverAll();
  }

  /** Gives the waiting batches to the kernel, in order, until it has no room or the share of the turn is used up. */
  #deliverAll(): void {
    // An event of an ICMP error may send something itself.
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      this.#deliverInOrder();
    } finally {
      this.#delivering = false;
    }
  }

  #deliverInOrder(): void {
    for (let first = this.#deliveries[0]; first !== undefined && this.#blocked === 'no'; first = this.#deliveries[0]) {
      if (!this.#deliver(first)) break;
      this.#deliveries.shift();
      first.resolve?.(first.failures);
    }
  }

  /** Whether the kernel has taken or refused the whole batch. */
  #deliver(delivery: Delivery): boolean {
    const { machinery, fd } = this.#socket;
    const { transmission, calls } = machinery;
    const { batch, timesMs } = delivery;
    while (delivery.next < batch.length) {
      const { closed } = this.#turns;
      if (this.#sendsThisTurn >= SENDS_PER_TURN && !closed) {
        this.#turns.take();
        return false;
      }
      const messages = closed ? 0 : transmission.lay(batch, delivery.next, this.#routeOf(delivery));
      const sentMs = timesMs === undefined ? 0 : wallClockMs();
      const taken = messages === 0 ? 0 : transmission.send(fd, messages);
      this.#sendsThisTurn += Math.max(1, taken);
      // A closed socket takes nothing. A datagram beyond any limit, or one that changed its size, is not even tried.
      if (messages === 0) this.#refuse(delivery, systemError('sendmmsg', EMSGSIZE));
      else if (taken > 0) {
        const end = transmission.endOf(taken - 1);
        timesMs?.fill(sentMs, delivery.next, end);
        delivery.noMemorySinceMs = undefined;
        advance(delivery, end);
      } else if (!this.#overcome(delivery, calls.errno(), transmission.endOf(0))) return false;
    }
    return true;
  }

  #routeOf({ singlyUntil }: Delivery): Route {
    const { family, request, broadcasts } = this.#socket;
    return {
      family,
      connected: isConnected(request),
      remote: request.remote,
      segmentLimit: this.#segmentLimit,
      singlyUntil,
      unnamed: this.#unnamed,
      broadcasts,
    };
  }

  /**
   * Deals with an error of the first message, which holds the datagrams up to `end`. None of them was transmitted.
   * Returns false if sending has to wait.
   */
  #overcome(delivery: Delivery, errno: number, end: number): boolean {
    switch (errno) {
      case EINTR:
        return true;
      case EAGAIN:
        this.#blocked = 'full';
        this.#turns.watch();
        return false;
      case ENOBUFS:
      case ENOMEM:
        if (this.#waitForMemory(delivery)) return false;
        break;
      default:
    }
    // Some versions of the kernel say EINVAL, others ENETUNREACH.
    if ((errno === EINVAL || errno === ENETUNREACH) && this.#leaveOutSource(delivery)) return true;
    const pending = isPendingError(errno) ? this.#errors.read() : { icmp: 0, local: false };
    if (pending.icmp > 0) return true;
    if (end - delivery.next > 1) {
      this.#segmentNoMore(delivery, errno, end);
      return true;
    }
    delivery.attempts += 1;
    if (!pending.local && delivery.attempts < MAX_ATTEMPTS && this.#mayBePending(errno, delivery)) return true;
    this.#refuse(delivery, systemError('sendmmsg', errno));
    return true;
  }

  /** Pauses for a millisecond. Returns false where the batch has waited long enough. */
  #waitForMemory(delivery: Delivery): boolean {
    const { noMemoryTimeoutMs = NO_MEMORY_TIMEOUT_MS } = this.#socket.request.options;
    delivery.noMemorySinceMs ??= performance.now();
    if (performance.now() - delivery.noMemorySinceMs >= noMemoryTimeoutMs) return false;
    this.#blocked = 'no memory';
    setTimeout(() => {
      this.#blocked = 'no';
      this.#turns.take();
    }, 1);
    return true;
  }

  /**
   * Whether a datagram was to leave from a broadcast address, as a response does whose request was sent there. The kernel
   * takes no such source: from now on none is named in its place.
   */
  #leaveOutSource({ batch, next }: Delivery): boolean {
    const address = batch[next]?.local?.address;
    if (address === undefined || this.#unnamed.has(address) || !isBroadcast(address)) return false;
    this.#unnamed.add(address);
    return true;
  }

  /** Sends a run one by one that was refused as segments, and remembers the reason for later runs. */
  #segmentNoMore(delivery: Delivery, errno: number, end: number): void {
    if (errno === EINVAL && this.#socket.machinery.transmission.limitSegments(end - delivery.next)) return;
    const size = delivery.batch[delivery.next]?.data.length ?? 0;
    delivery.singlyUntil = end;
    // The device cannot (EIO), or segments of that size do not fit the MTU, which older kernels call EINVAL.
    if (errno === EIO) this.#segmentLimit = 0;
    else if (errno === EMSGSIZE || errno === EINVAL) this.#segmentLimit = Math.min(this.#segmentLimit, size - 1);
  }

  /** Whether a send may have failed with the ICMP error of an earlier datagram: it was not transmitted then. */
  #mayBePending(errno: number, delivery: Delivery): boolean {
    const outgoing = delivery.batch[delivery.next];
    if (errno !== EMSGSIZE || outgoing === undefined) return isPendingError(errno);
    const { request, local } = this.#socket;
    const to: Endpoint = outgoing.remote ?? request.remote ?? local;
    return outgoing.data.length <= MAX_PAYLOAD_BYTES[familyOf(to.address)];
  }

  #refuse(delivery: Delivery, cause: Error): void {
    const { batch, next: index, failures } = delivery;
    const outgoing = batch[index];
    if (outgoing !== undefined) {
      const { request, local } = this.#socket;
      const { remote = request.remote } = outgoing;
      failures.push({ index, error: sendError(cause, outgoing, { remote, local, closed: this.#turns.closed }) });
    }
    advance(delivery, index + 1);
  }
}

function advance(delivery: Delivery, next: number): void {
  delivery.next = next;
  delivery.attempts = 0;
}
