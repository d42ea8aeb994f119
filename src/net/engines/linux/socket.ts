import type { Endpoint } from '../../address/endpoint.js';
import type {
  EngineEvents,
  EngineOutgoing,
  EngineSocket,
  KernelBuffers,
  MissingFeature,
  OpenRequest,
  SendFailure,
} from '../engine.js';
import { openError } from '../errors.js';
import { ErrorQueue } from './error-queue.js';
import type { Machinery } from './machinery.js';
import { type OpenedSocket, openSocket } from './open.js';
import { Receiving } from './receiving.js';
import { Sending } from './sending.js';
import { Turns } from './turns.js';

/** A non-blocking socket that the event loop watches and that is read and written in batches. */
export class LinuxSocket implements EngineSocket {
  readonly #opened: OpenedSocket;
  readonly #turns: Turns;
  readonly #receiving: Receiving;
  readonly #sending: Sending;
  /** The last count of dropped datagrams that was read. */
  #lastDrops: number | undefined;

  constructor(machinery: Machinery, request: OpenRequest, events: EngineEvents) {
    const opened = openSocket(machinery, request);
    this.#opened = opened;
    try {
      this.#turns = new Turns(machinery.watches, opened.fd, {
        wantsToRead: () => this.#receiving.hasRoom,
        waitsForRoom: () => this.#sending.waitsForRoom,
        failed: () => {
          this.#receiving.failed();
        },
        turn: () => {
          this.#turn();
        },
      });
    } catch (error) {
      machinery.calls.close(opened.fd);
      throw openError(error, request, request.local);
    }
    const errors = new ErrorQueue(opened, events, this.#turns);
    this.#receiving = new Receiving(opened, events, this.#turns, errors);
    this.#sending = new Sending(opened, this.#turns, errors);
  }

  #turn(): void {
    this.#sending.startTurn();
    if (!this.#turns.resting) this.#receiving.turn();
    this.#sending.turn();
  }

  get local(): Endpoint {
    return this.#opened.local;
  }

  get buffers(): KernelBuffers {
    return this.#opened.buffers;
  }

  get missing(): readonly MissingFeature[] {
    return this.#opened.missing;
  }

  send(batch: readonly EngineOutgoing[], timesMs?: Float64Array): Promise<readonly SendFailure[]> {
    return this.#sending.send(batch, timesMs);
  }

  resume(): void {
    this.#receiving.resume();
  }

  async poll(withinMs = Infinity): Promise<void> {
    if (this.#turns.closed) return;
    this.#receiving.drain(withinMs);
    // A caller may poll in a loop. This lets other work of the event loop run.
    await new Promise((resolve) => setImmediate(resolve));
  }

  kernelDropped(): number | undefined {
    const { machinery, fd } = this.#opened;
    if (!this.#turns.closed) this.#lastDrops = machinery.options.drops(fd) ?? this.#lastDrops;
    return this.#lastDrops;
  }

  get kernelDropsAreLowerBound(): boolean {
    return this.#opened.coalesces && this.#lastDrops !== undefined && this.#lastDrops > 0;
  }

  close(): Promise<void> {
    if (!this.#turns.closed) {
      const { machinery, fd } = this.#opened;
      this.kernelDropped();
      this.#turns.close();
      machinery.calls.close(fd);
      this.#receiving.giveUp();
      this.#sending.giveUp();
    }
    return Promise.resolve();
  }
}
