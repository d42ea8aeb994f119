import { setTimeout as delay } from 'node:timers/promises';
import { familyOf, formatEndpoint, LIMITED_BROADCAST, MAX_PAYLOAD_BYTES } from '../../address/endpoint.js';
import { wallClockMs } from '../../clock.js';
import { DatagramError, systemCode } from '../../errors.js';
import { cutBatch, isRun } from '../../runs.js';
import type { EngineEvents, EngineOutgoing, SendFailure } from '../engine.js';
import { isChanged, sendError } from '../errors.js';
import { MAX_ATTEMPTS, NO_MEMORY_TIMEOUT_MS, SENDS_PER_TURN } from '../limits.js';
import type { OpenedSocket } from './open.js';
import { isRefusal, isWantOfMemory, peerError } from './system-errors.js';

/**
 * Sends batches in order, datagram by datagram. A send may fail with the ICMP error of an earlier datagram; then it is
 * repeated.
 */
export class Sending {
  readonly #opened: OpenedSocket;
  readonly #events: EngineEvents;
  #sendsThisTurn = 0;
  /** The end of the last batch. The next one waits for it. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(opened: OpenedSocket, events: EngineEvents) {
    this.#opened = opened;
    this.#events = events;
  }

  /** See `EngineSocket.send`. */
  send(batch: readonly EngineOutgoing[], timesMs?: Float64Array): Promise<readonly SendFailure[]> {
    const { batch: datagrams, origins } = batch.some(isRun) ? cutBatch(batch) : { batch, origins: undefined };
    const sent = this.#last.then(() => this.#sendInOrder(datagrams, timesMs));
    this.#last = sent;
    if (origins === undefined) return sent;
    return sent.then((failures) => failures.map(({ index, error }) => ({ index: origins[index] ?? index, error })));
  }

  #sendInOrder(batch: readonly EngineOutgoing[], timesMs: Float64Array | undefined): Promise<readonly SendFailure[]> {
    const { noMemoryTimeoutMs = NO_MEMORY_TIMEOUT_MS } = this.#opened.request.options;
    return new Promise((resolve) => {
      const failures: SendFailure[] = [];
      let index = 0;
      let sentMs = 0;
      let attempts = 0;
      let noMemorySinceMs: number | undefined;
      let ambiguous: unknown;
      const next = (): void => {
        const outgoing = batch[index];
        if (outgoing === undefined) {
          resolve(failures);
          return;
        }
        this.#sendsThisTurn += 1;
        if (this.#sendsThisTurn > SENDS_PER_TURN) {
          setImmediate(() => {
            this.#sendsThisTurn = 0;
            transmit(outgoing);
          });
        } else {
          transmit(outgoing);
        }
      };
      const transmit = (outgoing: EngineOutgoing): void => {
        if (timesMs !== undefined) sentMs = wallClockMs();
        this.#transmit(outgoing, taken);
      };
      const taken = (error: Error | null | undefined): void => {
        const code = systemCode(error);
        attempts += 1;
        const outgoing = batch[index];
        if (
          code !== undefined &&
          outgoing !== undefined &&
          attempts < MAX_ATTEMPTS &&
          this.#mayBePending(code, outgoing)
        ) {
          if (code === 'ECONNREFUSED') this.#tell(error);
          else ambiguous = error;
          next();
          return;
        }
        if (isWantOfMemory(code)) {
          noMemorySinceMs ??= performance.now();
          if (performance.now() - noMemorySinceMs < noMemoryTimeoutMs && !this.#opened.closed) {
            void delay(1).then(next);
            return;
          }
        } else noMemorySinceMs = undefined;
        if (error && outgoing !== undefined) failures.push({ index, error: this.#sendError(error, outgoing) });
        else {
          if (timesMs !== undefined) timesMs[index] = sentMs;
          // A repeated send succeeded, so the error was the ICMP error of an earlier datagram. If this host itself had
          // no route, each attempt would have failed.
          if (ambiguous !== undefined && !this.#opened.closed) this.#tell(ambiguous);
        }
        ambiguous = undefined;
        attempts = 0;
        index += 1;
        next();
      };
      next();
    });
  }

  #tell(cause: unknown): void {
    this.#events.peerError(peerError(cause, this.#opened.request.remote));
  }

  /**
   * Whether a send may have failed with the ICMP error of an earlier datagram. If so, the kernel has not sent this one.
   */
  #mayBePending(code: string, { data }: EngineOutgoing): boolean {
    const { remote } = this.#opened.request;
    if (remote === undefined || this.#opened.closed) return false;
    if (code === 'EMSGSIZE') return data.length <= MAX_PAYLOAD_BYTES[familyOf(remote.address)];
    return isRefusal(code);
  }

  #transmit(outgoing: EngineOutgoing, callback: (error: Error | null | undefined) => void): void {
    const { data, remote, local } = outgoing;
    try {
      if (isChanged(outgoing)) throw new TypeError('the payload changed its size');
      if (local !== undefined && local.address !== this.#opened.local.address) {
        const from = formatEndpoint(this.#opened.local);
        throw new DatagramError('UNSUPPORTED', `the node engine sends from ${from} only, not from ${local.address}`);
      }
      const by = this.#opened.request.options.multicastInterface;
      if (remote?.address === LIMITED_BROADCAST && by !== undefined && this.#opened.isWildcard) {
        const remedy = 'bind an address of it; the linux engine can';
        throw new DatagramError(
          'UNSUPPORTED',
          `the node engine cannot broadcast by "${by}" from every interface: ${remedy}`,
        );
      }
      if (remote === undefined) this.#opened.socket.send(data, callback);
      else this.#opened.socket.send(data, remote.port, this.#toSocketFamily(remote.address), callback);
    } catch (error) {
      // node:dgram throws on a closed socket and on arguments that it does not accept.
      queueMicrotask(() => {
        callback(error as Error);
      });
    }
  }

  #toSocketFamily(address: string): string {
    return this.#opened.family === 6 && familyOf(address) === 4 ? `::ffff:${address}` : address;
  }

  #sendError(cause: Error, outgoing: EngineOutgoing): DatagramError {
    const { request, local, closed } = this.#opened;
    const { remote = request.remote } = outgoing;
    return sendError(cause, outgoing, { remote, local, closed });
  }
}
