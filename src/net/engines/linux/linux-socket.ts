import { BackOff, NO_MEMORY_TIMEOUT_MS } from '../back-off.js';
import { useSystemClock, wallClockMs } from '../../clock.js';
import type { Arrivals, Datagram } from '../../datagram.js';
import { broadcastSource } from '../broadcast-source.js';
import {
  type Endpoint,
  type Family,
  familyOf,
  isBroadcast,
  isWildcard,
  LIMITED_BROADCAST,
  MAX_PAYLOAD_BYTES,
  sameEndpoint,
} from '../../address/endpoint.js';
import type { EngineEvents, EngineOutgoing, EngineSocket, KernelBuffers, OpenRequest, SendFailure } from '../engine.js';
import { openError, receiveError, sendError } from '../errors.js';
import {
  AF_INET,
  AF_INET6,
  EACCES,
  EAGAIN,
  ECONNREFUSED,
  EHOSTDOWN,
  EHOSTUNREACH,
  EINTR,
  EINVAL,
  EIO,
  EMSGSIZE,
  ENETUNREACH,
  ENOBUFS,
  ENOMEM,
  ENONET,
  ENOPROTOOPT,
  EPROTO,
  MSG_ERRQUEUE,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
} from './constants.js';
import { icmpError, readQueuedError } from './icmp.js';
import { Memory } from './memory.js';
import { KERNEL_FACTOR, SocketOptionCalls } from './options.js';
import { RECEIVED_AT_ONCE, Reception } from './reception.js';
import { createSystemClock } from './system-clock.js';
import { loadSystemCalls, type SystemCalls, systemError, type Watch } from './system-calls.js';
import { type Route, Transmission } from './transmission.js';

/** Messages given to the kernel between two turns of the event loop: few enough that timers and replies are not held up. */
const SENDS_PER_TURN = 64;
/** System calls that receive between two turns of the event loop. */
const RECEIVES_PER_TURN = 16;
/** The least that Linux charges the receive buffer for a datagram, in bytes. */
const LEAST_CHARGE_BYTES = 512;
/** Errors read from the error queue between two turns: a flood of them holds nothing up. */
const ERRORS_PER_TURN = 1024;
/** How often a datagram is sent again after an ICMP error that may have been an earlier one's. */
const MAX_ATTEMPTS = 16;
/** Segments of more than that never fit a datagram. */
const NO_SEGMENT_LIMIT = 65_507;

/** What an ICMP error pending on the socket fails the next call with (icmp_err_convert and icmpv6_err_convert in Linux). */
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

const NO_FAILURES: Promise<readonly SendFailure[]> = Promise.resolve([]);
/** Errors are heard, and the process is kept running, while nothing else is waited for. */
const NOTHING = { readable: false, writable: false, disconnect: true };

/** What all sockets of the engine have in common: the functions, and memory that is in use during one call only. */
export interface Machinery {
  readonly calls: SystemCalls;
  readonly options: SocketOptionCalls;
  readonly reception: Reception;
  readonly transmission: Transmission;
  readonly names: Memory;
}

/** @throws {DatagramError} `UNSUPPORTED`, saying why not here */
export async function loadMachinery(): Promise<Machinery> {
  const calls = await loadSystemCalls();
  useSystemClock(createSystemClock(calls));
  return {
    calls,
    options: new SocketOptionCalls(calls),
    reception: new Reception(calls),
    transmission: new Transmission(calls),
    names: new Memory(64, calls.addressOf),
  };
}

/** When {@link LinuxSocket} stops reading, though there may be more. */
interface ReadLimits {
  readonly mostCalls?: number;
  /** Of the kernel's buffer, as Linux charges it. */
  readonly mostBytes?: number;
  readonly withinMs?: number;
}

/** A batch on its way to the kernel. */
interface Delivery {
  readonly batch: readonly EngineOutgoing[];
  readonly timesMs: Float64Array | undefined;
  readonly failures: SendFailure[];
  /** The first datagram that the kernel has neither taken nor refused. */
  next: number;
  /** Datagrams before this one are sent one by one, because the kernel did not take them as segments. */
  singlyUntil: number;
  /** How often the next one has failed, with an error that may not be its own. */
  attempts: number;
  /** Since when the kernel has taken none of it for want of memory. */
  noMemorySinceMs: number | undefined;
  resolve: ((failures: readonly SendFailure[]) => void) | undefined;
}

/** A socket of Linux: non-blocking, watched by the event loop, read and written in batches. */
export class LinuxSocket implements EngineSocket {
  readonly local: Endpoint;
  readonly buffers: KernelBuffers;
  readonly #machinery: Machinery;
  readonly #request: OpenRequest;
  readonly #events: EngineEvents;
  readonly #family: Family;
  readonly #fd: number;
  readonly #watch: Watch;
  /** What `local` of a datagram is where the kernel did not say. */
  readonly #fallbackLocal: Endpoint | undefined;
  #closed = false;
  /** Read already, when there was no room for all of a message. */
  #backlog: Datagram[] = [];
  /** How many datagrams a message held at most of late, so that no more messages are read than there is room for. */
  #datagramsPerMessage = 1;
  /** Whether reading stopped for want of room. */
  #full = false;
  #turnPending = false;
  /** What the event loop watches for now. */
  #watching: 'read' | 'nothing' | 'read and write' | 'write' = 'read';
  #deliveries: Delivery[] = [];
  #sending = false;
  #sendsThisTurn = 0;
  /** Why nothing can be sent now: the send buffer is full, or the kernel has no memory for more (ENOBUFS, ENOMEM). */
  #blocked: 'no' | 'full' | 'no memory' = 'no';
  /** Whether the event loop told of an error. */
  #failing = false;
  readonly #backOff = new BackOff();
  /** Until it is over, nothing is read, and the event loop watches for nothing: what is there could not be taken. */
  #rest: NodeJS.Timeout | undefined;
  #segmentLimit = NO_SEGMENT_LIMIT;
  /** See `Route.unnamed`. */
  readonly #unnamed = new Set<string>();
  /** Which broadcast addresses the interface that was asked for is chosen for, and from where they are sent. */
  readonly #broadcasts: Route['broadcasts'];
  #lastDrops: number | undefined;
  /** Whether the kernel may put datagrams together, which it drops and counts as one then. */
  #coalesces = false;

  constructor(machinery: Machinery, request: OpenRequest, events: EngineEvents) {
    this.#machinery = machinery;
    this.#request = request;
    this.#events = events;
    this.#family = familyOf(request.local.address);
    const { calls, options } = machinery;
    this.#broadcasts = planBroadcasts(request);
    this.#fd = this.#createSocket();
    try {
      const source = this.#findSource();
      this.#bind(request.hearStrays ? request.local : broadcastSource(request));
      this.local = this.#connect(source);
      options.join(this.#fd, request);
      this.buffers = options.buffers(this.#fd);
      this.#fallbackLocal = isWildcard(this.local.address) ? undefined : this.local;
      if (this.#fallbackLocal !== undefined) this.#unnamed.add(this.local.address);
      this.#watch = calls.watch(this.#fd, { readable: true, writable: false }, this.#onReady);
    } catch (error) {
      calls.close(this.#fd);
      throw openError(error, request, request.local);
    }
  }

  #createSocket(): number {
    const { calls, options } = this.#machinery;
    const family = this.#family === 4 ? AF_INET : AF_INET6;
    const fd = calls.socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) throw openError(systemError('socket', calls.errno()), this.#request, this.#request.local);
    try {
      options.beforeBind(fd, this.#request);
    } catch (error) {
      calls.close(fd);
      throw openError(error, this.#request, this.#request.local);
    }
    return fd;
  }

  #bind(local: Endpoint): void {
    const { calls, names, options, transmission } = this.#machinery;
    const length = transmission.addresses.writeName(names, 0, local, this.#family);
    if (calls.bind(this.#fd, names.address, length) !== 0) throw systemError('bind', calls.errno());
    this.#coalesces = options.configure(this.#fd, this.#request).coalesces;
  }

  /**
   * The address that a socket will send from which stays unconnected, to hear strays as well; undefined for any other. A
   * socket made for that alone learns it, and whether there is a route, and gives its port back.
   */
  #findSource(): string | undefined {
    const { remote, hearStrays } = this.#request;
    if (remote === undefined || !hearStrays) return undefined;
    const { calls, names, options, transmission } = this.#machinery;
    const scout = this.#createSocket();
    try {
      const source = { ...broadcastSource(this.#request), port: 0 };
      const length = transmission.addresses.writeName(names, 0, source, this.#family);
      if (calls.bind(scout, names.address, length) !== 0) throw systemError('bind', calls.errno());
      options.configure(scout, this.#request);
      this.#connectTo(scout, remote);
      return this.#nameOf(scout).address;
    } finally {
      calls.close(scout);
    }
  }

  /**
   * Connects the socket, if it is to be connected; returns its address. One that is to hear strays as well stays
   * unconnected, because IP_RECVERR tells it the ICMP errors all the same.
   */
  #connect(source: string | undefined): Endpoint {
    const { remote, hearStrays } = this.#request;
    if (remote !== undefined && !hearStrays) this.#connectTo(this.#fd, remote);
    const bound = this.#nameOf(this.#fd);
    return source === undefined ? bound : { address: source, port: bound.port };
  }

  #connectTo(fd: number, remote: Endpoint): void {
    const { calls, names, transmission } = this.#machinery;
    const length = transmission.addresses.writeName(names, 0, remote, this.#family);
    if (calls.connect(fd, names.address, length) !== 0) throw systemError('connect', calls.errno());
  }

  #nameOf(fd: number): Endpoint {
    const { calls, names, reception } = this.#machinery;
    names.view.setUint32(32, 32, true);
    if (calls.getsockname(fd, names.address, names.address + 32) !== 0) {
      throw systemError('getsockname', calls.errno());
    }
    const { address, port } = reception.locals.readName(names.view, 0) ?? this.#request.local;
    // Of a socket of both families `::` is every interface, and an IPv4 one is shown as such.
    return { address, port };
  }

  // --- The event loop ---

  /** Here neither promises nor errors go anywhere: all is done in a turn of its own, right after. */
  readonly #onReady = (status: number): void => {
    // The watch ends with an error on the socket, such as an ICMP error.
    if (status < 0) {
      this.#watching = 'nothing';
      this.#failing = true;
    }
    if (this.#full && status >= 0 && this.#blocked !== 'full') this.#watchFor();
    else this.#takeTurn();
  };

  #takeTurn(): void {
    if (this.#turnPending) return;
    this.#turnPending = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    this.#turnPending = false;
    if (this.#closed) return;
    if (this.#blocked === 'full') this.#blocked = 'no';
    this.#sendsThisTurn = 0;
    if (this.#rest === undefined) this.#receive();
    this.#deliverAll();
    // If there is room again before the socket is readable, watching need not end and begin again.
    if (!this.#full || this.#watching !== 'read') this.#watchFor();
  };

  #receive(): void {
    if (this.#failing) {
      this.#failing = false;
      this.#readErrors();
      // What has no entry in the error queue would be told over and over.
      this.#machinery.options.pendingError(this.#fd);
    }
    if (this.#read({ mostCalls: RECEIVES_PER_TURN })) this.#takeTurn();
  }

  /** Has the event loop watch for what there is to do. */
  #watchFor(): void {
    if (this.#closed || this.#rest !== undefined) return;
    const readable = !this.#full;
    const writable = this.#blocked === 'full';
    const wanted = writable ? (readable ? 'read and write' : 'write') : readable ? 'read' : 'nothing';
    if (wanted === this.#watching && wanted !== 'nothing') return;
    this.#watching = wanted;
    this.#watch.start(wanted === 'nothing' ? NOTHING : { readable, writable }, this.#onReady);
  }

  // --- Receiving ---

  /** Takes in what has arrived, as far as there is room and the limits allow; whether there may be more. */
  #read({ mostCalls = Infinity, mostBytes = Infinity, withinMs = Infinity }: ReadLimits): boolean {
    const { reception, calls } = this.#machinery;
    const untilMs = withinMs === Infinity ? Infinity : performance.now() + withinMs;
    let bytes = 0;
    for (let nth = 0; nth < mostCalls && bytes < mostBytes && !this.#closed; nth += 1) {
      if (nth > 0 && untilMs < Infinity && performance.now() >= untilMs) return true;
      this.#giveBacklog();
      const { arrivals } = this.#events;
      const room = arrivals === undefined ? this.#events.room() : Infinity;
      this.#full = room <= 0;
      if (this.#full) return false;
      const most = Math.max(1, Math.min(RECEIVED_AT_ONCE, Math.floor(room / this.#datagramsPerMessage)));
      const received = reception.receive(this.#fd, most);
      if (received < 0) {
        if (!this.#survive(calls.errno())) return false;
        continue;
      }
      this.#backOff.succeeded();
      bytes += chargeOf(reception, received);
      if (arrivals === undefined) {
        const batch = reception.datagrams(received, this.local.port, this.#fallbackLocal);
        this.#datagramsPerMessage = Math.ceil(batch.length / received) || 1;
        this.#give(batch, room);
      } else {
        for (const together of reception.arrivals(received)) this.#tellOf(together);
      }
      // What came meanwhile makes the socket readable again.
      if (received < most) return false;
    }
    return true;
  }

  /** Deals with an error of receiving. Whether to ask again now. */
  #survive(errno: number): boolean {
    if (errno === EAGAIN) {
      this.#backOff.succeeded();
      return false;
    }
    if (PENDING.has(errno)) {
      const { icmp, local } = this.#readErrors();
      return icmp > 0 || local || this.#triesAgain();
    }
    if (errno === EINTR) return this.#triesAgain();
    const error = receiveError(systemError('recvmmsg', errno), this.local);
    if (errno !== ENOMEM && errno !== ENOBUFS) {
      this.#events.failed(error);
      return false;
    }
    this.#events.receiveError(error);
    return this.#triesAgain();
  }

  /** After a failure that may pass: whether to try again at once. Otherwise reading rests, so that others have their turn. */
  #triesAgain(): boolean {
    if (this.#closed) return false;
    const pauseMs = this.#backOff.failed();
    if (pauseMs === 0) return true;
    if (this.#rest === undefined) {
      this.#watch.stop();
      this.#watching = 'nothing';
      this.#rest = setTimeout(() => {
        this.#rest = undefined;
        this.#takeTurn();
      }, pauseMs);
    }
    return false;
  }

  /** Whoever is told may close the socket: then nothing more is. */
  #tellOf(together: Arrivals): void {
    if (!this.#closed) this.#events.arrivals?.(together);
  }

  #giveBacklog(): void {
    if (this.#backlog.length === 0) return;
    const backlog = this.#backlog;
    this.#backlog = [];
    this.#give(backlog, this.#events.room());
  }

  /** Hands over what there is room for and keeps the rest. */
  #give(batch: Datagram[], room: number): void {
    const { remote } = this.#request;
    if (batch.length === 0) return;
    if (remote !== undefined) {
      const strays = takeStrays(batch, remote);
      if (strays.length > 0 && this.#request.hearStrays) this.#events.strays(strays);
      if (batch.length === 0) return;
    }
    if (batch.length > room) {
      this.#backlog = batch.splice(Math.max(room, 0));
      if (batch.length === 0) return;
    }
    this.#events.datagrams(batch);
  }

  resume(): void {
    if (!this.#full || this.#closed) return;
    this.#full = false;
    this.#takeTurn();
  }

  /** Reads the error queue: ICMP errors become events. Returns how many there were, and whether one was of this host. */
  #readErrors(): { readonly icmp: number; readonly local: boolean } {
    const { reception, calls } = this.#machinery;
    let icmp = 0;
    let local = false;
    while (icmp < ERRORS_PER_TURN && !this.#closed) {
      const read = reception.receive(this.#fd, RECEIVED_AT_ONCE, MSG_ERRQUEUE);
      if (read < 0 && calls.errno() !== EAGAIN && this.#triesAgain()) continue;
      if (read <= 0) break;
      const errors = [];
      for (let nth = 0; nth < read; nth += 1) {
        const error = readQueuedError(reception.messages, nth, reception.remotes);
        if (error !== undefined) errors.push(error);
      }
      for (const error of errors) {
        if (error.icmp === undefined) local = true;
        else {
          icmp += 1;
          this.#tell(error.icmp, error);
        }
      }
    }
    return { icmp, local };
  }

  // --- Sending ---

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

  /** Gives to the kernel, in order, what waits to be sent, until that has no room or others are to have their turn. */
  #deliverAll(): void {
    // An event of an ICMP error may send something itself.
    if (this.#sending) return;
    this.#sending = true;
    try {
      this.#deliverInOrder();
    } finally {
      this.#sending = false;
    }
  }

  #deliverInOrder(): void {
    for (let first = this.#deliveries[0]; first !== undefined && this.#blocked === 'no'; first = this.#deliveries[0]) {
      if (!this.#deliver(first)) break;
      this.#deliveries.shift();
      first.resolve?.(first.failures);
    }
  }

  /** Whether the kernel has taken or refused all of it. */
  #deliver(delivery: Delivery): boolean {
    const { transmission, calls } = this.#machinery;
    const { batch, timesMs } = delivery;
    while (delivery.next < batch.length) {
      if (this.#sendsThisTurn >= SENDS_PER_TURN && !this.#closed) {
        this.#takeTurn();
        return false;
      }
      const messages = this.#closed ? 0 : transmission.lay(batch, delivery.next, this.#routeOf(delivery));
      const sentMs = timesMs === undefined ? 0 : wallClockMs();
      const taken = messages === 0 ? 0 : transmission.send(this.#fd, messages);
      this.#sendsThisTurn += Math.max(1, taken);
      // What is closed takes nothing, and what is larger than any datagram, or changed its size, is not even tried.
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
    const { remote, hearStrays } = this.#request;
    return {
      family: this.#family,
      connected: remote !== undefined && !hearStrays,
      remote,
      segmentLimit: this.#segmentLimit,
      singlyUntil,
      unnamed: this.#unnamed,
      broadcasts: this.#broadcasts,
    };
  }

  /**
   * Deals with an error of the first message, which holds the datagrams up to `end`. False if sending has to wait.
   * None of them was transmitted.
   */
  #overcome(delivery: Delivery, errno: number, end: number): boolean {
    const { noMemoryTimeoutMs = NO_MEMORY_TIMEOUT_MS } = this.#request.options;
    switch (errno) {
      case EINTR:
        return true;
      case EAGAIN:
        this.#blocked = 'full';
        this.#watchFor();
        return false;
      case ENOBUFS:
      case ENOMEM:
        delivery.noMemorySinceMs ??= performance.now();
        if (performance.now() - delivery.noMemorySinceMs >= noMemoryTimeoutMs) break;
        this.#blocked = 'no memory';
        setTimeout(() => {
          this.#blocked = 'no';
          this.#takeTurn();
        }, 1);
        return false;
      default:
    }
    // Which of the two it is depends on the version of the kernel.
    if ((errno === EINVAL || errno === ENETUNREACH) && this.#leaveOutSource(delivery)) return true;
    const pending = PENDING.has(errno) ? this.#readErrors() : { icmp: 0, local: false };
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

  /** Whether a datagram was to be sent from a broadcast address, as an answer is to what was asked there: it no longer is. */
  #leaveOutSource({ batch, next }: Delivery): boolean {
    const address = batch[next]?.local?.address;
    if (address === undefined || this.#unnamed.has(address) || !isBroadcast(address)) return false;
    this.#unnamed.add(address);
    return true;
  }

  /** Sends a run one by one that was refused as segments, and learns for the next ones. */
  #segmentNoMore(delivery: Delivery, errno: number, end: number): void {
    if (errno === EINVAL && this.#machinery.transmission.limitSegments(end - delivery.next)) return;
    const size = delivery.batch[delivery.next]?.data.length ?? 0;
    delivery.singlyUntil = end;
    // The device cannot (EIO), or segments of that size do not fit the MTU, which older kernels call EINVAL.
    if (errno === EIO) this.#segmentLimit = 0;
    else if (errno === EMSGSIZE || errno === EINVAL) this.#segmentLimit = Math.min(this.#segmentLimit, size - 1);
  }

  /** Whether a send may have failed with the ICMP error of an earlier datagram: it was not transmitted then. */
  #mayBePending(errno: number, delivery: Delivery): boolean {
    const outgoing = delivery.batch[delivery.next];
    if (errno !== EMSGSIZE || outgoing === undefined) return PENDING.has(errno);
    const to = outgoing.remote ?? this.#request.remote ?? this.local;
    return outgoing.data.length <= MAX_PAYLOAD_BYTES[familyOf(to.address)];
  }

  #refuse(delivery: Delivery, cause: Error): void {
    const { batch, next: index, failures } = delivery;
    const outgoing = batch[index];
    if (outgoing !== undefined) {
      const { remote = this.#request.remote } = outgoing;
      failures.push({ index, error: sendError(cause, outgoing, { remote, local: this.local, closed: this.#closed }) });
    }
    advance(delivery, index + 1);
  }

  // --- All else ---

  async poll(withinMs = Infinity): Promise<void> {
    if (this.#closed) return;
    this.#readErrors();
    // The kernel's buffer cannot have held more than that when it was asked. A flood fills it again meanwhile.
    this.#read({ mostBytes: this.buffers.recvBytes * KERNEL_FACTOR, withinMs });
    // Whoever polls in a loop lets others have their turn.
    await new Promise((resolve) => setImmediate(resolve));
  }

  kernelDropped(): number | undefined {
    if (!this.#closed) this.#lastDrops = this.#machinery.options.drops(this.#fd) ?? this.#lastDrops;
    return this.#lastDrops;
  }

  get kernelDropsAreLowerBound(): boolean {
    return this.#coalesces && this.#lastDrops !== undefined && this.#lastDrops > 0;
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.kernelDropped();
      this.#closed = true;
      this.#backlog = [];
      clearTimeout(this.#rest);
      this.#watch.close();
      this.#machinery.calls.close(this.#fd);
      this.#blocked = 'no';
      this.#deliverAll();
    }
    return Promise.resolve();
  }

  #tell(
    icmp: NonNullable<ReturnType<typeof icmpError>['icmp']>,
    error: { errno: number; peer: Endpoint | undefined },
  ): void {
    this.#events.peerError(icmpError({ ...error, peer: error.peer ?? this.#request.remote, icmp }));
  }
}

/** Routes choose the interface of a network's own broadcast address, unless a client is to send there by another. */
function planBroadcasts({ local, remote, options }: OpenRequest): Route['broadcasts'] {
  const { multicastInterface } = options;
  if (multicastInterface === undefined) return undefined;
  const own = remote !== undefined && isBroadcast(remote.address) ? [remote.address] : [];
  const from = local.address === '::' ? '0.0.0.0' : local.address;
  return { interface: multicastInterface, addresses: new Set([LIMITED_BROADCAST, ...own]), from };
}

/** What the messages received last took of the kernel's buffer at least. */
function chargeOf({ messages }: Reception, received: number): number {
  let bytes = 0;
  for (let nth = 0; nth < received; nth += 1) bytes += Math.max(messages.length(nth), LEAST_CHARGE_BYTES);
  return bytes;
}

function advance(delivery: Delivery, next: number): void {
  delivery.next = next;
  delivery.attempts = 0;
}

/** Takes out of a batch what others than the peer sent: a rule without exception only once the socket is connected. */
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
