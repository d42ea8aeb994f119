import { BackOff } from '../back-off.js';
import type { SystemCalls, Watch } from './system-calls.js';

/** Errors are heard, and the process is kept running, while nothing else is waited for. */
const NOTHING = { readable: false, writable: false, disconnect: true };

/** The work of a socket that the event loop calls for, from the next round on. */
export interface Work {
  /** Whether the socket is to be read. */
  wantsToRead(): boolean;
  /** Whether datagrams wait for room in the send buffer. */
  waitsForRoom(): boolean;
  /** The event loop told of an error on the socket, such as an ICMP error. */
  failed(): void;
  /** Receives and sends. */
  turn(): void;
}

/** Has the event loop watch a descriptor, and calls for work in turns, one in each round of the event loop. */
export class Turns {
  readonly #work: Work;
  readonly #watch: Watch;
  readonly #backOff = new BackOff();
  /** What the event loop watches for now. */
  #watching: 'read' | 'nothing' | 'read and write' | 'write' = 'read';
  #pending = false;
  /** A pause in reading, after failures. The event loop watches for nothing meanwhile. */
  #rest: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(calls: SystemCalls, fd: number, work: Work) {
    this.#work = work;
    this.#watch = calls.watch(fd, { readable: true, writable: false }, this.#onReady);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether reading rests after failures. */
  get resting(): boolean {
    return this.#rest !== undefined;
  }

  /** libuv calls this outside Node's task queue: promises do not run and exceptions are lost. So it only schedules a turn. */
  readonly #onReady = (status: number): void => {
    // The watch ends with the error.
    if (status < 0) {
      this.#watching = 'nothing';
      this.#work.failed();
    }
    if (status < 0 || this.#work.wantsToRead() || this.#work.waitsForRoom()) this.take();
    else this.watch();
  };

  /** Takes a turn in the next round of the event loop. */
  take(): void {
    if (this.#pending) return;
    this.#pending = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    this.#pending = false;
    if (this.#closed) return;
    this.#work.turn();
    // The watch goes on for a moment when there is no room: with room before the next datagram, it need not begin again.
    if (this.#work.wantsToRead() || this.#watching !== 'read') this.watch();
  };

  /** Has the event loop watch for what the socket waits for. */
  watch(): void {
    if (this.#closed || this.#rest !== undefined) return;
    const readable = this.#work.wantsToRead();
    const writable = this.#work.waitsForRoom();
    const wanted = writable ? (readable ? 'read and write' : 'write') : readable ? 'read' : 'nothing';
    if (wanted === this.#watching && wanted !== 'nothing') return;
    this.#watching = wanted;
    this.#watch.start(wanted === 'nothing' ? NOTHING : { readable, writable }, this.#onReady);
  }

  /** A call of receiving succeeded: the next failure is tried again at once. */
  succeeded(): void {
    this.#backOff.succeeded();
  }

  /** Whether to try a failed call of receiving again at once. If not, reading rests, so that other work gets its turn. */
  triesAgain(): boolean {
    if (this.#closed) return false;
    const pauseMs = this.#backOff.failed();
    if (pauseMs === 0) return true;
    if (this.#rest === undefined) {
      this.#watch.stop();
      this.#watching = 'nothing';
      this.#rest = setTimeout(() => {
        this.#rest = undefined;
        this.take();
      }, pauseMs);
    }
    return false;
  }

  /** Ends the watch, which has to come before the descriptor is closed. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#rest);
    this.#watch.close();
  }
}
