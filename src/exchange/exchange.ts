import { wallClockMs } from '../net/clock.js';
import type { DatagramClient, DatagramError, Endpoint } from '../net/index.js';
import { Alarm } from '../timing/alarm.js';
import { Connection, type ConnectionOptions } from './connection.js';
import { Ending } from './ending.js';
import { type ExchangeObserver, Observers } from './events.js';
import { FirstMatch } from './first-match.js';
import { FollowUps } from './follow-ups.js';
import { Hearing, type HearingOptions } from './hearing.js';
import { bytesOf, FlowMeter } from '../stats/flow-meter.js';
import type { Flow } from '../stats/rate.js';
import { timesOfTaken } from '../net/send-times.js';
import { RequestTimes } from './request-times.js';
import { withoutFailed } from './without-failed.js';
import { Waiting, type WaitingOptions } from './waiting.js';

/** After an interruption, the kernel has this time to take the datagrams that are being sent. */
const GIVEN_UP_AFTER_MS = 100;

/** Options of {@link Exchange}. */
export interface ExchangeOptions
  extends ConnectionOptions, Omit<WaitingOptions, 'sent'>, Omit<HearingOptions, 'followUp'> {
  /** Default: none. */
  readonly observers?: readonly ExchangeObserver[];
}

/** Sends messages to one peer, judges its replies, and decides when to stop waiting for more. */
export class Exchange implements AsyncDisposable {
  readonly #options: ExchangeOptions;
  readonly #observers: Observers;
  readonly #ending = new Ending();
  readonly #connection: Connection;
  readonly #firstMatch = new FirstMatch();
  readonly #times: RequestTimes;
  readonly #followUps: FollowUps;
  readonly #waiting: Waiting;
  readonly #hearing: Hearing;
  readonly #counts = { sent: 0, retransmitted: 0, flow: new FlowMeter() };
  #sending: Promise<void> = Promise.resolve();
  #isGiving = false;
  #closing: Promise<void> | undefined;

  private constructor(options: ExchangeOptions) {
    this.#options = options;
    const observers = new Observers(options.observers ?? []);
    const ending = this.#ending;
    const firstMatch = this.#firstMatch;
    const { judge, measurement, responders } = options;
    this.#observers = observers;
    this.#times = new RequestTimes(firstMatch, measurement, responders);
    this.#connection = new Connection(options, observers, ending, {
      opened: (client) => {
        this.#onOpened(client);
      },
      sendingAgain: (timeMs) => {
        this.#times.sendingAgain(timeMs);
      },
      sentAgain: () => {
        judge.transmitted();
      },
    });
    this.#waiting = new Waiting({ ...options, sent: () => this.#counts.sent }, ending, this.#connection);
    this.#followUps = new FollowUps(observers, ending, firstMatch);
    const followUp: HearingOptions['followUp'] = (payload, { remote }, client) => {
      this.#followUps.send(payload, remote, client, this.#asked);
    };
    const hearing = { judge, measurement, responders, followUp };
    this.#hearing = new Hearing(hearing, observers, ending, this.#connection, this.#waiting, firstMatch);
  }

  /** Opens the socket. Sends nothing. @throws {DatagramError} if no address can be used */
  static async open(options: ExchangeOptions): Promise<Exchange> {
    const exchange = new Exchange(options);
    await exchange.#connection.open();
    return exchange;
  }

  /** The address in use. */
  get remote(): Endpoint {
    return this.client.remote;
  }

  /** With many senders, the address of the first sender's socket. */
  get local(): Endpoint {
    return this.client.local;
  }

  /** The socket. With many senders, the socket of the first sender. */
  get client(): DatagramClient {
    return this.#connection.first;
  }

  /** Whether replies from every address count. */
  get hearsEverybody(): boolean {
    return this.#connection.repliesFrom === 'anyone';
  }

  /** Whether replies are awaited. */
  get listens(): boolean {
    return this.#options.listens;
  }

  /** Messages that the kernel took, without retransmissions. */
  get sent(): number {
    return this.#counts.sent;
  }

  /** Whether messages of {@link send} wait for the kernel to take them. */
  get isSending(): boolean {
    return this.#isGiving;
  }

  /** Datagrams that the kernel took: messages, retransmissions and follow-ups. */
  get transmitted(): number {
    return this.#asked + this.#followUps.count;
  }

  get #asked(): number {
    return this.#counts.sent + this.#counts.retransmitted;
  }

  /** Replies, matching or not. */
  get received(): number {
    return this.#hearing.received;
  }

  /** The messages that the kernel took, and the replies, with their bytes and times. */
  get flows(): { readonly sent: Flow; readonly received: Flow } {
    return { sent: this.#counts.flow, received: this.#hearing.flow };
  }

  /** Replies that were dropped because the queue was full, or that were not judged in time. */
  get dropped(): number {
    return this.#hearing.dropped;
  }

  /**
   * Replies that the kernel dropped, or that were left in the socket at the end. Undefined where the system does not tell. See
   * `DatagramSocket.kernelDropped`.
   */
  get kernelDropped(): number | undefined {
    return this.#connection.kernelDropped;
  }

  /** Whether the kernel may have dropped more than the last value of `kernelDropped`. */
  get kernelDropsAreLowerBound(): boolean {
    return this.#connection.kernelDropsAreLowerBound;
  }

  /** The time from the last transmission of the first message to the first matching reply, in milliseconds. */
  get rttMs(): number | undefined {
    return this.#firstMatch.rttMs;
  }

  /** The sender of the last reply that did not match. */
  get mismatched(): Endpoint | undefined {
    return this.#firstMatch.mismatched;
  }

  /** How many matching replies make the verdict `ok`. */
  get wanted(): number {
    return this.#waiting.wanted;
  }

  /** The last ICMP error. */
  get peerError(): DatagramError | undefined {
    return this.#waiting.peerError;
  }

  /** Aborted when sending can end early: enough replies came, or the exchange failed. */
  get enough(): AbortSignal {
    return this.#ending.enough;
  }

  /** The error that ended the exchange. Undefined if there is none. */
  get failure(): Error | undefined {
    return this.#ending.failure;
  }

  #onOpened(client: DatagramClient): void {
    client.on('peerError', (error) => {
      this.#onPeerError(error);
    });
    client.on('strays', (batch) => {
      this.#hearing.takeStrays(batch, client);
    });
    if (this.#options.listens) this.#hearing.hear(client);
  }

  #onPeerError(error: DatagramError): void {
    if (this.#ending.over.aborted) return;
    // The "unreachable" of a router counts as a refusal. Only the linux engine hears it.
    const isRefusal = error.code === 'REFUSED' || error.code === 'UNREACHABLE';
    if (isRefusal && this.#connection.goOn(error)) return;
    this.#waiting.failed(error, isRefusal);
    const { measurement } = this.#options;
    if (measurement !== undefined && error.code === 'REFUSED') measurement.refused += 1;
    this.#observers.tell({ type: 'peer error', error });
    if (isRefusal) this.#waiting.checkRefused();
  }

  /**
   * Sends messages, in this order. Do not change their bytes before the promise settles.
   *
   * @param sender the name of the sender whose socket they leave from. Any text that is unique to the sender. Undefined: the
   * first socket.
   * @throws {DatagramError} for the first message that the kernel did not take
   */
  send(payloads: readonly Uint8Array[], sender?: string): Promise<void> {
    const sending = this.#send(payloads, sender);
    this.#sending = sending;
    return sending;
  }

  async #send(payloads: readonly Uint8Array[], sender: string | undefined): Promise<void> {
    const connection = this.#connection;
    await connection.switching;
    this.#ending.throwFailure();
    const client = sender === undefined ? this.client : await connection.clientOf(sender);
    const { clients } = connection;
    connection.keep(payloads, sender);
    this.#waiting.sending();
    const { listens, judge } = this.#options;
    const timeMs = wallClockMs();
    this.#times.sending(payloads.length, timeMs);
    this.#isGiving = true;
    const timesMs = this.#observers.timesOf(payloads, listens);
    const failures = await client.sendBatch(payloads, { timesMs }).finally(() => {
      this.#isGiving = false;
    });
    if (connection.switching !== undefined || clients !== connection.clients) {
      // The address changed during the call. The messages were kept, and have been sent to the new address.
      await connection.switching;
      this.#counts.sent += payloads.length;
      this.#ending.throwFailure();
      return;
    }
    const taken = withoutFailed(payloads, failures);
    this.#counts.sent += taken.length;
    this.#counts.flow.add(taken.length, bytesOf(taken), timeMs, wallClockMs());
    if (timesMs !== undefined) this.#times.taken(failures.length, timesOfTaken(timesMs));
    judge.transmitted();
    this.#waiting.stillAlive();
    const [first] = failures;
    if (timesMs !== undefined) await this.#observers.tellTransmitted(taken, 'message', client, timesMs);
    if (first !== undefined) throw first.error;
  }

  /**
   * Waits for replies. Call it after everything was sent.
   *
   * @param waitMs how long to wait at most, in milliseconds from the first transmission of the last message
   * @param message the message to send again while no reply matches. Undefined: none.
   * @param retries how often to send it again, at moments evenly spaced over the wait
   */
  wait(waitMs: number, message?: Uint8Array, retries = 0): Promise<void> {
    if (message === undefined) return this.#waiting.wait(waitMs);
    return this.#waiting.wait(waitMs, { message, times: retries, send: (again) => this.#retransmit(again) });
  }

  async #retransmit(message: Uint8Array): Promise<void> {
    this.#firstMatch.askedAgain(wallClockMs());
    const { client } = this;
    const timesMs = new Float64Array(1);
    const [failure] = await client.sendBatch([message], { timesMs });
    if (client !== this.client || this.#connection.switching !== undefined) return;
    if (failure !== undefined) throw failure.error;
    this.#firstMatch.sentAt(timesMs[0] as number);
    this.#counts.retransmitted += 1;
    this.#options.judge.transmitted();
    await this.#observers.tellTransmitted([message], 'retransmission', client, timesMs);
  }

  /**
   * Asks the kernel, without waiting, whether the last transmission was refused. If it was, the next address is tried, and the
   * kernel asked again.
   */
  async checkRefusal(): Promise<void> {
    for (;;) {
      const { clients } = this.#connection;
      await clients.poll();
      await this.#connection.switching;
      this.#ending.throwFailure();
      if (clients === this.#connection.clients) return;
    }
  }

  /**
   * Ends the time for replies. Replies that reached the socket before still count, even if this process is late: it reads and
   * judges them for a moment. Further calls return the same promise.
   */
  endOnTime(): Promise<void> {
    return this.#waiting.endOnTime();
  }

  /** Ends the exchange now. Replies in the queue still count, unless enough replies came. Further calls do nothing. */
  end(): void {
    this.#ending.end();
  }

  /**
   * Closes the socket, and waits until all replies that count were judged. Further calls return the same promise.
   *
   * @param hurried whether to give up datagrams that the kernel does not take within 100 ms
   */
  close(hurried: boolean): Promise<void> {
    this.#closing ??= this.#close(hurried);
    return this.#closing;
  }

  async #close(hurried: boolean): Promise<void> {
    const connection = this.#connection;
    const givingUp = new Alarm(() => {
      const isSending = this.#isGiving || this.#followUps.isSending || connection.switching !== undefined;
      // Otherwise this process is late to close the sockets, as on a busy machine. Then the replies in them are not given up.
      if (!isSending) return;
      if (connection.clients.queued > 0) this.#hearing.drop(connection.clients.queued);
      connection.clients.abort();
    });
    if (hurried) givingUp.set(GIVEN_UP_AFTER_MS);
    await connection.switching;
    connection.clients.openNoMore();
    if (this.#options.listens && !this.#ending.over.aborted) await this.endOnTime();
    this.#ending.end();
    connection.clients.stopReceiving();
    if (this.#wantsMore) await connection.countLeftInKernel();
    await this.#followUps.settled();
    await connection.clients[Symbol.asyncDispose]();
    givingUp.stop();
    await Promise.allSettled([this.#sending]);
    await this.#hearing.done();
    if (this.#wantsMore) this.#hearing.leaveTheRest();
    this.#options.judge.endExamining();
    connection.clients.removeAllListeners();
  }

  /** Whether further replies would have counted. */
  get #wantsMore(): boolean {
    return this.#options.listens && this.failure === undefined && !this.#waiting.hasEnough;
  }

  /** Closes the exchange in order, see {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close(false);
  }
}
