import type { Datagram, DatagramClient } from '../net/index.js';
import type { Finding } from '../check/finding.js';
import type { Judge } from '../check/judge.js';
import type { Measurement } from '../check/measurement.js';
import { FlowMeter } from '../stats/flow-meter.js';
import type { Flow } from '../stats/rate.js';
import type { Responders } from '../stats/responders.js';
import { Alarm } from '../timing/alarm.js';
import type { Connection } from './connection.js';
import type { Ending } from './ending.js';
import type { Observers } from './events.js';
import type { FirstMatch } from './first-match.js';
import type { Waiting } from './waiting.js';

/** After this time of judging, signals and timers have their turn. Some replies take long to judge. */
const MAX_JUDGING_MS = 10;
/** After this number of bytes, the judged replies go to the observers, so that they can be written. */
const MAX_PORTION_BYTES = 64 * 1024;
/** After the time for replies is over, the examination of one reply may still take this long. */
const MAX_LATE_EXAMINING_MS = 40;
/** After the time for replies is over, judging all remaining replies may still take this long. */
const MAX_LATE_JUDGING_MS = 80;

/** Resolves after signals, timers and sockets had their turn. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Options of {@link Hearing}. */
export interface HearingOptions {
  readonly judge: Judge;
  /** Matches each reply to a message. Default: nothing is measured. */
  readonly measurement?: Measurement | undefined;
  /** Counts the replies of each responder. Default: they are not counted. */
  readonly responders?: Responders | undefined;
  /** Sends a follow-up to the sender of a reply. */
  readonly followUp: (payload: Uint8Array, reply: Datagram, client: DatagramClient) => void;
}

/**
 * Receives the datagrams of a connection, separates replies from strays, and judges the replies. Judging has a time budget, so
 * that a flood of replies delays neither timers nor the end.
 */
export class Hearing {
  readonly #options: HearingOptions;
  readonly #observers: Observers;
  readonly #ending: Ending;
  readonly #connection: Connection;
  readonly #waiting: Waiting;
  readonly #firstMatch: FirstMatch;
  readonly #receiving: Promise<void>[] = [];
  /** Settles when the replies of all sockets so far are judged and written. */
  #taking: Promise<unknown> = Promise.resolve();
  readonly #flow = new FlowMeter();
  #dropped = 0;
  /** The time of judging after the time for replies was over. */
  #lateJudgingMs = 0;
  /** Replies that were taken from the queue and not judged, because the time for judging was over. */
  #unjudged = 0;

  constructor(
    options: HearingOptions,
    observers: Observers,
    ending: Ending,
    connection: Connection,
    waiting: Waiting,
    firstMatch: FirstMatch,
  ) {
    this.#options = options;
    this.#observers = observers;
    this.#ending = ending;
    this.#connection = connection;
    this.#waiting = waiting;
    this.#firstMatch = firstMatch;
  }

  /** Replies, matching or not. */
  get received(): number {
    return this.#flow.count;
  }

  /** The same replies, with their bytes and times. */
  get flow(): Flow {
    return this.#flow;
  }

  /** Replies that were dropped because the queue was full, or that were not judged in time. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Starts to receive from a socket. */
  hear(client: DatagramClient): void {
    client.on('drop', (count) => {
      this.drop(count);
    });
    client.on('receiveError', (error) => {
      this.#observers.tell({ type: 'receive error', error });
    });
    this.#receiving.push(this.#receive(client));
  }

  /** Counts replies that were dropped because the queue was full, or was given up. */
  drop(count: number): void {
    this.#dropped += count;
    this.#observers.tell({ type: 'dropped', count });
  }

  /** Counts datagrams from other addresses than the one asked. */
  takeStrays(batch: readonly Datagram[], { local }: DatagramClient): void {
    if (this.#ending.over.aborted) return;
    for (let index = 0; index < batch.length; index += 1) this.#options.judge.stray();
    this.#waiting.stillAlive();
    this.#observers.tell({ type: 'strays', batch, local });
  }

  async #receive(client: DatagramClient): Promise<void> {
    try {
      for await (const batch of client.batches()) {
        const replies = this.#withoutStrays(batch, client);
        // One socket after the other: stdout takes one batch at a time, and the examiner one reply.
        const taking = this.#taking.then(() => this.#takeIn(replies, client));
        this.#taking = taking.catch(() => undefined);
        if (!(await taking)) return;
      }
    } catch (error) {
      this.#ending.fail(error as Error);
    }
  }

  /** Removes strays from a batch. The socket is unconnected if every port of the host may reply, and then hears every host. */
  #withoutStrays(batch: readonly Datagram[], client: DatagramClient): readonly Datagram[] {
    if (this.#connection.repliesFrom !== 'host') return batch;
    const { address } = client.remote;
    const strays = batch.filter(({ remote }) => remote.address !== address);
    if (strays.length === 0) return batch;
    this.takeStrays(strays, client);
    return batch.filter(({ remote }) => remote.address === address);
  }

  /** Whether the time for late judging is used up. The time of a slow reader of stdout does not count. */
  get #judgedLongEnough(): boolean {
    return this.#lateJudgingMs > MAX_LATE_JUDGING_MS;
  }

  /** Adds the time since `sinceMs` to the time of late judging, as far as it lies after the time for replies. */
  #judgedSince(sinceMs: number): void {
    const nowMs = performance.now();
    const { overSinceMs } = this.#ending;
    if (overSinceMs <= nowMs) this.#lateJudgingMs += nowMs - Math.max(sinceMs, overSinceMs);
  }

  /** Judges a batch of replies, and hands them to the observers in portions. Resolves to false if no more replies are wanted. */
  async #takeIn(batch: readonly Datagram[], client: DatagramClient): Promise<boolean> {
    if (batch.length === 0) return true;
    const { judge } = this.#options;
    this.#connection.settle();
    this.#waiting.stillAlive();
    let turnMs = performance.now();
    for (let next = 0; next < batch.length;) {
      if (this.#waiting.wantsNoMore) return false;
      if (this.#judgedLongEnough) {
        this.#unjudged += batch.length - next;
        return false;
      }
      const first = batch[next] as Datagram;
      const takesLong = judge.takesLong(first.data);
      const inTime = !takesLong || (await this.#examine(first));
      const sinceMs = performance.now();
      const portion = this.#judgePortion(batch, next, client, takesLong, inTime);
      next += portion.length;
      const taken = this.#observers.tellAndWait({ type: 'replies', batch: portion, local: client.local });
      this.#judgedSince(sinceMs);
      await taken;
      if (performance.now() - turnMs > MAX_JUDGING_MS) {
        await nextTurn();
        turnMs = performance.now();
      }
    }
    return true;
  }

  /**
   * Judges replies of a batch, from index `from` on, until the portion is full or its time is over. Returns the judged
   * replies, at least one.
   *
   * @param isAlone whether the first reply was examined in the thread. It is then the only one of the portion.
   * @param inTime false if that examination was ended: the reply is then not judged
   */
  #judgePortion(
    batch: readonly Datagram[],
    from: number,
    client: DatagramClient,
    isAlone: boolean,
    inTime: boolean,
  ): readonly Datagram[] {
    const { judge } = this.#options;
    const judged = this.#observers.want('judged')
      ? { findings: [] as Finding[], rttsMs: [] as (number | undefined)[] }
      : undefined;
    const sinceMs = performance.now();
    let next = from;
    let bytes = 0;
    do {
      const datagram = batch[next] as Datagram;
      bytes += datagram.data.length;
      const finding = this.#judge(datagram, client, inTime);
      judged?.findings.push(finding);
      judged?.rttsMs.push(this.#rttOf(datagram));
      next += 1;
    } while (
      !isAlone &&
      next < batch.length &&
      bytes < MAX_PORTION_BYTES &&
      performance.now() - sinceMs < MAX_JUDGING_MS &&
      !this.#waiting.wantsNoMore &&
      !judge.takesLong((batch[next] as Datagram).data)
    );
    const portion = batch.slice(from, next);
    const { repliesFrom } = this.#connection;
    if (judged !== undefined) this.#observers.tell({ type: 'judged', batch: portion, ...judged, repliesFrom });
    return portion;
  }

  /** The round-trip time of the reply that was judged last, in milliseconds. Undefined if it is not known. */
  #rttOf(datagram: Datagram): number | undefined {
    const { measurement, responders } = this.#options;
    const rttMs = responders?.rttOf(datagram);
    if (rttMs !== undefined) return rttMs;
    // With several requests, only the measurement knows to which of them a reply belongs.
    const isMeasured = measurement !== undefined && measurement.requests > 1;
    return isMeasured ? measurement.lastRttMs : this.#firstMatch.sinceLastSent(datagram);
  }

  /** Examines a reply in the thread. Resolves to false if the time for it was over first. */
  async #examine({ data }: Datagram): Promise<boolean> {
    const { judge } = this.#options;
    const { timeOver } = this.#ending;
    const limit = new Alarm(() => {
      judge.endExamining();
    });
    const setLimit = (): void => {
      limit.set(this.#ending.overSinceMs + MAX_LATE_EXAMINING_MS - performance.now());
    };
    if (timeOver.aborted) setLimit();
    else timeOver.addEventListener('abort', setLimit, { once: true });
    const inTime = await judge.examine(data);
    timeOver.removeEventListener('abort', setLimit);
    limit.stop();
    return inTime;
  }

  /** Judges one reply, unless it could not be examined in time. */
  #judge(datagram: Datagram, client: DatagramClient, inTime: boolean): Finding {
    const { judge, measurement, responders, followUp } = this.#options;
    this.#flow.add(1, datagram.data.length, datagram.timeMs);
    const finding = !inTime
      ? judge.leave(1)
      : measurement === undefined
        ? judge.reply(datagram.data)
        : measurement.reply(datagram, judge);
    const isWrong = finding.outcome === 'mismatch' || finding.outcome === 'unjudged';
    if (!isWrong) responders?.take(datagram, this.#rttOf(datagram));
    const rttMs = this.#firstMatch.take(finding, datagram, judge.matching);
    finding.later?.((settled) => {
      this.#firstMatch.settle(settled, datagram, rttMs);
      this.#observers.tell({ type: 'settled', finding: settled });
      this.#waiting.checkEnough();
    });
    if (finding.followUp !== undefined) followUp(finding.followUp, datagram, client);
    this.#waiting.checkEnough();
    return finding;
  }

  /** Settles when all sockets have ended, and their replies were judged or left. */
  async done(): Promise<void> {
    await Promise.all(this.#receiving);
  }

  /** Counts the replies that had arrived and were not judged as dropped. */
  leaveTheRest(): void {
    const count = this.#unjudged + this.#connection.clients.queued;
    if (count === 0) return;
    this.#dropped += count;
    this.#options.judge.leave(count);
    this.#observers.tell({ type: 'left', count });
  }
}
