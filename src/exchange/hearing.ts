import type { Datagram, DatagramClient } from '../net/index.js';
import type { Finding } from '../check/finding.js';
import type { Judge } from '../check/judge.js';
import type { Measurement } from '../check/measurement.js';
import { Alarm } from '../timing/alarm.js';
import type { Connection } from './connection.js';
import type { Ending } from './ending.js';
import type { Observers } from './events.js';
import type { FirstMatch } from './first-match.js';
import type { Waiting } from './waiting.js';

/** How long replies are judged before signals and timers have their turn: a peer may send replies that take long to judge. */
const MAX_JUDGING_MS = 10;
/** After so many bytes of judged replies the observers are told, so that the replies can be written. */
const MAX_PORTION_BYTES = 64 * 1024;
/** How long, once the wait is over, an examination may still take, and all judging together. */
const MAX_LATE_EXAMINING_MS = 40;
const MAX_LATE_JUDGING_MS = 80;

/** Resolves once signals, timers and sockets had their turn. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** What replies are held against. */
export interface HearingOptions {
  readonly judge: Judge;
  /** Matches each reply to a message. Default: nothing is measured. */
  readonly measurement?: Measurement | undefined;
  /** Sends what the protocol wants sent back to the sender of a reply. */
  readonly followUp: (payload: Uint8Array, reply: Datagram, client: DatagramClient) => void;
}

/**
 * Takes in what the sockets of a connection receive, tells replies from strays, and judges the replies. It judges within a
 * time budget, so that a flood of replies holds up neither timers nor the end.
 */
export class Hearing {
  readonly #options: HearingOptions;
  readonly #observers: Observers;
  readonly #ending: Ending;
  readonly #connection: Connection;
  readonly #waiting: Waiting;
  readonly #firstMatch: FirstMatch;
  readonly #receiving: Promise<void>[] = [];
  /** Settles when the replies of all sockets so far are judged, and written. */
  #taking: Promise<unknown> = Promise.resolve();
  #received = 0;
  #dropped = 0;
  /** Spent on judging after the time for replies was over. */
  #lateJudgingMs = 0;
  /** Replies that were taken from the queue, and are not judged any more. */
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

  /** Replies that were taken in, matching or not. */
  get received(): number {
    return this.#received;
  }

  /** Replies that found the queue full, or were not judged in time. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes in what a socket receives. */
  hear(client: DatagramClient): void {
    client.on('drop', (count) => {
      this.drop(count);
    });
    client.on('receiveError', (error) => {
      this.#observers.tell({ type: 'receive error', error });
    });
    this.#receiving.push(this.#receive(client));
  }

  /** Replies found the queue full, or were given up with it. */
  drop(count: number): void {
    this.#dropped += count;
    this.#observers.tell({ type: 'dropped', count });
  }

  /** Datagrams came from other addresses than the one asked. */
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
        // Sockets take turns: stdout is written to in order, and one reply at a time is examined.
        const taking = this.#taking.then(() => this.#takeIn(replies, client));
        this.#taking = taking.catch(() => undefined);
        if (!(await taking)) return;
      }
    } catch (error) {
      this.#ending.fail(error as Error);
    }
  }

  /** An unconnected socket hears everybody, though only the host that was asked may reply. */
  #withoutStrays(batch: readonly Datagram[], client: DatagramClient): readonly Datagram[] {
    if (this.#connection.repliesFrom !== 'host') return batch;
    const { address } = client.remote;
    const strays = batch.filter(({ remote }) => remote.address !== address);
    if (strays.length === 0) return batch;
    this.takeStrays(strays, client);
    return batch.filter(({ remote }) => remote.address === address);
  }

  /** Whether the time for judging is over. The time in which a slow reader takes judged replies does not count. */
  get #judgedLongEnough(): boolean {
    return this.#lateJudgingMs > MAX_LATE_JUDGING_MS;
  }

  /** Counts judging that began at `sinceMs`, as far as the time for replies was over. */
  #judgedSince(sinceMs: number): void {
    const nowMs = performance.now();
    const { overSinceMs } = this.#ending;
    if (overSinceMs <= nowMs) this.#lateJudgingMs += nowMs - Math.max(sinceMs, overSinceMs);
  }

  /** Judges replies that came together, and hands them on portion by portion; false if no more are wanted. */
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

  /** Judges replies from a place on, until others are to have their turn; returns them, which are one at least. */
  #judgePortion(
    batch: readonly Datagram[],
    from: number,
    client: DatagramClient,
    isAlone: boolean,
    inTime: boolean,
  ): readonly Datagram[] {
    const { judge } = this.#options;
    const findings: Finding[] | undefined = this.#observers.want('judged') ? [] : undefined;
    const sinceMs = performance.now();
    let next = from;
    let bytes = 0;
    do {
      const datagram = batch[next] as Datagram;
      bytes += datagram.data.length;
      const finding = this.#judge(datagram, client, inTime);
      findings?.push(finding);
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
    if (findings !== undefined) this.#observers.tell({ type: 'judged', batch: portion, findings, repliesFrom });
    return portion;
  }

  /** Examines a reply that takes long. Resolves to false if the time for that was over first. */
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

  /** Judges one reply; one that was not examined in time is left unjudged. */
  #judge(datagram: Datagram, client: DatagramClient, inTime: boolean): Finding {
    const { judge, measurement, followUp } = this.#options;
    this.#received += 1;
    const finding = !inTime
      ? judge.leave(1)
      : measurement === undefined
        ? judge.reply(datagram.data)
        : measurement.reply(datagram, judge);
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

  /** Settles when every socket receives no more, and what counts of it was taken. */
  async done(): Promise<void> {
    await Promise.all(this.#receiving);
  }

  /** Replies that had arrived, and are not judged any more, count as dropped. */
  leaveTheRest(): void {
    const count = this.#unjudged + this.#connection.clients.queued;
    if (count === 0) return;
    this.#dropped += count;
    this.#options.judge.leave(count);
    this.#observers.tell({ type: 'left', count });
  }
}
