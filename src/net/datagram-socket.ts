import { EventEmitter } from 'node:events';
import type { Datagram } from './datagram.js';
import {
  type Address,
  canonicalAddress,
  type Endpoint,
  type Family,
  interfaceExists,
  parseAddress,
} from './endpoint.js';
import type { EngineOutgoing, EngineSocket, KernelBuffers, OpenRequest, SendFailure, SocketOptions } from './engine.js';
import { DatagramError } from './errors.js';
import { nodeEngine } from './node-engine.js';
import { type Overflow, ReceiveQueue } from './receive-queue.js';

/**
 * An address as callers may give it: text as {@link parseAddress} reads it (a name is resolved), an address already
 * parsed, or a literal endpoint, for example the `remote` of a datagram.
 */
export type AddressLike = string | Address | Endpoint;

/** Options that servers and clients share. */
export interface DatagramSocketOptions extends SocketOptions {
  /** Datagrams held for a reader that is not ready, at least 1. Default: 1024. */
  readonly maxReadQueue?: number;
  /** What happens to a datagram that finds the queue full. Default: `drop-newest`. */
  readonly overflow?: Overflow;
  /** Restricts the address to one family. Default: what the address says, and both for every interface (`*:8000`). */
  readonly family?: Family | undefined;
  /** Aborts the opening, and later the object, as {@link DatagramSocket.abort} does. */
  readonly signal?: AbortSignal;
}

/** Events of servers and clients. A listener is never needed: without one the event only counts. */
export interface DatagramSocketEvents {
  /** An ICMP error came back for something sent earlier (`REFUSED`, `TOO_LARGE`). It disturbs nothing else. */
  peerError: [error: DatagramError];
  /** Datagrams were dropped because the receive queue was full: how many just now. */
  drop: [count: number];
  /** Datagrams came from another address than the one connected to; only with `strays: 'report'`. */
  strays: [batch: readonly Datagram[]];
}

/** Options of one wait. */
export interface ReceiveOptions {
  /** Gives the wait up: it rejects with the signal's reason, and no datagram is lost by that. */
  readonly signal?: AbortSignal;
}

/** What a bound and a connected datagram socket have in common: a bounded queue of what arrives, and an orderly end. */
export abstract class DatagramSocket extends EventEmitter<DatagramSocketEvents> {
  readonly #queue: ReceiveQueue;
  readonly #signal: AbortSignal | undefined;
  #socket!: EngineSocket;
  #sends = new Set<Promise<unknown>>();
  #state: 'open' | 'closing' | 'aborted' = 'open';
  #markClosed!: () => void;
  readonly #closed = new Promise<void>((resolve) => {
    this.#markClosed = resolve;
  });

  protected constructor(options: DatagramSocketOptions) {
    super();
    checkOptions(options);
    this.#signal = options.signal;
    this.#queue = new ReceiveQueue({
      capacity: options.maxReadQueue ?? 1024,
      overflow: options.overflow ?? 'drop-newest',
      onDrop: (count) => this.emit('drop', count),
      onRoom: () => {
        this.#socket.resume();
      },
    });
  }

  /** Opens the engine's socket; `receiveStrays` puts datagrams from other addresses into the queue as well. */
  protected async open(request: OpenRequest, receiveStrays = false): Promise<void> {
    this.#signal?.throwIfAborted();
    const queue = this.#queue;
    this.#socket = await nodeEngine.open(request, {
      room: () => queue.room,
      datagrams: (batch) => {
        queue.push(batch);
      },
      strays: (batch) => {
        if (receiveStrays) queue.push(batch);
        else this.emit('strays', batch);
      },
      peerError: (error) => this.emit('peerError', error),
      failed: (error) => {
        queue.end(error);
      },
    });
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (this.#signal?.aborted === true) {
      this.abort();
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

  /** The kernel's buffers as granted, in bytes. Less than was asked for means that the system limits them. */
  get kernelBuffers(): KernelBuffers {
    return this.#socket.buffers;
  }

  /** How many datagrams were dropped so far because the receive queue was full. */
  get dropped(): number {
    return this.#queue.dropped;
  }

  /** How many datagrams wait in the receive queue. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Gives a batch to the engine; resolves to what the kernel did not take. */
  protected async transmit(batch: readonly EngineOutgoing[]): Promise<readonly SendFailure[]> {
    if (this.#state !== 'open') throw new DatagramError('CLOSED', 'cannot send: the socket was closed');
    const sent = this.#socket.send(batch);
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
   * @throws {DatagramError} `QUEUE_FULL` under the policy `fail`, `RECEIVE_FAILED`; the reason of an aborted `signal`.
   */
  async *batches({ signal }: ReceiveOptions = {}): AsyncGenerator<readonly Datagram[], undefined> {
    for (;;) {
      const batch = await this.#queue.takeAll(signal);
      if (batch === undefined) return;
      yield batch;
    }
  }

  /** Has the kernel report what it already knows, datagrams and ICMP errors, without waiting for any to arrive. */
  poll(): Promise<void> {
    return this.#socket.poll();
  }

  /**
   * Ends in order: what is being sent is sent, what has arrived can still be read, then receiving ends. Twice is fine.
   */
  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    void this.#finish();
  }

  async #finish(): Promise<void> {
    await Promise.allSettled([...this.#sends, this.#socket.poll()]);
    this.#queue.end();
    await this.#release();
  }

  /** Ends at once: what is queued in either direction is given up. Twice, and after `close`, is fine. */
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

function checkOptions(options: DatagramSocketOptions): void {
  checkRange('maxReadQueue', options.maxReadQueue, 1, Number.MAX_SAFE_INTEGER);
  checkRange('ttl', options.ttl, 1, 255);
  checkRange('recvBufferBytes', options.recvBufferBytes, 1, 0x3fff_ffff);
  checkRange('sendBufferBytes', options.sendBufferBytes, 1, 0x3fff_ffff);
  const { multicastInterface } = options;
  if (multicastInterface !== undefined && !interfaceExists(multicastInterface)) {
    throw new DatagramError('INVALID_OPTION', `multicastInterface: this host has no interface "${multicastInterface}"`);
  }
}

function checkRange(name: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return;
  throw new DatagramError('INVALID_OPTION', `${name} must be a whole number from ${least} to ${most}, not ${value}`);
}

/** Brings whatever a caller gave as an address into a form that can be resolved. */
export function toAddress(address: AddressLike): Address {
  if (typeof address === 'string') return parseAddress(address);
  if ('host' in address) return address;
  return { host: { kind: 'literal', address: canonicalAddress(address.address) }, port: checkPort(address.port) };
}

/** Checks and normalises a literal endpoint that a caller gave. */
export function toEndpoint(endpoint: Endpoint): Endpoint {
  return { address: canonicalAddress(endpoint.address), port: checkPort(endpoint.port) };
}

function checkPort(port: number): number {
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new DatagramError('INVALID_ADDRESS', `a port is a whole number from 0 to 65535, not ${port}`);
}

/** Payloads may be given as text, which is sent as UTF-8. */
export function toBytes(data: Uint8Array | string): Uint8Array {
  return typeof data === 'string' ? Buffer.from(data, 'utf8') : data;
}
