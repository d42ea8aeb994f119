import { EventEmitter } from 'node:events';
import type { Arrivals, Datagram, Run } from './datagram.js';
import type { Endpoint } from './address/endpoint.js';
import type {
  Engine,
  EngineName,
  EngineOutgoing,
  EngineSocket,
  KernelBuffers,
  OpenRequest,
  SendFailure,
} from './engines/engine.js';
import { type Chosen, chooseEngine, type EngineChoice } from './engines/choice.js';
import { DatagramError } from './errors.js';
import { checkJoinable } from './address/membership.js';
import { openApart, ownAddresses } from './engines/own-address.js';
import { ReceiveQueue } from './receive-queue.js';
import { arrivalOf } from './runs.js';
import { shielded } from './shielded.js';
import {
  type DatagramSocketOptions,
  type ReceiveOptions,
  refuseForeignOptions,
  signalOf,
  type Strays,
} from './socket-options.js';

/**
 * Events of servers and clients. A listener is never needed: without one the event only counts. What a listener throws is
 * an uncaught exception of the process.
 */
export interface DatagramSocketEvents {
  /** An ICMP error came back for something sent earlier (`REFUSED`, `TOO_LARGE`). It disturbs nothing else. */
  peerError: [error: DatagramError];
  /**
   * The system had no memory to receive with (`RECEIVE_FAILED`, caused by `ENOMEM` or `ENOBUFS`). Nothing is lost by that:
   * what has arrived waits in the kernel's buffer, and is asked for again, in the end ten times a second.
   */
  receiveError: [error: DatagramError];
  /** Datagrams were dropped because the receive queue was full: how many just now. */
  drop: [count: number];
  /** Datagrams came from another address than the one connected to; only with `strays: 'report'`. */
  strays: [batch: readonly Datagram[]];
}

/** What a bound and a connected datagram socket have in common: a bounded queue of what arrives, and an orderly end. */
export abstract class DatagramSocket extends EventEmitter<DatagramSocketEvents> {
  readonly #queue: ReceiveQueue;
  readonly #signal: AbortSignal | undefined;
  readonly #engine: EngineChoice;
  #chosen!: Chosen;
  #socket!: EngineSocket;
  /** Addresses from which it hears itself, at its own port, where it sends to a group or broadcasts. */
  #own: ReadonlySet<string> = new Set();
  #sends = new Set<Promise<unknown>>();
  #state: 'open' | 'closing' | 'aborted' = 'open';
  /** Whether the end of receiving takes in what the kernel holds. */
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
   * @param details `strays` is what becomes of datagrams from other addresses; `onArrivals` is told of what arrives, and
   * nothing is queued; `engine` opens the socket.
   */
  protected async open(
    request: OpenRequest,
    {
      strays = 'report',
      onArrivals,
      engine,
    }: {
      readonly strays?: Strays;
      readonly onArrivals?: ((arrivals: Arrivals) => void) | undefined;
      readonly engine?: Engine;
    } = {},
  ): Promise<void> {
    this.#signal?.throwIfAborted();
    checkJoinable(request);
    const queue = this.#queue;
    const tellOf = onArrivals && shielded(onArrivals);
    const tellOfStrays = shielded((batch: readonly Datagram[]) => this.emit('strays', batch));
    if (request.fd !== undefined && this.#engine === 'linux') {
      throw new DatagramError('UNSUPPORTED', 'the linux engine cannot adopt an inherited socket; the node engine can');
    }
    const choice = request.fd === undefined ? this.#engine : 'node';
    this.#chosen = engine === undefined ? await chooseEngine(choice) : { engine };
    refuseForeignOptions(this.#chosen.engine.name, request.options);
    this.#signal?.throwIfAborted();
    this.#socket = await openApart(this.#chosen.engine, request, {
      room: () => queue.appetite,
      datagrams: (batch) => {
        if (tellOf === undefined) queue.push(batch);
        else {
          for (const datagram of batch) {
            // Whoever is told may abort it.
            if (this.#state === 'aborted') break;
            tellOf(arrivalOf(datagram));
          }
        }
      },
      takesRuns: () => queue.takesRuns,
      runs: (runs) => {
        queue.pushRuns(runs);
      },
      arrivals: tellOf,
      strays: (batch) => {
        // A client hears itself where it sends to a group that it has joined, or broadcasts to its own port.
        const { port } = this.local;
        const others = batch.filter(({ remote }) => remote.port !== port || !this.#own.has(remote.address));
        if (others.length === 0 || strays === 'ignore') return;
        if (strays === 'receive') queue.push(others);
        else tellOfStrays(others);
      },
      peerError: shielded((error) => this.emit('peerError', error)),
      receiveError: shielded((error) => this.emit('receiveError', error)),
      failed: (error) => {
        queue.end(error);
      },
    });
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

  /** The local address, with the port that the kernel chose. */
  get local(): Endpoint {
    return this.#socket.local;
  }

  /** Which engine talks to the kernel. */
  get engine(): EngineName {
    return this.#chosen.engine.name;
  }

  /** Why the linux engine is not used, if `auto` was to use it where it can. */
  get engineUnavailable(): DatagramError | undefined {
    return this.#chosen.unavailable;
  }

  /** The kernel's buffers as granted, in bytes. Less than was asked for means that the system limits them. */
  get kernelBuffers(): KernelBuffers {
    return this.#socket.buffers;
  }

  /** How many datagrams were dropped so far because the receive queue was full. */
  get dropped(): number {
    return this.#queue.dropped;
  }

  /**
   * How many datagrams the kernel dropped so far because its own buffer for this socket was full, or their checksum was
   * wrong: on Linux, exact but for `kernelDropsAreLowerBound`; undefined where it cannot be known. It can be asked for after
   * the close, too, by whoever has done so before.
   */
  get kernelDropped(): number | undefined {
    return this.#socket.kernelDropped();
  }

  /**
   * Whether the kernel may have dropped more than `kernelDropped` said last: with the linux engine without `exactDrops`,
   * once there are any, because datagrams that the kernel coalesced and dropped together count as one.
   */
  get kernelDropsAreLowerBound(): boolean {
    return this.#socket.kernelDropsAreLowerBound;
  }

  /** How many datagrams were read from the kernel after receiving had ended, and so were given to nobody. */
  get discarded(): number {
    return this.#queue.discarded;
  }

  /** How many datagrams wait in the receive queue. */
  get queued(): number {
    return this.#queue.length;
  }

  /**
   * Gives a batch to the engine; resolves to what the kernel did not take. A batch whose addresses are still being
   * looked up is under way already: `close` waits for it.
   *
   * @param timesMs see `SendBatchOptions`
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

  /** The next datagram, or undefined at the end. */
  protected take(signal?: AbortSignal): Promise<Datagram | undefined> {
    return this.#queue.takeOne(signal);
  }

  /**
   * Arrays of datagrams as they arrive together, each at least one long, in order. The fastest way to read: a busy
   * socket gives many at once. Ends when the object is closed and everything queued was read; leaving the loop leaves
   * the object open.
   *
   * @throws {DatagramError} `QUEUE_FULL` under the policy `fail`, `RECEIVE_FAILED`, `INVALID_OPTION`; the reason of an
   * aborted `signal`.
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
   * As {@link batches}, in runs: datagrams that the kernel coalesced come in one piece, as the linux engine has them, and
   * cost little more than one; all others come as runs of one. Datagrams that arrived before the first call, and those that
   * found too little room in the queue, are runs of one too. Whoever reads by another method gets datagrams, however they
   * came. For a program that passes datagrams on.
   *
   * @throws {DatagramError} as {@link batches}
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
   * Has the kernel report what it already knows, without waiting for more: datagrams in its buffer come into the queue,
   * ICMP errors become events.
   *
   * @param withinMs ends it after that time, though the kernel may hold more. Default: no limit; it reads no more than the
   * kernel's buffer can hold.
   */
  poll(withinMs?: number): Promise<void> {
    return this.#socket.poll(withinMs);
  }

  /**
   * Receives no more, and goes on sending: what has arrived can still be read, and answered, then receiving ends. Twice,
   * and after `close`, is fine.
   */
  async endReceiving(): Promise<void> {
    if (this.#state !== 'open') return;
    await this.#takeInTheRest();
    this.#queue.end();
  }

  /**
   * Receives no more from now on, and goes on sending: what is queued can still be read, and what the kernel holds is given
   * up (`discarded`). Twice, and after `close`, is fine.
   */
  stopReceiving(): void {
    this.#takesInTheRest = false;
    this.#queue.end();
  }

  /**
   * Ends in order: what is being sent is sent; what has arrived, in the kernel's buffer too, can still be read; then
   * receiving ends. Twice is fine.
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

  /** What waits in the kernel until there is room for it would be lost with the socket; its buffer bounds how much it is. */
  async #takeInTheRest(): Promise<void> {
    if (!this.#takesInTheRest) return;
    if (this.#chosen.engine.leavesInKernel) this.#queue.takeInTheRest();
    await this.#socket.poll();
  }

  /**
   * Ends at once: what is queued in either direction is given up, and sends under way reject with `CLOSED`.
   * Twice, and after `close`, is fine.
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

  /** Resolves once the object was closed or aborted and its port is free again. */
  waitClosed(): Promise<void> {
    return this.#closed;
  }

  /** Closes and waits: what `await using` calls at the end of the block. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.waitClosed();
  }
}
