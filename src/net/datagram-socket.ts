import { EventEmitter } from 'node:events';
import type { Datagram, Run } from './datagram.js';
import type { Endpoint } from './address/endpoint.js';
import {
  ALL_TAKEN,
  type Engine,
  type EngineName,
  type EngineOutgoing,
  type EngineSocket,
  type KernelBuffers,
  type MissingFeature,
  type OpenRequest,
  type SendFailure,
} from './engines/engine.js';
import type { Chosen, EngineChoice } from './engines/choice.js';
import { DatagramError } from './errors.js';
import { checkJoinable, type Membership, membershipsOf } from './address/membership.js';
import { ownAddresses } from './engines/own-address.js';
import { openSocket } from './opening.js';
import { type Consumer, ReceiveQueue } from './receive-queue.js';
import { shielded } from './shielded.js';
import { type DatagramSocketEvents, engineEvents, type Takers } from './socket-events.js';
import { type DatagramSocketOptions, type ReceiveOptions, signalOf } from './socket-options.js';

/** Options of {@link DatagramSocket.consume}. */
export interface ConsumeOptions {
  /**
   * Whether the consumer uses payloads only until it returns, except that it may send them by `DatagramServer.sendRuns` before it returns. The
   * linux engine then does not copy them: its next call overwrites their memory. Default: false.
   */
  readonly borrows?: boolean | undefined;
}

/** The common part of `DatagramServer` and `DatagramClient`: a bounded receive queue, counters and closing. */
export abstract class DatagramSocket extends EventEmitter<DatagramSocketEvents> {
  readonly #queue: ReceiveQueue;
  readonly #signal: AbortSignal | undefined;
  readonly #engine: EngineChoice;
  #chosen!: Chosen;
  #socket!: EngineSocket;
  /** Source addresses of the socket's own datagrams, which come back when it sends to a group or broadcasts. */
  #own: ReadonlySet<string> = new Set();
  #memberships: readonly Membership[] = [];
  #sends = new Set<Promise<unknown>>();
  #state: 'open' | 'closing' | 'aborted' = 'open';
  /** Whether `close` still reads the datagrams in the kernel's buffer. `stopReceiving` clears it. */
  #takesInTheRest = true;
  #markClosed!: () => void;
  readonly #closed = new Promise<void>((resolve) => {
    this.#markClosed = resolve;
  });

  protected constructor(options: DatagramSocketOptions) {
    super();
    this.#signal = options.signal;
    this.#engine = options.engine ?? 'node';
    this.#queue = new ReceiveQueue({
      capacity: options.maxReadQueue ?? 1024,
      overflow: options.overflow ?? 'drop-newest',
      onDrop: shielded((count) => this.emit('drop', count)),
      onRoom: () => {
        this.#socket.resume();
      },
    });
  }

  /**
   * Opens the engine's socket.
   *
   * @param engine used instead of the one that the options choose
   * @throws {DatagramError} `UNSUPPORTED`, `INVALID_OPTION`, `INVALID_ADDRESS`, `OPEN_FAILED`, `BROADCAST_FORBIDDEN`
   * @throws The reason of the signal once it is aborted.
   */
  protected async open(request: OpenRequest, takers: Takers = {}, engine?: Engine): Promise<void> {
    this.#signal?.throwIfAborted();
    checkJoinable(request);
    const events = engineEvents(takers, {
      emitter: this,
      queue: this.#queue,
      isAborted: () => this.#state === 'aborted',
      isOwn: ({ address, port }) => port === this.local.port && this.#own.has(address),
    });
    const opened = await openSocket(engine ?? this.#engine, request, events, this.#signal);
    ({ chosen: this.#chosen, socket: this.#socket } = opened);
    this.#memberships = membershipsOf(request.options);
    if (request.hearStrays) this.#own = ownAddresses(request.local, this.local);
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (this.#signal?.aborted === true) {
      this.abort();
      await this.waitClosed();
      this.#signal.throwIfAborted();
    }
  }

  readonly #onAbort = (): void => {
    this.abort();
  };

  /** The address to which the socket is bound. If port 0 was given, this has the port that the kernel chose. */
  get local(): Endpoint {
    return this.#socket.local;
  }

  /** The engine that makes the system calls. With `engine: 'auto'` it is the one that was chosen. */
  get engine(): EngineName {
    return this.#chosen.engine.name;
  }

  /**
   * Why `engine: 'auto'` does not use the linux engine (`UNSUPPORTED`): it is not available here, or it could not open
   * the socket. Undefined in all other cases.
   */
  get engineUnavailable(): DatagramError | undefined {
    return this.#chosen.unavailable;
  }

  /**
   * The features that the socket lacks, because the kernel refused an option of the linux engine. Empty on most systems,
   * and always with the node engine.
   */
  get missingFeatures(): readonly MissingFeature[] {
    return this.#socket.missing;
  }

  /** The groups that the socket has joined. Without an interface, the system has chosen it. */
  get memberships(): readonly Membership[] {
    return this.#memberships;
  }

  /** Sizes of the kernel's buffers as granted, which may be less than the options asked for. */
  get kernelBuffers(): KernelBuffers {
    return this.#socket.buffers;
  }

  /** How many datagrams were dropped because the receive queue was full, since the socket was opened. */
  get dropped(): number {
    return this.#queue.dropped;
  }

  /**
   * How many datagrams for this socket the kernel dropped, because its receive buffer was full or a checksum was wrong.
   * Exact unless {@link kernelDropsAreLowerBound}. Undefined where the system does not tell: outside Linux, and
   * sometimes with the node engine. After `close` the final count; with the node engine only if it was read before.
   */
  get kernelDropped(): number | undefined {
    return this.#socket.kernelDropped();
  }

  /**
   * Whether the kernel may have dropped more datagrams than the last {@link kernelDropped} said. True only with the
   * linux engine without `exactDrops`, once the count is above 0: the kernel counts datagrams that it coalesced as one.
   */
  get kernelDropsAreLowerBound(): boolean {
    return this.#socket.kernelDropsAreLowerBound;
  }

  /** How many datagrams were read from the kernel after receiving had ended. No reader got them. */
  get discarded(): number {
    return this.#queue.discarded;
  }

  /** How many datagrams wait in the receive queue, from 0 to `maxReadQueue`; more while the socket is closing. */
  get queued(): number {
    return this.#queue.length;
  }

  /**
   * Gives a batch to the engine. Returns the datagrams that the kernel did not take. `close` waits for it, even while
   * an address of the batch is still looked up.
   *
   * @throws {DatagramError} `CLOSED`
   */
  protected async transmit(
    batch: readonly EngineOutgoing[] | Promise<readonly EngineOutgoing[]>,
    timesMs?: Float64Array,
  ): Promise<readonly SendFailure[]> {
    if (this.#state !== 'open') throw new DatagramError('CLOSED', 'cannot send: the socket was closed');
    const sent =
      batch instanceof Promise
        ? batch.then((found) => this.#socket.send(found, timesMs))
        : this.#socket.send(batch, timesMs);
    this.#sends.add(sent);
    try {
      return await sent;
    } finally {
      this.#sends.delete(sent);
    }
  }

  /**
   * Gives a batch to the engine, as {@link transmit} does, without a promise of its own: it costs less.
   *
   * @throws {DatagramError} `CLOSED`
   */
  protected transmitNow(batch: readonly EngineOutgoing[], timesMs?: Float64Array): Promise<readonly SendFailure[]> {
    if (this.#state !== 'open') throw new DatagramError('CLOSED', 'cannot send: the socket was closed');
    const sent = this.#socket.send(batch, timesMs);
    if (sent === ALL_TAKEN) return sent;
    this.#sends.add(sent);
    return sent.finally(() => this.#sends.delete(sent));
  }

  /** Tells that the receiver of `ServerOptions.receiver` has room again. */
  resume(): void {
    this.#socket.resume();
  }

  /** The next datagram, or undefined at the end. */
  protected take(signal?: AbortSignal): Promise<Datagram | undefined> {
    return this.#queue.takeOne(signal);
  }

  /**
   * Yields all datagrams that have arrived, as an array of at least one, in order of arrival. This is the fastest way
   * to read, because a busy socket yields many datagrams at once. It ends when the socket is closed and everything
   * queued was read. Leaving the loop does not close the socket.
   *
   * @throws {DatagramError} `QUEUE_FULL` under the overflow policy `fail`; `RECEIVE_FAILED`; `INVALID_OPTION`
   * @throws The reason of `options.signal` once it is aborted.
   */
  async *batches(options: ReceiveOptions = {}): AsyncGenerator<readonly Datagram[], undefined> {
    const signal = signalOf(options);
    for (;;) {
      const batch = await this.#queue.takeAll(signal);
      if (batch === undefined) return;
      yield batch;
    }
  }

  /**
   * Yields runs instead of datagrams, otherwise like {@link batches}. For programs that pass datagrams on: the linux
   * engine yields datagrams that the kernel coalesced as one {@link Run}, which costs little more than one datagram.
   * With the node engine, before the first call and where the queue lacks room, each run holds one datagram.
   *
   * @throws {DatagramError} like {@link batches}
   */
  async *runs(options: ReceiveOptions = {}): AsyncGenerator<readonly Run[], undefined> {
    const signal = signalOf(options);
    for (;;) {
      const batch = await this.#queue.takeRuns(signal);
      if (batch === undefined) return;
      yield batch;
    }
  }

  /**
   * Gives runs to `consumer` as soon as they were read from the kernel, without a turn of the event loop in between. For
   * programs that respond: a response that `consumer` sends leaves at once. Resolves when the socket is closed and
   * everything queued was taken, or when `consumer` wants no more.
   *
   * @param options see {@link ConsumeOptions}
   * @throws {DatagramError} like {@link batches}
   * @throws The error of `consumer`.
   */
  consume(consumer: Consumer, { borrows }: ConsumeOptions = {}): Promise<void> {
    return this.#queue.consume(consumer, borrows);
  }

  /**
   * Reads all that the kernel holds now. Datagrams go into the receive queue, ICMP errors become events.
   *
   * @param withinMs Stops after this many milliseconds. Default: when one bufferful was read.
   */
  poll(withinMs?: number): Promise<void> {
    return this.#socket.poll(withinMs);
  }

  /**
   * Ends receiving in order; sending still works. Moves the datagrams that the kernel holds into the queue. Then the
   * queue takes no more, and readers end once they have read it. May be called twice, and after `close`.
   */
  async endReceiving(): Promise<void> {
    if (this.#state !== 'open') return;
    await this.#takeInTheRest();
    this.#queue.end();
  }

  /**
   * Ends receiving at once; sending still works. Queued datagrams can still be read. Datagrams that the kernel holds go
   * to no reader; the socket may count them as {@link discarded}. May be called twice, and after `close`.
   */
  stopReceiving(): void {
    this.#takesInTheRest = false;
    this.#queue.end();
  }

  /**
   * Closes the socket in order and returns at once. Sends under way are finished. Datagrams that have arrived, those in
   * the kernel's buffer too, can still be read. {@link waitClosed} tells when the port is free. A second call does
   * nothing.
   */
  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    void this.#finish();
  }

  async #finish(): Promise<void> {
    await Promise.allSettled([...this.#sends, this.#takeInTheRest()]);
    this.#queue.end();
    await this.#release();
  }

  /**
   * Reads the datagrams in the kernel's buffer, which would be lost with the socket. The queue may exceed its capacity
   * by them; the size of the kernel's buffer limits how many there are.
   */
  async #takeInTheRest(): Promise<void> {
    if (!this.#takesInTheRest) return;
    if (this.#chosen.engine.leavesInKernel) this.#queue.takeInTheRest();
    await this.#socket.poll();
  }

  /**
   * Closes the socket at once. Queued datagrams are lost, and sends under way fail with `CLOSED`. A second call does
   * nothing; a call after `close` cuts the orderly end short.
   */
  abort(): void {
    if (this.#state === 'aborted') return;
    this.#state = 'aborted';
    this.#queue.clear();
    this.#queue.end();
    void this.#release();
  }

  async #release(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    await this.#socket.close();
    this.#markClosed();
  }

  /** Resolves when the socket was closed or aborted and its port is free again. Does not close it. */
  waitClosed(): Promise<void> {
    return this.#closed;
  }

  /** Closes the socket and waits until its port is free. `await using` calls this at the end of the block. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.waitClosed();
  }
}
