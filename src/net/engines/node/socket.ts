import type { Endpoint } from '../../address/endpoint.js';
import type { EngineEvents, EngineOutgoing, EngineSocket, KernelBuffers, SendFailure } from '../engine.js';
import { KernelDrops } from './kernel-drops.js';
import type { OpenedSocket } from './open.js';
import { Receiving } from './receiving.js';
import { Sending } from './sending.js';

/** A socket of `node:dgram`. */
export class NodeSocket implements EngineSocket {
  readonly kernelDropsAreLowerBound = false;
  readonly #opened: OpenedSocket;
  readonly #receiving: Receiving;
  readonly #sending: Sending;
  /** Undefined until somebody asks: a socket that only sends is not slowed down. */
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
    // Reading never stops: node:dgram cannot leave datagrams in the kernel. The receive queue drops and counts.
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
    // The kernel forgets the count with the socket; nothing comes between the two.
    if (!this.#opened.closed) this.#drops?.read();
    return this.#opened.close();
  }
}

/** A connected socket, which hears only its peer, and an unconnected one on the same port, which hears the strays. */
export class SocketPair implements EngineSocket {
  readonly kernelDropsAreLowerBound = false;
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
    // Neither socket ever stops reading.
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
