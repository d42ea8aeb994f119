import type { Endpoint } from '../../address/endpoint.js';
import type { EngineEvents, EngineOutgoing, EngineSocket, KernelBuffers, SendFailure } from '../engine.js';
import { KernelDrops } from './kernel-drops.js';
import type { OpenedSocket } from './open.js';
import { Receiving } from './receiving.js';
import { Sending } from './sending.js';

/** A socket of `node:dgram`. */
export class NodeSocket implements EngineSocket {
  readonly kernelDropsAreLowerBound = false;
  readonly missing = [];
  readonly #opened: OpenedSocket;
  readonly #receiving: Receiving;
  readonly #sending: Sending;
  /** Undefined until the first question, because finding the socket takes a millisecond. */
  #drops: KernelDrops | undefined;

  constructor(opened: OpenedSocket, events: EngineEvents) {
    this.#opened = opened;
    this.#receiving = new Receiving(opened, events);
    this.#sending = new Sending(opened, events);
  }

  get local(): Endpoint {
    return this.#opened.local;
  }

  get buffers(): KernelBuffers {
    return this.#opened.buffers;
  }

  send(batch: readonly EngineOutgoing[], timesMs?: Float64Array): Promise<readonly SendFailure[]> {
    return this.#sending.send(batch, timesMs);
  }

  resume(): void {
    // node:dgram never stops reading. The receive queue drops datagrams for which it has no room, and counts them.
  }

  poll(withinMs = Infinity): Promise<void> {
    return this.#receiving.drain(withinMs);
  }

  kernelDropped(): number | undefined {
    const { local, request, closed } = this.#opened;
    if (!closed) {
      this.#drops ??= new KernelDrops(local, request.remote);
      this.#drops.read();
    }
    return this.#drops?.count;
  }

  close(): Promise<void> {
    // The kernel forgets the count with the socket. Both calls are synchronous, so no drop is missed between them.
    if (!this.#opened.closed) this.#drops?.read();
    return this.#opened.close();
  }
}

/** Two sockets on one port: the connected one receives from the peer, the unconnected one receives strays. */
export class SocketPair implements EngineSocket {
  readonly kernelDropsAreLowerBound = false;
  readonly missing = [];
  readonly #connected: EngineSocket;
  readonly #strays: EngineSocket;

  constructor(connected: EngineSocket, strays: EngineSocket) {
    this.#connected = connected;
    this.#strays = strays;
  }

  get local(): Endpoint {
    return this.#connected.local;
  }

  get buffers(): KernelBuffers {
    return this.#connected.buffers;
  }

  send(batch: readonly EngineOutgoing[], timesMs?: Float64Array): Promise<readonly SendFailure[]> {
    return this.#connected.send(batch, timesMs);
  }

  resume(): void {
    // Neither socket stops reading, see NodeSocket.
  }

  async poll(withinMs?: number): Promise<void> {
    await Promise.all([this.#connected.poll(withinMs), this.#strays.poll(withinMs)]);
  }

  kernelDropped(): number | undefined {
    const own = this.#connected.kernelDropped();
    const ofStrays = this.#strays.kernelDropped();
    return own === undefined || ofStrays === undefined ? undefined : own + ofStrays;
  }

  async close(): Promise<void> {
    await Promise.all([this.#strays.close(), this.#connected.close()]);
  }
}
