import { ReceiveQueue } from '../net/receive-queue.js';
import type { Datagram, Overflow, Run } from '../net/index.js';
import type { Link } from './link.js';
import type { Way } from './plan.js';
import type { Session } from './session.js';

/** A datagram that the relay took. */
export interface Taken extends Datagram {
  readonly way: Way;
  /** Undefined until the session of a client's datagram is known, and if there is none for it. */
  session: Session | undefined;
}

/** Options of {@link Inbox}. */
export interface InboxOptions {
  /** How many datagrams wait at most. */
  readonly capacity: number;
  readonly overflow: Overflow;
  /** How many datagrams the kernel has not taken yet. */
  readonly inFlight: () => number;
  readonly onDrop: (count: number) => void;
  /** Lets the socket for clients read again. */
  readonly resumeClients: () => void;
}

/**
 * The datagrams that wait for the relay, of both ways: while the output or the kernel is slow. As long as the inbox is open,
 * datagrams need not wait in it.
 */
export class Inbox {
  readonly #options: InboxOptions;
  readonly #queue: ReceiveQueue;
  /** Sockets of sessions that found no room. */
  readonly #stalled = new Set<Link>();
  #clientsStalled = false;
  #isOpen = false;
  #isWorking = false;

  constructor(options: InboxOptions) {
    this.#options = options;
    this.#queue = new ReceiveQueue({
      capacity: options.capacity,
      overflow: options.overflow,
      onDrop: options.onDrop,
      onRoom: () => {
        this.resume();
      },
    });
  }

  /** Lets datagrams pass by the inbox while nothing waits. */
  open(): void {
    this.#isOpen = true;
  }

  /** Whether datagrams can be passed on at once: nothing waits before them. */
  get isOpen(): boolean {
    return (
      this.#isOpen && !this.#isWorking && this.#queue.length === 0 && this.#options.inFlight() < this.#options.capacity
    );
  }

  /** Whether datagrams wait, or are being passed on. */
  get isBusy(): boolean {
    return this.#isWorking || this.#queue.length > 0;
  }

  /** How many datagrams a socket may read. @param link a socket of a session; undefined for the socket for clients */
  roomFor(link: Link | undefined): number {
    if (this.isOpen) return Infinity;
    const room = this.#queue.appetite;
    if (room <= 0) {
      if (link === undefined) this.#clientsStalled = true;
      else this.#stalled.add(link);
    }
    return room;
  }

  /** Lets the sockets read again that found no room. */
  resume(): void {
    if (this.#clientsStalled) {
      this.#clientsStalled = false;
      this.#options.resumeClients();
    }
    if (this.#stalled.size === 0) return;
    const stalled = [...this.#stalled];
    this.#stalled.clear();
    for (const link of stalled) link.resume();
  }

  /** Adds datagrams. */
  add(way: Way, session: Session | undefined, runs: readonly Run[]): void {
    const taken: Taken[] = [];
    for (const run of runs) for (const datagram of this.cut(way, session, run)) taken.push(datagram);
    this.#queue.push(taken);
  }

  /** Cuts a run into its datagrams. */
  cut(way: Way, session: Session | undefined, run: Run): Taken[] {
    const { bytes, segmentBytes, count, remote, local, timeMs } = run;
    if (count === 1) return [{ data: bytes, remote, local, timeMs, way, session }];
    return Array.from({ length: count }, (_, nth) => {
      const data = bytes.subarray(nth * segmentBytes, (nth + 1) * segmentBytes);
      return { data, remote, local, timeMs, way, session };
    });
  }

  /** The waiting datagrams, until the end. @throws {DatagramError} `QUEUE_FULL` under the overflow policy `fail` */
  async *batches(): AsyncGenerator<readonly Taken[], undefined> {
    for (;;) {
      const batch = await this.#queue.takeAll();
      if (batch === undefined) return;
      this.#isWorking = true;
      yield batch as unknown as Taken[];
      this.#isWorking = false;
      this.resume();
    }
  }

  /** Takes no more datagrams. Those that wait can still be read. */
  end(): void {
    this.#queue.end();
  }
}
