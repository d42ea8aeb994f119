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

/** The largest size of a segment in bytes. */
const NO_SEGMENT_LIMIT = 65_507;

const NO_FAILURES: Promise<readonly SendFailure[]> = Promise.resolve([]);

/** A batch on its way to the kernel. */
interface Delivery {
  readonly batch: readonly EngineOutgoing[];
  readonly timesMs: Float64Array | undefined;
  readonly failures: SendFailure[];
  /** The first datagram that the kernel has neither taken nor refused. */
  next: number;
  /** Datagrams before this one are sent one by one, because the kernel refused them as segments. */
  singlyUntil: number;
  /** How often the next datagram has failed with an error that may concern an earlier one. */
  attempts: number;
  /** Since when the kernel has had no memory for the next datagram, by `performance.now()`. */
  noMemorySinceMs: number | undefined;
  resolve: ((failures: readonly SendFailure[]) => void) | undefined;
}

/** Sends batches in order. A send may fail with the ICMP error of an earlier datagram; then it is repeated. */
export class Sending {
  readonly #socket: OpenedSocket;
  readonly #turns: Turns;
  readonly #errors: ErrorQueue;
  #deliveries: Delivery[] = [];
  #delivering = false;
  #sendsThisTurn = 0;
  /** Whether sending has to wait, because the send buffer is full or the kernel has no memory (ENOBUFS, ENOMEM). */
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

  /** A turn begins: the send buffer may have room again, and sends are counted from zero. */
  startTurn(): void {
    if (this.#blocked === 'full') this.#blocked = 'no';
    this.#sendsThisTurn = 0;
  }

  /** Sends for the rest of a turn. */
  turn(): void {
    this.#deliverAll();
  }

  /** Fails all deliveries with `CLOSED`. Called after the socket was closed. */
  giveUp(): void {
    this.#blocked = 'no';
    this.#deliverAll();
  }

  /** Gives the waiting batches to the kernel, in order, until it has no room or this turn has made its sends. */
  #deliverAll(): void {
    // A listener of an ICMP error may send, and so call this again.
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

  /** Gives a batch to the kernel. Returns whether the kernel has taken or refused all of it; if not, the rest waits. */
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
      // No message: the socket is closed, or the datagram is larger than any limit, or its memory was resized.
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
   * Handles an error of sending. The kernel sent nothing; the first message held the datagrams up to `end`. Returns
   * false if sending has to wait.
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
    // For a source address that is not allowed, some versions of the kernel return EINVAL, others ENETUNREACH.
    if ((errno === EINVAL || errno === ENETUNREACH) && this.#leaveOutSource(delivery)) return true;
    const pending = isPendingError(errno) ? this.#errors.read() : { icmp: 0, local: false, mtu: undefined };
    if (pending.icmp > 0) return true;
    if (end - delivery.next > 1) {
      this.#segmentNoMore(delivery, errno, end);
      return true;
    }
    delivery.attempts += 1;
    if (!pending.local && delivery.attempts < MAX_ATTEMPTS && this.#mayBePending(errno, delivery)) return true;
    this.#refuse(delivery, systemError('sendmmsg', errno), pending.mtu);
    return true;
  }

  /** Pauses for a millisecond. Returns false, without a pause, after `noMemoryTimeoutMs`. */
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
   * Whether the next datagram has a broadcast address as its source: a response whose request was sent there. The
   * kernel does not accept such a source. Later datagrams leave it out, and the kernel chooses the source.
   */
  #leaveOutSource({ batch, next }: Delivery): boolean {
    const address = batch[next]?.local?.address;
    if (address === undefined || this.#unnamed.has(address) || !isBroadcast(address)) return false;
    this.#unnamed.add(address);
    return true;
  }

  /**
   * Sends the datagrams up to `end` one by one, because the kernel refused them as segments. Lowers limits for later.
   */
  #segmentNoMore(delivery: Delivery, errno: number, end: number): void {
    if (errno === EINVAL && this.#socket.machinery.transmission.limitSegments(end - delivery.next)) return;
    const size = delivery.batch[delivery.next]?.data.length ?? 0;
    delivery.singlyUntil = end;
    // EIO: the device does not support segments. EMSGSIZE, on older kernels EINVAL: such segments exceed the MTU.
    if (errno === EIO) this.#segmentLimit = 0;
    else if (errno === EMSGSIZE || errno === EINVAL) this.#segmentLimit = Math.min(this.#segmentLimit, size - 1);
  }

  /**
   * Whether a send may have failed with the ICMP error of an earlier datagram. If so, the kernel has not sent this one.
   */
  #mayBePending(errno: number, delivery: Delivery): boolean {
    const outgoing = delivery.batch[delivery.next];
    if (errno !== EMSGSIZE || outgoing === undefined) return isPendingError(errno);
    const { request, local } = this.#socket;
    const to: Endpoint = outgoing.remote ?? request.remote ?? local;
    return outgoing.data.length <= MAX_PAYLOAD_BYTES[familyOf(to.address)];
  }

  /** @param mtu the MTU of the path in bytes, if the datagram is too large for the path */
  #refuse(delivery: Delivery, cause: Error, mtu?: number): void {
    const { batch, next: index, failures } = delivery;
    const outgoing = batch[index];
    if (outgoing !== undefined) {
      const { request, local } = this.#socket;
      const { remote = request.remote } = outgoing;
      failures.push({ index, error: sendError(cause, outgoing, { remote, local, closed: this.#turns.closed, mtu }) });
    }
    advance(delivery, index + 1);
  }
}

function advance(delivery: Delivery, next: number): void {
  delivery.next = next;
  delivery.attempts = 0;
}
