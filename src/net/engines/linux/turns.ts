import { BackOff } from '../back-off.js';
import type { Watch } from './system-calls.js';
import type { Watches } from './watches.js';

/** Watches for errors only. The watch also keeps the process running. */
const NOTHING = { readable: false, writable: false, disconnect: true };

/** The work of a socket, which {@link Turns} calls. */
export interface Work {
  /** Whether the socket wants to receive, because its owner has room. */
  wantsToRead(): boolean;
  /** Whether datagrams wait for room in the send buffer. */
  waitsForRoom(): boolean;
  /** The event loop reported an error of the socket, for example an ICMP error. */
  failed(): void;
  /** Receives and sends for one turn. */
  turn(): void;
}

/** The number of this round of the event loop. It grows only in rounds in which sockets have turns, but then at least once. */
let round = 0;
let promisesRunSoon = false;

/** A count that begins with 0 in each round of the event loop. */
export class RoundCount {
  #round = 0;
  #count = 0;

  get count(): number {
    if (round !== this.#round) [this.#round, this.#count] = [round, 0];
    return this.#count;
  }

  add(count: number): void {
    this.#count = this.count + count;
  }
}

/** Lets promises run once in this round of the event loop, after the callbacks of all sockets. */
function runPromises(): void {
  if (promisesRunSoon) return;
  promisesRunSoon = true;
  // Node runs promises after each immediate.
  setImmediate(() => {
    promisesRunSoon = false;
    round += 1;
  });
}

/**
 * Makes the event loop watch a descriptor, and calls the socket's work at most once in each round of the event loop.
 */
export class Turns {
  readonly #work: Work;
  readonly #watch: Watch;
  readonly #backOff = new BackOff();
  /** The conditions for which the event loop watches now. */
  #watching: 'read' | 'nothing' | 'read and write' | 'write' = 'read';
  #pending = false;
  /** The timer of a pause after failed receptions. The event loop watches for nothing during it. */
  #rest: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(watches: Watches, fd: number, work: Work) {
    this.#work = work;
    this.#watch = watches.watch(fd, { readable: true, writable: false }, this.#onReady);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether receiving pauses after failures. */
  get resting(): boolean {
    return this.#rest !== undefined;
  }

  /** The callback of the watch. */
  readonly #onReady = (status: number): void => {
    // libuv has ended the watch.
    if (status < 0) {
      this.#watching = 'nothing';
      this.#work.failed();
    }
    if (status < 0 || this.#work.wantsToRead() || this.#work.waitsForRoom()) this.#takeNow();
    else this.watch();
  };

  /**
   * Takes the turn of this round at once: a response that is ready leaves without another step of the event loop. libuv calls
   * outside Node's task queue, where promises do not run and exceptions are lost. An immediate runs the promises.
   */
  #takeNow(): void {
    if (this.#pending) return;
    try {
      this.#turn();
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
    runPromises();
  }

  /** Schedules a turn in the next round of the event loop. */
  take(): void {
    if (this.#pending) return;
    this.#pending = true;
    setImmediate(this.#takeLater);
  }

  readonly #takeLater = (): void => {
    round += 1;
    this.#turn();
  };

  #turn(): void {
    this.#pending = false;
    if (this.#closed) return;
    this.#work.turn();
    // Keep watching for reading when the owner has just run out of room: it often has room again before the next
    // datagram comes, and then the watch need not change twice.
    if (this.#work.wantsToRead() || this.#watching !== 'read') this.watch();
  }

  /** Makes the event loop watch for the conditions that the socket waits for. */
  watch(): void {
    if (this.#closed || this.#rest !== undefined) return;
    const readable = this.#work.wantsToRead();
    const writable = this.#work.waitsForRoom();
    const wanted = writable ? (readable ? 'read and write' : 'write') : readable ? 'read' : 'nothing';
    if (wanted === this.#watching && wanted !== 'nothing') return;
    this.#watching = wanted;
    this.#watch.start(wanted === 'nothing' ? NOTHING : { readable, writable }, this.#onReady);
  }

  /** A reception succeeded: {@link triesAgain} counts failures from zero. */
  succeeded(): void {
    this.#backOff.succeeded();
  }

  /**
   * Counts a failed reception. Returns whether to repeat it at once. If not, receiving pauses, so that other work can
   * run.
   */
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

  /** Ends the watch. Must be called before the descriptor is closed. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#rest);
    this.#watch.close();
  }
}
