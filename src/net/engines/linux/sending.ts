import { wallClockMs } from '../../clock.js';
import { type Endpoint, familyOf, isBroadcast, isWildcard, MAX_PAYLOAD_BYTES } from '../../address/endpoint.js';
import { cutBatch, isRun } from '../../runs.js';
import { ALL_TAKEN, type EngineOutgoing, type SendFailure } from '../engine.js';
import { sendError } from '../errors.js';
import { MAX_ATTEMPTS, NO_MEMORY_TIMEOUT_MS, SENDS_PER_TURN } from '../limits.js';
import { EAGAIN, EINTR, EINVAL, EIO, EMSGSIZE, ENETUNREACH, ENOBUFS, ENOMEM } from './constants.js';
import { type ErrorQueue, isPendingError } from './error-queue.js';
import { isConnected, type OpenedSocket } from './open.js';
import { systemError } from './system-calls.js';
import type { Route } from './transmission.js';
import { RoundCount, type Turns } from './turns.js';

/** The largest size of a segment in bytes. */
const NO_SEGMENT_LIMIT = 65_507;

/** The kernel is asked for the time of a sending once in a millisecond on average: to ask takes some microseconds. */
const MS_PER_TIME = 1;
/** How much time is saved up at most, in milliseconds, for sendings that follow each other closely. */
const MOST_SAVED_MS = 100;

/** A batch on its way to the kernel. */
interface Delivery {
  batch: readonly EngineOutgoing[];
  /** After runs were cut: for each datagram of `batch` its place in the batch of the caller. Undefined: the same place. */
  origins: readonly number[] | undefined;
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
  /** How many messages were sent, other than borrowed ones. */
  readonly #sends = new RoundCount();
  /** Whether sending has to wait, because the send buffer is full or the kernel has no memory (ENOBUFS, ENOMEM). */
  #blocked: 'no' | 'full' | 'no memory' = 'no';
  #segmentLimit = NO_SEGMENT_LIMIT;
  /** Whether the kernel tells when it sent a message. */
  #hasTimes = true;
  /** How many milliseconds are saved up for asking, and when they were last counted, by `performance.now()`. */
  #saved = { ms: MOST_SAVED_MS, atMs: 0 };
  /** See `Route.unnamed`. */
  #unnamed: ReadonlySet<string>;

  constructor(socket: OpenedSocket, turns: Turns, errors: ErrorQueue) {
    this.#socket = socket;
    this.#turns = turns;
    this.#errors = errors;
    this.#unnamed = onlyAddress(socket.local.address);
  }

  /** Whether datagrams wait for room in the send buffer. */
  get waitsForRoom(): boolean {
    return this.#blocked === 'full';
  }

  /** See `EngineSocket.send`. */
  send(batch: readonly EngineOutgoing[], timesMs?: Float64Array): Promise<readonly SendFailure[]> {
    const delivery: Delivery = {
      batch,
      origins: undefined,
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
    if (delivery.next >= delivery.batch.length) {
      return delivery.failures.length === 0 ? ALL_TAKEN : Promise.resolve(delivery.failures);
    }
    this.#keepRest(delivery);
    return new Promise((resolve) => {
      delivery.resolve = resolve;
    });
  }

  /** Copies the borrowed payloads that are not sent yet: the next reception overwrites them. */
  #keepRest(delivery: Delivery): void {
    const { reception, transmission } = this.#socket.machinery;
    if (!reception.isLent) return;
    const { batch, next } = delivery;
    const isBorrowed = (item: EngineOutgoing, index: number): boolean => index >= next && transmission.isBorrowed(item);
    if (!batch.some(isBorrowed)) return;
    delivery.batch = batch.map((item, index) =>
      isBorrowed(item, index) ? { ...item, data: Uint8Array.from(item.data) } : item,
    );
  }

  /** A turn begins: the send buffer may have room again. */
  startTurn(): void {
    if (this.#blocked === 'full') this.#blocked = 'no';
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
    const { reception, transmission, calls } = machinery;
    while (delivery.next < delivery.batch.length) {
      const { batch, timesMs } = delivery;
      const { closed } = this.#turns;
      // What is borrowed was received in this round, which bounds it. To wait would mean to copy it.
      const isBorrowed = reception.isLent && transmission.isBorrowed(batch[delivery.next] as EngineOutgoing);
      if (!isBorrowed && !closed && this.#sends.count >= SENDS_PER_TURN) {
        this.#turns.take();
        return false;
      }
      const timed = timesMs !== undefined && this.#asksForTime();
      const messages = closed ? 0 : transmission.lay(batch, delivery.next, this.#routeOf(delivery, timed));
      const beforeMs = timesMs === undefined ? 0 : wallClockMs();
      const taken = messages === 0 ? 0 : transmission.send(fd, messages);
      if (!isBorrowed) this.#sends.add(Math.max(1, taken));
      // No message: the socket is closed, or the datagram is larger than any limit, or its memory was resized.
      if (messages === 0) {
        if (!cutRuns(delivery)) this.#refuse(delivery, systemError('sendmmsg', EMSGSIZE));
      } else if (taken > 0) {
        const end = transmission.endOf(taken - 1);
        if (timesMs !== undefined) noteTimes(delivery, timesMs, end, timed ? this.#kernelTime(beforeMs) : beforeMs);
        delivery.noMemorySinceMs = undefined;
        advance(delivery, end);
      } else if (timed && calls.errno() === EINVAL) {
        // Linux before 4.6, and some emulators, do not know the request. Other reasons for the error appear again.
        this.#hasTimes = false;
      } else if (!this.#overcome(delivery, calls.errno(), transmission.endOf(0))) return false;
    }
    return true;
  }

  /** Whether to ask the kernel for the time of the next message. */
  #asksForTime(): boolean {
    if (!this.#hasTimes) return false;
    const saved = this.#saved;
    const nowMs = performance.now();
    saved.ms = Math.min(saved.ms + nowMs - saved.atMs, MOST_SAVED_MS);
    saved.atMs = nowMs;
    if (saved.ms < MS_PER_TIME) return false;
    saved.ms -= MS_PER_TIME;
    return true;
  }

  /**
   * Returns when the kernel gave the first message of the last system call to the device. That is more exact than the time before
   * the call: the kernel's way to the device may take 50 µs.
   *
   * @param beforeMs the time before the call. It is returned if the kernel has not told its time: the message waits in a queue of
   *   the device, or the device has no times. Then the kernel is not asked again.
   */
  #kernelTime(beforeMs: number): number {
    const { sentMs } = this.#errors.read(true);
    this.#hasTimes = sentMs !== undefined && sentMs >= beforeMs;
    return this.#hasTimes ? (sentMs as number) : beforeMs;
  }

  #routeOf({ singlyUntil }: Delivery, timed: boolean): Route {
    const { family, request, broadcasts } = this.#socket;
    return {
      family,
      connected: isConnected(request),
      remote: request.remote,
      segmentLimit: this.#segmentLimit,
      singlyUntil,
      timed,
      unnamed: this.#unnamed,
      broadcasts,
    };
  }

  /**
   * Handles an error of sending. The kernel sent nothing; the first message held the datagrams up to `end`. Returns
   * false if sending has to wait.
   */
  #overcome(delivery: Delivery, errno: number, end: number): boolean {
    this.#keepRest(delivery);
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
    const pending = isPendingError(errno) ? this.#errors.read() : undefined;
    if (pending !== undefined && pending.icmp > 0) return true;
    const first = delivery.batch[delivery.next];
    if (end - delivery.next > 1 || (first !== undefined && isRun(first))) {
      this.#segmentNoMore(delivery, errno, end);
      return true;
    }
    delivery.attempts += 1;
    if (pending?.local !== true && delivery.attempts < MAX_ATTEMPTS && this.#mayBePending(errno, delivery)) return true;
    this.#refuse(delivery, systemError('sendmmsg', errno), pending?.mtu);
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
    this.#unnamed = new Set([...this.#unnamed, address]);
    return true;
  }

  /**
   * Sends the datagrams up to `end` one by one, because the kernel refused them as segments. Lowers limits for later.
   */
  #segmentNoMore(delivery: Delivery, errno: number, end: number): void {
    const message = delivery.batch.slice(delivery.next, end);
    const { data, segmentBytes: size = data.length } = message[0] as EngineOutgoing;
    const segments = message.reduce((sum, each) => sum + (isRun(each) ? Math.ceil(each.data.length / size) : 1), 0);
    const wasCut = cutRuns(delivery);
    if (errno === EINVAL && this.#socket.machinery.transmission.limitSegments(segments)) return;
    delivery.singlyUntil = wasCut ? segments : end;
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
    const { batch, origins, next, failures } = delivery;
    const outgoing = batch[next];
    if (outgoing !== undefined) {
      const { request, local } = this.#socket;
      const { remote = request.remote } = outgoing;
      failures.push({
        index: origins?.[next] ?? next,
        error: sendError(cause, outgoing, { remote, local, closed: this.#turns.closed, mtu }),
      });
    }
    advance(delivery, next + 1);
  }
}

function advance(delivery: Delivery, next: number): void {
  delivery.next = next;
  delivery.attempts = 0;
}

const NONE: ReadonlySet<string> = new Set();
let lastAddress = '';
let lastSet = NONE;

/** Returns a set of one address, empty for every interface. Sockets on one address share it: thousands of them are open. */
function onlyAddress(address: string): ReadonlySet<string> {
  if (isWildcard(address)) return NONE;
  if (address !== lastAddress) [lastAddress, lastSet] = [address, new Set([address])];
  return lastSet;
}

/** Cuts the next item and all later ones into datagrams. Returns false if the next item is no run. */
function cutRuns(delivery: Delivery): boolean {
  const { batch, next } = delivery;
  const first = batch[next];
  // The runs of a batch are cut once, all together.
  if (first === undefined || !isRun(first)) return false;
  ({ batch: delivery.batch, origins: delivery.origins } = cutBatch(batch, next));
  delivery.next = 0;
  delivery.singlyUntil = 0;
  return true;
}

function noteTimes({ origins, next }: Delivery, timesMs: Float64Array, end: number, sentMs: number): void {
  if (origins === undefined) timesMs.fill(sentMs, next, end);
  else for (const origin of origins.slice(next, end)) timesMs[origin] = sentMs;
}
