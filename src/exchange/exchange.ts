import { wallClockMs } from '../net/clock.js';
import { timesOfTaken } from '../net/send-times.js';
import { isBroadcast, isMulticast } from '../net/address/endpoint.js';
import {
  type ClientOptions,
  type Datagram,
  type DatagramClient,
  DatagramError,
  type Endpoint,
  sameEndpoint,
  type SendFailure,
} from '../net/index.js';
import type { Measurement } from '../check/measurement.js';
import { Alarm, waitUntil } from '../timing/alarm.js';
import { Clients } from './clients.js';
import type { Finding, Judge } from '../check/judge.js';

/** How many messages, and bytes of them, are kept to be sent again to the next address of a name: a chunk of stdin at least. */
const MAX_KEPT_MESSAGES = 64 * 1024;
const MAX_KEPT_BYTES = 1024 * 1024;
/** An address that has not refused for so long when more is sent has taken what came before: it is not to be sent again. */
const MAX_KEPT_MS = 2000;
/** How often a protocol may want something sent back, for each datagram that was sent. */
const MAX_ANSWERS_A_MESSAGE = 2;
/** How long replies are judged before signals and timers have their turn: a reply may take long to judge on purpose. */
const MAX_JUDGING_MS = 10;
/** Replies are handed on, to be written, as soon as so many bytes of them are judged. */
const MAX_PORTION_BYTES = 64 * 1024;
/**
 * How long, once the wait is over, what reached the socket before is read, an examination that takes long may go on, and
 * the other replies are judged.
 */
const MAX_LATE_READING_MS = 40;
const MAX_LATE_EXAMINING_MS = 40;
const MAX_LATE_JUDGING_MS = 80;
/** How long what is left in the socket then is counted. */
const MAX_COUNTING_MS = 20;
/** How long the kernel has to take what is being sent, once the run was interrupted. */
const GIVEN_UP_AFTER_MS = 100;

/** Resolves once signals, timers and sockets had their turn. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Messages in their order, those in a row of one sender together. */
function bySender(kept: readonly Kept[]): { readonly sender: string | undefined; readonly payloads: Uint8Array[] }[] {
  const rows: { readonly sender: string | undefined; readonly payloads: Uint8Array[] }[] = [];
  for (const { sender, payload } of kept) {
    const last = rows.at(-1);
    if (last !== undefined && last.sender === sender) last.payloads.push(payload);
    else rows.push({ sender, payloads: [payload] });
  }
  return rows;
}

function withoutFailed(payloads: readonly Uint8Array[], failures: readonly SendFailure[]): readonly Uint8Array[] {
  if (failures.length === 0) return payloads;
  const failed = new Set(failures.map(({ index }) => index));
  return payloads.filter((_, index) => !failed.has(index));
}

/** Options of {@link Exchange}. */
export interface ExchangeOptions {
  /** Where to send, in order of preference: the next is tried when one refuses before it has answered. */
  readonly candidates: readonly [Endpoint, ...Endpoint[]];
  readonly client: Omit<ClientOptions, 'strays'>;
  /** Whether replies are awaited at all. */
  readonly listens: boolean;
  /** Whether messages name senders, each of which has a socket of its own. Default: all leave from one socket. */
  readonly manySenders?: boolean;
  /**
   * Whose datagrams are replies: those of the address asked, of any port of its host, or of anyone. A broadcast or
   * multicast destination implies `anyone`.
   */
  readonly repliesFrom: 'peer' | 'host' | 'anyone';
  readonly judge: Judge;
  /** Matches each reply to the message that it answers, and says which are none. Default: nothing is measured. */
  readonly measurement?: Measurement | undefined;
  /**
   * Matching replies that end the exchange: a number, `all` that come in time, as many as messages were sent, or what is
   * known when all was sent.
   */
  readonly replies: number | 'all' | 'as-sent' | (() => number);
  /** The wait ends when nothing was sent or has arrived for that long. */
  readonly idleMs?: number | undefined;
  /** Writes the messages anew for another address of the name, where they name it. Default: they stay as they are. */
  readonly rewrite?: ((local: Endpoint, remote: Endpoint) => Promise<readonly Uint8Array[]>) | undefined;
  readonly events: ExchangeEvents;
}

/** Why datagrams were sent. */
export type Transmission = 'message' | 'retransmission' | 'answer' | 'next address';

/** What an exchange tells while it goes on. A promise that rejects ends it as a failure. */
export interface ExchangeEvents {
  /** Replies, judged already; the next are not taken before the promise settles. `local` is where the socket is bound. */
  replies(batch: readonly Datagram[], local: Endpoint): Promise<void>;
  /** Datagrams from other addresses than the one asked. */
  strays(batch: readonly Datagram[], local: Endpoint): void;
  /** An ICMP error for something sent earlier. */
  peerError(error: DatagramError): void;
  /** The kernel took datagrams; why they were sent, from where, and when it was given each, by the wall clock. */
  transmitted?(
    payloads: readonly Uint8Array[],
    why: Transmission,
    sent: { readonly local: Endpoint; readonly timesMs: Float64Array },
  ): void | Promise<void>;
  /** A reply was judged; whose replies count. */
  judged?(reply: Datagram, finding: Finding, repliesFrom: ExchangeOptions['repliesFrom']): void;
  /** What a reply that was pending was found to be in the end. */
  settled?(finding: Finding): void;
  /** An address could not be used, and the next is tried. */
  nextAddress(refused: Endpoint, next: Endpoint, why: DatagramError): void;
  dropped(count: number): void;
  /** The system had no memory to receive with; it is asked again. */
  receiveError(error: DatagramError): void;
  /** The wait is over, and so many replies that had arrived are not judged. */
  left?(count: number): void;
}

/** A message, and the sender that it names, if it does. */
interface Kept {
  readonly payload: Uint8Array;
  readonly sender: string | undefined;
}

/** Sends messages to one peer, takes in its replies, and knows when there is nothing more to wait for. */
export class Exchange implements AsyncDisposable {
  readonly #options: ExchangeOptions;
  readonly #candidates: Endpoint[];
  #clients!: Clients;
  readonly #receiving: Promise<void>[] = [];
  /** Resolves when the replies of the sockets so far are judged, and written. */
  #taking: Promise<unknown> = Promise.resolve();
  #sending: Promise<void> = Promise.resolve();
  #isGiving = false;
  /** What was sent while the next address may still be tried; undefined once the address is settled. */
  #kept: Kept[] | undefined = [];
  #keptBytes = 0;
  /** When the first of them was sent. */
  #keptSinceMs: number | undefined;
  #switching: Promise<void> | undefined;
  #sent = 0;
  #retransmitted = 0;
  #answered = 0;
  #answering: Promise<void> = Promise.resolve();
  #received = 0;
  #dropped = 0;
  /** What the kernel dropped on the sockets to addresses that were given up. */
  #kernelDroppedBefore = 0;
  /** Replies that were left in the kernel at the end: there may have been more. */
  #leftInKernel = 0;
  /** Whether there may have been more. */
  #moreDroppedBefore = false;
  #allSent = false;
  #retriesLeft = 0;
  #lastSentMs = 0;
  /** When something was last sent or received. */
  #aliveMs = 0;
  /** Wall clock, to be compared with the time at which a reply was received. */
  #askedAtMs: number | undefined;
  #rttMs: number | undefined;
  #mismatched: Endpoint | undefined;
  #refusal: DatagramError | undefined;
  #rewritten: readonly Uint8Array[] | undefined;
  /** When the wait was over; Infinity while it is not. */
  #overSinceMs = Infinity;
  /** Spent on judging since then. */
  #lateJudgingMs = 0;
  /** Replies that were taken from the queue, and not judged any more. */
  #unjudged = 0;
  readonly #examiningLimit = new Alarm(() => {
    this.#options.judge.endExamining();
  });
  #isExamining = false;
  #endingOnTime: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #failure: Error | undefined;
  readonly #over = new AbortController();
  readonly #enough = new AbortController();
  readonly #idle: Alarm;

  private constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#candidates = [...options.candidates];
    this.#idle = new Alarm(() => void this.#endIfIdle());
  }

  /** Opens the socket; nothing is sent yet. @throws {DatagramError} when no address can be used */
  static async open(options: ExchangeOptions): Promise<Exchange> {
    const exchange = new Exchange(options);
    await exchange.#connect();
    return exchange;
  }

  /** The address in use. */
  get remote(): Endpoint {
    return this.#clients.first.remote;
  }

  /** Where the socket is bound; with many senders, that of the first. */
  get local(): Endpoint {
    return this.#clients.first.local;
  }

  /** The socket; with many senders, that of the first. */
  get client(): DatagramClient {
    return this.#clients.first;
  }

  /** Whether replies from any address count. */
  get hearsEverybody(): boolean {
    return this.#repliesFrom(this.remote) === 'anyone';
  }

  /** Messages that the kernel took; retransmissions are not counted. */
  get sent(): number {
    return this.#sent;
  }

  /** Whether the kernel has not yet taken or refused all that {@link send} was given. */
  get isSending(): boolean {
    return this.#isGiving;
  }

  /** Datagrams that the kernel took, with retransmissions and what a protocol wants sent back. */
  get transmitted(): number {
    return this.#sent + this.#retransmitted + this.#answered;
  }

  /** Replies that were taken in, matching or not. */
  get received(): number {
    return this.#received;
  }

  /** Replies that found the queue full. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Whether replies are awaited at all. */
  get listens(): boolean {
    return this.#options.listens;
  }

  /**
   * Replies that the kernel dropped, and those that were left in the socket at the end; undefined where that cannot be
   * known. See `DatagramSocket.kernelDropped`.
   */
  get kernelDropped(): number | undefined {
    // The node engine finds each socket's count among those of all sockets: for many sockets that takes too long.
    const isKnown = this.#options.manySenders !== true || this.client.engine !== 'node';
    const kernelDropped = isKnown ? this.#clients.kernelDropped : undefined;
    if (kernelDropped === undefined && this.#leftInKernel === 0) return undefined;
    return this.#kernelDroppedBefore + (kernelDropped ?? 0) + this.#leftInKernel;
  }

  /** Whether the kernel may have dropped more than `kernelDropped` said last. */
  get kernelDropsAreLowerBound(): boolean {
    return this.#moreDroppedBefore || this.#leftInKernel > 0 || this.#clients.kernelDropsAreLowerBound;
  }

  /** From the latest transmission of the first message to the first matching reply. */
  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  /** How many matching replies make the verdict good. */
  get wanted(): number {
    const { replies } = this.#options;
    if (typeof replies === 'function') return replies();
    return replies === 'as-sent' ? Math.max(1, this.#sent) : replies === 'all' ? 1 : replies;
  }

  /** Aborted when nothing more need be sent, though there may be more: the replies asked for have come, or it failed. */
  get enough(): AbortSignal {
    return this.#enough.signal;
  }

  /** Who sent the last reply that did not match. */
  get mismatched(): Endpoint | undefined {
    return this.#mismatched;
  }

  /** The last ICMP error that was a refusal. */
  get refusal(): DatagramError | undefined {
    return this.#refusal;
  }

  /** What went wrong while receiving or going on to another address, if anything. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  async #connect(): Promise<void> {
    for (;;) {
      const [remote, next] = this.#candidates;
      if (remote === undefined) return;
      try {
        const options = { ...this.#options.client, strays: this.#straysFrom(remote) };
        this.#clients = await Clients.open(remote, options, this.#onOpened);
        return;
      } catch (error) {
        if (next === undefined || !(error instanceof DatagramError)) throw error;
        this.#options.events.nextAddress(remote, next, error);
        this.#candidates.shift();
      }
    }
  }

  readonly #onOpened = (client: DatagramClient): void => {
    client.on('peerError', this.#onPeerError);
    client.on('strays', (batch) => {
      this.#onStrays(batch, client.local);
    });
    if (!this.#options.listens) return;
    client.on('drop', this.#onDrop);
    client.on('receiveError', (error) => {
      this.#options.events.receiveError(error);
    });
    this.#receiving.push(this.#receive(client));
  };

  #straysFrom(remote: Endpoint): 'ignore' | 'report' | 'receive' {
    if (!this.#options.listens) return 'ignore';
    return this.#repliesFrom(remote) === 'peer' ? 'report' : 'receive';
  }

  #repliesFrom({ address }: Endpoint): ExchangeOptions['repliesFrom'] {
    const { repliesFrom, client } = this.#options;
    // Without the permission to broadcast, the address is none.
    const many = isMulticast(address) || (client.broadcast === true && isBroadcast(address));
    return many ? 'anyone' : repliesFrom;
  }

  async #receive(client: DatagramClient): Promise<void> {
    try {
      for await (const batch of client.batches()) {
        const replies = this.#withoutStrays(batch, client);
        // Sockets take turns: stdout is written to in order, and one reply at a time is examined.
        const taking = this.#taking.then(() => this.#takeIn(replies, client));
        this.#taking = taking.catch(() => undefined);
        if (!(await taking)) return;
      }
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** What an unconnected socket hears is everybody's, though replies may be only of the host that was asked. */
  #withoutStrays(batch: readonly Datagram[], { remote: { address }, local }: DatagramClient): readonly Datagram[] {
    if (this.#options.repliesFrom !== 'host' || this.hearsEverybody) return batch;
    const strays = batch.filter(({ remote }) => remote.address !== address);
    if (strays.length === 0) return batch;
    this.#onStrays(strays, local);
    return batch.filter(({ remote }) => remote.address === address);
  }

  /** Whether the time for judging is over. The time in which a slow reader takes judged replies does not count. */
  get #judgedLongEnough(): boolean {
    return this.#lateJudgingMs > MAX_LATE_JUDGING_MS;
  }

  /** Counts judging that began at `sinceMs`, as far as the wait is over. */
  #judgedSince(sinceMs: number): void {
    const nowMs = performance.now();
    if (this.#overSinceMs <= nowMs) this.#lateJudgingMs += nowMs - Math.max(sinceMs, this.#overSinceMs);
  }

  /** Judges replies that came together, and hands them on portion by portion; false if no more are wanted. */
  async #takeIn(batch: readonly Datagram[], client: DatagramClient): Promise<boolean> {
    if (batch.length === 0) return true;
    const { judge, events } = this.#options;
    this.#settleAddress();
    this.#stillAlive();
    let turnMs = performance.now();
    for (let next = 0; next < batch.length;) {
      if (this.#allSent && this.#hasEnough) return false;
      if (this.#judgedLongEnough) {
        this.#unjudged += batch.length - next;
        return false;
      }
      const from = next;
      const first = batch[from] as Datagram;
      const takesLong = judge.takesLong(first.data);
      const inTime = !takesLong || (await this.#examine(first));
      const sinceMs = performance.now();
      if (takesLong) {
        this.#judge(first, client, inTime);
        next += 1;
      } else next = this.#judgePortion(batch, from, client);
      const taken = events.replies(batch.slice(from, next), client.local);
      this.#judgedSince(sinceMs);
      await taken;
      if (performance.now() - turnMs > MAX_JUDGING_MS) {
        await nextTurn();
        turnMs = performance.now();
      }
    }
    return true;
  }

  /** Judges replies from a place on, until others are to have their turn; returns how far it got, which is one at least. */
  #judgePortion(batch: readonly Datagram[], from: number, client: DatagramClient): number {
    const { judge } = this.#options;
    const sinceMs = performance.now();
    let next = from;
    let bytes = 0;
    do {
      const datagram = batch[next] as Datagram;
      bytes += datagram.data.length;
      this.#judge(datagram, client, true);
      next += 1;
    } while (
      next < batch.length &&
      bytes < MAX_PORTION_BYTES &&
      performance.now() - sinceMs < MAX_JUDGING_MS &&
      !(this.#allSent && this.#hasEnough) &&
      !judge.takesLong((batch[next] as Datagram).data)
    );
    return next;
  }

  /** Examines a reply that takes long. Resolves to false if the time for that was over first. */
  async #examine({ data }: Datagram): Promise<boolean> {
    this.#isExamining = true;
    if (this.#overSinceMs < Infinity)
      this.#examiningLimit.set(this.#overSinceMs + MAX_LATE_EXAMINING_MS - performance.now());
    const inTime = await this.#options.judge.examine(data);
    this.#isExamining = false;
    this.#examiningLimit.stop();
    return inTime;
  }

  /** Judges one reply; one that was not examined in time is left unjudged. */
  #judge(datagram: Datagram, client: DatagramClient, inTime: boolean): void {
    const { judge, measurement, events } = this.#options;
    this.#received += 1;
    const finding = !inTime
      ? judge.leave(1)
      : measurement === undefined
        ? judge.reply(datagram.data)
        : measurement.reply(datagram, judge);
    const { answer } = finding;
    this.#take(finding, datagram);
    events.judged?.(datagram, finding, this.#repliesFrom(this.remote));
    if (answer !== undefined) this.#answer(answer, datagram.remote, client);
    this.#checkEnough();
  }

  /** Takes in what a reply was found to be, now or once it is. */
  #take({ outcome, later }: Finding, { remote, timeMs }: Datagram): void {
    if (outcome === 'mismatch') this.#mismatched = remote;
    const rttMs = this.#askedAtMs === undefined ? undefined : Math.max(0, timeMs - this.#askedAtMs);
    // It is the first again where what came before turns out to have been no reply.
    if (outcome === 'match' && this.#options.judge.matching === 1) this.#rttMs = undefined;
    if (outcome === 'match') this.#rttMs ??= rttMs;
    later?.((settled) => {
      if (settled.outcome === 'mismatch') this.#mismatched = remote;
      // One that came after it may have been found to match before.
      else if (rttMs !== undefined) this.#rttMs = Math.min(this.#rttMs ?? Infinity, rttMs);
      this.#options.events.settled?.(settled);
      this.#checkEnough();
    });
  }

  /** Sends back what the protocol wants sent back, but not without end: a peer that always wants more gets no more. */
  #answer(payload: Uint8Array, to: Endpoint, client: DatagramClient): void {
    if (
      !sameEndpoint(to, client.remote) ||
      this.#answered >= MAX_ANSWERS_A_MESSAGE * (this.#sent + this.#retransmitted)
    )
      return;
    this.#answered += 1;
    this.#askedAtMs = wallClockMs();
    const timesMs = this.#timesOf([payload]);
    const sent = client.sendBatch([payload], { timesMs }).then(
      async ([failure]) => {
        try {
          if (failure !== undefined) throw failure.error;
          await this.#tell([payload], 'answer', client, timesMs);
        } catch (error) {
          this.#fail(error as Error);
        }
      },
      () => {
        // The exchange is over already, and its socket closed.
        this.#answered -= 1;
      },
    );
    this.#answering = Promise.all([this.#answering, sent]).then(() => undefined);
  }

  get #hasEnough(): boolean {
    const { replies, judge } = this.#options;
    return replies !== 'all' && judge.matching >= this.wanted;
  }

  #checkEnough(): void {
    if (!this.#hasEnough) return;
    if (this.#allSent) this.end();
    else if (typeof this.#options.replies === 'number') this.#enough.abort('enough');
  }

  #onStrays(batch: readonly Datagram[], local: Endpoint): void {
    if (this.#over.signal.aborted) return;
    for (let index = 0; index < batch.length; index += 1) this.#options.judge.stray();
    this.#stillAlive();
    this.#options.events.strays(batch, local);
  }

  readonly #onDrop = (count: number): void => {
    this.#dropped += count;
    this.#options.events.dropped(count);
  };

  readonly #onPeerError = (error: DatagramError): void => {
    if (this.#over.signal.aborted) return;
    // What a router says that cannot be reached is as good as refused; only the linux engine tells it apart.
    if (error.code !== 'REFUSED' && error.code !== 'UNREACHABLE') {
      this.#options.events.peerError(error);
    } else if (this.#candidates.length > 1 && this.#kept !== undefined) {
      this.#switching ??= this.#switch(error);
    } else {
      this.#refusal = error;
      this.#options.judge.refusal();
      this.#options.events.peerError(error);
      this.#checkRefused();
    }
  };

  #checkRefused(): void {
    if (this.#allSent && this.#retriesLeft === 0 && this.#options.judge.refused) void this.endOnTime();
  }

  /** Goes on to the next address, and sends there what went to this one. */
  async #switch(why: DatagramError): Promise<void> {
    const refused = this.#clients;
    refused.abort();
    refused.removeAllListeners();
    this.#candidates.shift();
    const [next] = this.#candidates;
    if (next !== undefined) this.#options.events.nextAddress(refused.first.remote, next, why);
    try {
      await this.#connect();
      const { kernelDropped } = refused;
      this.#kernelDroppedBefore += kernelDropped ?? 0;
      this.#moreDroppedBefore ||= kernelDropped === undefined || refused.kernelDropsAreLowerBound;
      if (this.#kept !== undefined) this.#kept = (await this.#rewrite()) ?? this.#kept;
      const timeMs = wallClockMs();
      this.#askedAtMs = timeMs;
      this.#options.measurement?.sentAgain(timeMs);
      for (const { payloads, sender } of bySender(this.#kept ?? [])) {
        const client = sender === undefined ? this.client : await this.#clients.of(sender);
        const timesMs = this.#timesOf(payloads);
        const [first] = await client.sendBatch(payloads, { timesMs });
        this.#options.judge.transmitted();
        if (first !== undefined) throw first.error;
        await this.#tell(payloads, 'next address', client, timesMs);
      }
    } catch (error) {
      this.#fail(error as Error);
    } finally {
      this.#switching = undefined;
    }
  }

  async #rewrite(): Promise<Kept[] | undefined> {
    const written = await this.#options.rewrite?.(this.local, this.remote);
    this.#rewritten = written;
    return written?.map((payload) => ({ payload, sender: undefined }));
  }

  /** The socket of a sender, to the address in use: that may change while the socket is opened. */
  async #clientOf(sender: string): Promise<DatagramClient> {
    for (;;) {
      const clients = this.#clients;
      const changed = (): boolean => this.#switching !== undefined || clients !== this.#clients;
      try {
        const client = await clients.of(sender);
        if (!changed()) return client;
      } catch (error) {
        if (!changed()) throw error;
      }
      await this.#switching;
      this.#throwFailure();
    }
  }

  /** The address answers, or more was sent to it than is sent again: it is not changed any more. */
  #settleAddress(): void {
    this.#kept = undefined;
  }

  #keep(payloads: readonly Uint8Array[], sender: string | undefined): void {
    if (this.#kept === undefined) return;
    const single = this.#candidates.length === 1;
    const old = this.#keptSinceMs !== undefined && performance.now() - this.#keptSinceMs > MAX_KEPT_MS;
    this.#keptSinceMs ??= performance.now();
    this.#keptBytes += payloads.reduce((sum, { length }) => sum + length, 0);
    const many = this.#kept.length + payloads.length > MAX_KEPT_MESSAGES || this.#keptBytes > MAX_KEPT_BYTES;
    if (single || old || many) this.#settleAddress();
    // Whoever sends may write its next message into the same memory.
    else for (const payload of payloads) this.#kept.push({ payload: new Uint8Array(payload), sender });
  }

  /**
   * Sends messages, in order; their bytes are the exchange's until the promise settles.
   *
   * @param sender whose socket they leave from, if there are many; any text that tells it from others
   * @throws {DatagramError} for the first that the kernel did not take
   */
  send(payloads: readonly Uint8Array[], sender?: string): Promise<void> {
    const sending = this.#send(payloads, sender);
    this.#sending = sending;
    return sending;
  }

  async #send(payloads: readonly Uint8Array[], sender: string | undefined): Promise<void> {
    await this.#switching;
    this.#throwFailure();
    const client = sender === undefined ? this.client : await this.#clientOf(sender);
    const clients = this.#clients;
    this.#keep(payloads, sender);
    this.#lastSentMs = performance.now();
    const { measurement } = this.#options;
    const timeMs = wallClockMs();
    this.#askedAtMs ??= timeMs;
    measurement?.sending(payloads.length, timeMs);
    this.#isGiving = true;
    const timesMs = this.#timesOf(payloads);
    const failures = await client.sendBatch(payloads, { timesMs });
    this.#isGiving = false;
    if (this.#switching !== undefined || clients !== this.#clients) {
      // The address was changed meanwhile, and these messages, which were kept, went to the new one.
      await this.#switching;
      this.#sent += payloads.length;
      this.#throwFailure();
      return;
    }
    this.#sent += payloads.length - failures.length;
    measurement?.notTaken(failures.length);
    this.#options.judge.transmitted();
    this.#stillAlive();
    const [first] = failures;
    if (timesMs !== undefined) await this.#tell(withoutFailed(payloads, failures), 'message', client, timesMs);
    if (first !== undefined) throw first.error;
  }

  /** Room for when each is sent, if somebody wants to know. */
  #timesOf({ length }: readonly Uint8Array[]): Float64Array | undefined {
    return this.#options.events.transmitted === undefined ? undefined : new Float64Array(length);
  }

  /** Tells whoever wants to know what the kernel took, and when it was given it. */
  async #tell(
    taken: readonly Uint8Array[],
    why: Transmission,
    { local }: DatagramClient,
    timesMs: Float64Array | undefined,
  ): Promise<void> {
    if (timesMs === undefined) return;
    await this.#options.events.transmitted?.(taken, why, { local, timesMs: timesOfTaken(timesMs) });
  }

  #fail(error: Error): void {
    this.#failure = error;
    this.#enough.abort('failed');
    this.end();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #stillAlive(): void {
    this.#aliveMs = performance.now();
  }

  /** Silence ends the wait, not the sending. */
  async #endIfIdle(): Promise<void> {
    const { idleMs = Infinity } = this.#options;
    // What reached the socket in time counts, however late this process is, and so does what a slow reader holds up.
    await this.#clients.poll();
    if (this.#over.signal.aborted) return;
    if (this.#clients.queued > 0) this.#stillAlive();
    const leftMs = this.#aliveMs + idleMs - performance.now();
    if (leftMs > 0) this.#idle.set(leftMs);
    else this.end();
  }

  /**
   * Waits for replies after everything was sent, counted from when the last message was, and sends `message` again at
   * `retries` moments evenly spaced over the wait.
   */
  async wait(waitMs: number, message?: Uint8Array, retries = 0): Promise<void> {
    this.#allSent = true;
    this.#retriesLeft = message === undefined ? 0 : retries;
    await this.#switching;
    this.#checkEnough();
    this.#checkRefused();
    if (this.#options.idleMs !== undefined) void this.#endIfIdle();
    const startMs = this.#lastSentMs;
    const { signal } = this.#over;
    const stepMs = waitMs / (retries + 1);
    while (message !== undefined && this.#retriesLeft > 0) {
      // Moments that have passed are not made up for: more at once would be no more likely to be answered.
      const passed = Math.floor((performance.now() - startMs) / stepMs);
      const retry = Math.max(passed, retries - this.#retriesLeft + 1);
      if (retry > retries) break;
      await waitUntil(startMs + stepMs * retry, signal);
      await this.#switching;
      if (signal.aborted || this.#options.judge.matching > 0) break;
      this.#retriesLeft = retries - retry;
      await this.#retransmit(this.#rewritten?.[0] ?? message);
    }
    this.#retriesLeft = 0;
    this.#checkRefused();
    await waitUntil(startMs + waitMs, signal);
    await this.#switching;
    if (!signal.aborted) await this.endOnTime();
  }

  async #retransmit(message: Uint8Array): Promise<void> {
    this.#askedAtMs = wallClockMs();
    const { client } = this;
    const timesMs = this.#timesOf([message]);
    const [failure] = await client.sendBatch([message], { timesMs });
    if (client !== this.client || this.#switching !== undefined) return;
    if (failure !== undefined) throw failure.error;
    this.#retransmitted += 1;
    this.#options.judge.transmitted();
    await this.#tell([message], 'retransmission', client, timesMs);
  }

  /** Has the kernel say, without waiting, whether the last transmission was refused; goes through the addresses left. */
  async checkRefusal(): Promise<void> {
    for (;;) {
      const clients = this.#clients;
      await clients.poll();
      await this.#switching;
      this.#throwFailure();
      if (clients === this.#clients) return;
    }
  }

  /**
   * The time is over. What reached the socket before counts, however late this process is, as far as it is read and judged
   * within a moment: a flood has no end. Twice is fine.
   */
  endOnTime(): Promise<void> {
    this.#timeIsOver();
    this.#endingOnTime ??= Promise.resolve()
      .then(() => this.#clients.poll(MAX_LATE_READING_MS))
      .then(() => {
        this.end();
      });
    return this.#endingOnTime;
  }

  #timeIsOver(): void {
    if (this.#overSinceMs < Infinity) return;
    this.#overSinceMs = performance.now();
    if (this.#isExamining) this.#examiningLimit.set(MAX_LATE_EXAMINING_MS);
  }

  /** Nothing more is waited for; what has arrived still counts, unless enough replies came. Twice is fine. */
  end(): void {
    this.#timeIsOver();
    // A reason of one's own: making the default one, with its stack, takes milliseconds.
    this.#over.abort('over');
    this.#idle.stop();
  }

  /**
   * Closes the socket, and waits until the replies that count were taken. Twice is fine.
   *
   * @param hurried whether what the kernel does not take in a moment is given up, and with it what nobody takes of replies
   */
  close(hurried: boolean): Promise<void> {
    this.#closing ??= this.#close(hurried);
    return this.#closing;
  }

  async #close(hurried: boolean): Promise<void> {
    const givingUp = new Alarm(() => {
      if (this.#clients.queued > 0) this.#onDrop(this.#clients.queued);
      this.#clients.abort();
    });
    if (hurried) givingUp.set(GIVEN_UP_AFTER_MS);
    await this.#switching;
    this.#clients.openNoMore();
    const { listens, judge } = this.#options;
    if (listens && !this.#over.signal.aborted) await this.endOnTime();
    this.end();
    this.#clients.stopReceiving();
    if (this.#wantsMore) await this.#countLeftInKernel();
    await this.#answering;
    await this.#clients[Symbol.asyncDispose]();
    givingUp.stop();
    await Promise.allSettled([this.#sending]);
    await Promise.all(this.#receiving);
    if (this.#wantsMore) this.#leaveTheRest();
    judge.endExamining();
    this.#clients.removeAllListeners();
  }

  /** Whether replies beyond those that were judged would have counted. */
  get #wantsMore(): boolean {
    return this.#options.listens && this.#failure === undefined && !this.#hasEnough;
  }

  /** Replies that had arrived, and are not judged any more, count as dropped. */
  #leaveTheRest(): void {
    const count = this.#unjudged + this.#clients.queued;
    if (count === 0) return;
    this.#dropped += count;
    this.#options.judge.leave(count);
    this.#options.events.left?.(count);
  }

  async #countLeftInKernel(): Promise<void> {
    const clients = this.#clients;
    const before = clients.discarded;
    await clients.poll(MAX_COUNTING_MS);
    this.#leftInKernel += clients.discarded - before;
  }

  /** Closes it in order, see {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close(false);
  }
}
