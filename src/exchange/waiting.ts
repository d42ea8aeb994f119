import type { Judge } from '../check/judge.js';
import type { DatagramError } from '../net/index.js';
import { Alarm, waitUntil } from '../timing/alarm.js';
import type { Connection } from './connection.js';
import type { Ending } from './ending.js';

/** The time limit for reading the datagrams that reached the sockets before the end. A flood would never end. */
const MAX_LATE_READING_MS = 40;

/** Options of {@link Waiting}. */
export interface WaitingOptions {
  readonly judge: Judge;
  /**
   * The number of matching replies that ends the exchange. `all`: only the time ends it. `as-sent`: as many as messages were
   * sent. A function returns the number, which is known only after everything was sent.
   */
  readonly replies: number | 'all' | 'as-sent' | (() => number);
  /** The wait ends after this time without a sent or received datagram, in milliseconds. Default: it does not. */
  readonly idleMs?: number | undefined;
  /** How many messages the kernel took. */
  readonly sent: () => number;
}

/** A message that is sent again while no reply matches. */
export interface Retry {
  readonly message: Uint8Array;
  /** How often it is sent again, at moments evenly spaced over the wait. */
  readonly times: number;
  readonly send: (message: Uint8Array) => Promise<void>;
}

/** Decides when to send a message again, and when to stop waiting: after enough replies, a refusal, silence, or the time. */
export class Waiting {
  readonly #options: WaitingOptions;
  readonly #ending: Ending;
  readonly #connection: Connection;
  /** Whether {@link wait} was called. */
  #allSent = false;
  #retriesLeft = 0;
  #lastSentMs = 0;
  /** When a datagram was last sent or received, by `performance.now()`. */
  #aliveMs = 0;
  #peerError: DatagramError | undefined;
  #endingOnTime: Promise<void> | undefined;
  readonly #idle = new Alarm(() => void this.#endIfIdle());

  constructor(options: WaitingOptions, ending: Ending, connection: Connection) {
    this.#options = options;
    this.#ending = ending;
    this.#connection = connection;
    ending.over.addEventListener(
      'abort',
      () => {
        this.#idle.stop();
      },
      { once: true },
    );
  }

  /** How many matching replies make the verdict `ok`. */
  get wanted(): number {
    const { replies, sent } = this.#options;
    if (typeof replies === 'function') return replies();
    return replies === 'as-sent' ? Math.max(1, sent()) : replies === 'all' ? 1 : replies;
  }

  /** Whether enough replies matched so far. Never with `all`. */
  get hasEnough(): boolean {
    const { replies, judge } = this.#options;
    return replies !== 'all' && judge.matching >= this.wanted;
  }

  /** Whether enough replies matched, and everything was sent. */
  get wantsNoMore(): boolean {
    return this.#allSent && this.hasEnough;
  }

  /** The last ICMP error. */
  get peerError(): DatagramError | undefined {
    return this.#peerError;
  }

  /** A message is about to be sent. The time of {@link wait} counts from the latest call of this method. */
  sending(): void {
    this.#lastSentMs = performance.now();
  }

  /** A datagram was sent or has arrived. The time of `idleMs` counts from the latest call of this method. */
  stillAlive(): void {
    this.#aliveMs = performance.now();
  }

  /**
   * Ends the wait if enough replies matched. While messages are still being sent, ends the sending instead, but only if
   * `replies` is a number.
   */
  checkEnough(): void {
    if (!this.hasEnough) return;
    if (this.#allSent) this.#ending.end();
    else if (typeof this.#options.replies === 'number') this.#ending.endSending();
  }

  /** An ICMP error came back. If it is a refusal, the peer refused the last transmission. */
  failed(error: DatagramError, isRefusal: boolean): void {
    this.#peerError = error;
    if (isRefusal) this.#options.judge.refusal();
  }

  /** Ends the wait if the last transmission was refused, and no retransmission follows. */
  checkRefused(): void {
    if (this.#allSent && this.#retriesLeft === 0 && this.#options.judge.refused) void this.endOnTime();
  }

  /** Ends the wait after `idleMs` of silence. Silence does not end the sending. */
  async #endIfIdle(): Promise<void> {
    const { idleMs = Infinity } = this.#options;
    const { clients } = this.#connection;
    // Datagrams that reached the socket in time end the silence, even if this process or a reader of stdout is slow.
    await clients.poll();
    if (this.#ending.over.aborted) return;
    if (this.#connection.clients.queued > 0) this.stillAlive();
    const leftMs = this.#aliveMs + idleMs - performance.now();
    if (leftMs > 0) this.#idle.set(leftMs);
    else this.#ending.end();
  }

  /** Waits for replies, at most `waitMs` from the last message. Call it after everything was sent. */
  async wait(waitMs: number, retry?: Retry): Promise<void> {
    this.#allSent = true;
    this.#retriesLeft = retry?.times ?? 0;
    await this.#connection.switching;
    this.checkEnough();
    this.checkRefused();
    if (this.#options.idleMs !== undefined) void this.#endIfIdle();
    const startMs = this.#lastSentMs;
    const { over } = this.#ending;
    if (retry !== undefined) await this.#sendAgain(retry, startMs, waitMs);
    this.#retriesLeft = 0;
    this.checkRefused();
    await waitUntil(startMs + waitMs, over);
    await this.#connection.switching;
    if (!over.aborted) await this.endOnTime();
  }

  async #sendAgain({ message, times, send }: Retry, startMs: number, waitMs: number): Promise<void> {
    const { over } = this.#ending;
    const stepMs = waitMs / (times + 1);
    while (this.#retriesLeft > 0) {
      // Missed moments are skipped: two retransmissions at once are no more likely to get a reply than one.
      const passed = Math.floor((performance.now() - startMs) / stepMs);
      const retry = Math.max(passed, times - this.#retriesLeft + 1);
      if (retry > times) return;
      await waitUntil(startMs + stepMs * retry, over);
      await this.#connection.switching;
      if (over.aborted || this.#options.judge.matching > 0) return;
      this.#retriesLeft = times - retry;
      await send(this.#connection.rewritten?.[0] ?? message);
    }
  }

  /**
   * Ends the time for replies. Replies that reached the socket before still count, even if this process is late: it reads and
   * judges them for a moment. Further calls return the same promise.
   */
  endOnTime(): Promise<void> {
    this.#ending.endTime();
    this.#endingOnTime ??= Promise.resolve()
      .then(() => this.#connection.clients.poll(MAX_LATE_READING_MS))
      .then(() => {
        this.#ending.end();
      });
    return this.#endingOnTime;
  }
}
