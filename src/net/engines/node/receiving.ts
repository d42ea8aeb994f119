import type { RemoteInfo } from 'node:dgram';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Endpoint, sameEndpoint } from '../../address/endpoint.js';
import { wallClockMs } from '../../clock.js';
import type { Datagram } from '../../datagram.js';
import { systemCode } from '../../errors.js';
import { BackOff } from '../back-off.js';
import type { EngineEvents } from '../engine.js';
import { receiveError } from '../errors.js';
import { KERNEL_FACTOR, LEAST_CHARGE_BYTES } from '../limits.js';
import type { OpenedSocket } from './open.js';
import { isRefusal, isWantOfMemory, peerError } from './system-errors.js';

/** The longest pause of the process, in milliseconds, while the system has no memory to receive with. */
const MAX_HALT_MS = 10;

/** Collects the datagrams that a socket of `node:dgram` emits and delivers them in batches. */
export class Receiving {
  readonly #opened: OpenedSocket;
  readonly #events: EngineEvents;
  /** Datagrams of this round of the event loop. */
  #arrived: Datagram[] = [];
  #strayed: Datagram[] = [];
  /** Counts datagrams that were read, and failed attempts after which libuv tries again at once. */
  #reads = 0;
  /** How many bytes of the kernel's buffer the datagrams took at least. */
  #bytesRead = 0;
  readonly #backOff = new BackOff();
  #lastRemote: Endpoint = { address: '', port: 0 };

  constructor(opened: OpenedSocket, events: EngineEvents) {
    this.#opened = opened;
    this.#events = events;
    opened.socket.on('message', (data, from) => {
      this.#onMessage(data, from);
    });
    opened.socket.on('error', (error) => {
      this.#onError(error);
    });
  }

  #onMessage(data: Buffer, from: RemoteInfo): void {
    const remote = this.#remoteOf(from);
    const { request, local, isWildcard } = this.#opened;
    const { remote: peer } = request;
    const datagram: Datagram = { data, remote, local: isWildcard ? undefined : local, timeMs: wallClockMs() };
    if (this.#arrived.length === 0 && this.#strayed.length === 0) setImmediate(this.#deliver);
    this.#reads += 1;
    this.#backOff.succeeded();
    this.#bytesRead += Math.max(data.length, LEAST_CHARGE_BYTES);
    // Between bind(2) and connect(2) the socket receives from every address.
    if (peer !== undefined && !sameEndpoint(remote, peer)) this.#strayed.push(datagram);
    else this.#arrived.push(datagram);
  }

  /**
   * Delivers the datagrams of this round. Runs after the poll phase, in which libuv reads all that the kernel holds.
   */
  readonly #deliver = (): void => {
    const arrived = this.#arrived;
    const strayed = this.#strayed;
    this.#arrived = [];
    this.#strayed = [];
    if (this.#opened.closed) return;
    if (arrived.length > 0) this.#events.datagrams(arrived);
    if (strayed.length > 0 && this.#opened.request.hearStrays) this.#events.strays(strayed);
  };

  #remoteOf({ address, port }: RemoteInfo): Endpoint {
    const plain = address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
    const last = this.#lastRemote;
    if (last.port !== port || last.address !== plain) this.#lastRemote = { address: plain, port };
    return this.#lastRemote;
  }

  #onError(error: Error): void {
    const code = systemCode(error);
    const { local, request } = this.#opened;
    if (code === 'EMSGSIZE' || isRefusal(code)) {
      this.#events.peerError(peerError(error, request.remote));
    } else if (isWantOfMemory(code)) {
      this.#events.receiveError(receiveError(error, local));
      const pauseMs = this.#backOff.failed();
      if (pauseMs === 0) this.#reads += 1;
      else halt(Math.min(pauseMs, MAX_HALT_MS));
    } else {
      this.#events.failed(receiveError(error, local));
    }
  }

  /** See `EngineSocket.poll`. */
  async drain(withinMs: number): Promise<void> {
    const untilMs = performance.now() + withinMs;
    // The kernel's buffer holds at most this much now. A flood would fill it again and again, so reading stops there.
    const mostBytes = this.#bytesRead + this.#opened.buffers.recvBytes * KERNEL_FACTOR;
    // The poll phase of this round may be over. The next round has one for certain.
    await nextTurn();
    let before: number;
    do {
      before = this.#reads;
      await nextTurn();
    } while (
      before !== this.#reads &&
      this.#bytesRead < mostBytes &&
      performance.now() < untilMs &&
      !this.#opened.closed
    );
    this.#deliver();
  }
}

/** Blocks the process. libuv tries again in the next round of the event loop, and `node:dgram` cannot delay that. */
function halt(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
