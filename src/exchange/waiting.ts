import type { Judge } from '../check/judge.js';
import type { DatagramError } from '../net/index.js';
import { Alarm, waitUntil } from '../timing/alarm.js';
import type { Connection } from './connection.js';
import type { Ending } from './ending.js';

/** How long what reached the sockets before the end is read: a flood has no end. */
const MAX_LATE_READING_MS = 40;

/** When a {@link Waiting} stops. */
export interface WaitingOptions {
  readonly judge: Judge;
  /**
   * Matching replies that end the exchange: a number, `all` that come in time, as many as messages were sent, or the number
   * that is known when all was sent.
   */
  readonly replies: number | 'all' | 'as-sent' | (() => number);
  /** The wait ends when nothing was sent or has arrived for so many milliseconds. */
  readonly idleMs?: number | undefined;
  /** How many messages the kernel took. */
  readonly sent: () => number;
}

/** A message that is sent again while no reply matches. */
export interface Retry {
  readonly message: Uint8Array;
  /** How often, at moments evenly spaced over the wait. */
  readonly times: number;
  readonly send: (message: Uint8Array) => Promise<void>;
}

/** Knows when to send again, and when there is nothing more to wait for: enough replies, a refusal, silence, the time. */
export class Waiting {
  readonly #options: WaitingOptions;
  readonly #ending: Ending;
  readonly #connection: Connection;
  #allSent = false;
  #retriesLeft = 0;
  #lastSentMs = 0;
  /** When something was last sent or received. */
  #aliveMs = 0;
  #refusal: DatagramError | undefined;
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

  /** How many matching replies make the verdict good. */
  get wanted(): number {
    const { replies, sent } = this.#options;
    if (typeof replies === 'function') return replies();
    return replies === 'as-sent' ? Math.max(1, sent()) : replies === 'all' ? 1 : replies;
  }

  get hasEnough(): boolean {
    const { replies, judge } = this.#options;
    return replies !== 'all' && judge.matching >= this.wanted;
  }

  /** Whether enough replies came, and nothing more is sent. */
  get wantsNoMore(): boolean {
    return this.#allSent && this.hasEnough;
  }

  /** The last ICMP error that was a refusal. */
  get refusal(): DatagramError | undefined {
    return this.#refusal;
  }

  /** A message is about to be sent: the wait is counted from the last one. */
  sending(): void {
    this.#lastSentMs = performance.now();
  }

  /** Something was sent, or has arrived. */
  stillAlive(): void {
    this.#aliveMs = performance.now();
  }

  /** Ends the wait, or the sending, if enough replies came. */
  checkEnough(): void {
    if (!this.hasEnough) return;
    if (this.#allSent) this.#ending.end();
    else if (typeof this.#options.replies === 'number') this.#ending.endSending();
  }

  /** The peer refused the last transmission. */
  refused(error: DatagramError): void {
    this.#refusal = error;
    this.#options.judge.refusal();
  }

  /** Ends the wait if the last transmission was refused, and nothing more is sent. */
  checkRefused(): void {
    if (this.#allSent && this.#retriesLeft === 0 && this.#options.judge.refused) void this.endOnTime();
  }

  /** Silence ends the wait, not the sending. */
  async #endIfIdle(): Promise<void> {
    const { idleMs = Infinity } = this.#options;
    const { clients } = this.#connection;
    // What reached the socket in time counts, however late this process is, and so does what a slow reader holds up.
    await clients.poll();
    if (this.#ending.over.aborted) return;
    if (this.#connection.clients.queued > 0) this.stillAlive();
    const leftMs = this.#aliveMs + idleMs - performance.now();
    if (leftMs > 0) this.#idle.set(leftMs);
    else this.#ending.end();
  }

  /** Waits for replies after everything was sent, counted from when the last message was. */
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
      // Moments that have passed are not made up for: more at once would be no more likely to get a reply.
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
   * The time is over. What reached the socket before counts, however late this process is, as far as it can be read and
   * judged within a moment. Twice is fine.
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
