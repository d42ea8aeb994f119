import type { Answering } from '../answers/answering.js';
import type { AnswerPolicy } from '../guard/answer-policy.js';
import { wallClockMs } from '../net/clock.js';
import { type Datagram, type DatagramServer, type Endpoint, formatEndpoint, type Outgoing } from '../net/index.js';
import type { PeerTable } from '../stats/peers.js';
import type { Context } from './context.js';
import type { Output } from './output.js';

/** Where a service's answers go, and who counts them. */
interface Parts {
  readonly context: Context;
  readonly output: Output;
  readonly peers: PeerTable;
}

/** Lets a service answer what may be answered, and sends its answers, those that come later too: all of them pass here. */
export class Answers {
  readonly #policy: AnswerPolicy;
  readonly #server: DatagramServer;
  readonly #answering: Answering;
  readonly #parts: Parts;
  /** Sends of answers that came later. */
  readonly #late = new Set<Promise<void>>();
  readonly #reasons = new Set<string>();
  #givenUp = 0;
  #taking = 0;
  #sendFailed = false;
  #failure: { readonly error: unknown } | undefined;

  /** @param policy decides which datagrams the service sees, before anything is run or delayed for them */
  constructor(server: DatagramServer, answering: Answering, policy: AnswerPolicy, parts: Parts) {
    this.#server = server;
    this.#answering = answering;
    this.#policy = policy;
    this.#parts = parts;
    const sink = {
      send: (answers: readonly Outgoing[]) => {
        this.#sendLater(answers);
      },
      fail: (remote: Endpoint, why: string) => {
        this.#fail(remote, why);
      },
      giveUp: (count: number, why: string) => {
        this.#giveUp(count, why);
      },
    };
    answering.begin?.(sink, server.local);
  }

  /** Whether datagrams of a batch still wait to be taken up. */
  get isTaking(): boolean {
    return this.#taking > 0;
  }

  /**
   * Has a batch answered as far as it may be; resolves once all of it is taken up, and what was ready at once is sent.
   *
   * @throws {LocalFailure} if the recording takes no more
   */
  async give(batch: readonly Datagram[]): Promise<void> {
    const asked = batch.filter((datagram) => this.#policy.answers(datagram));
    this.#countUnanswered();
    this.#taking += 1;
    try {
      await this.#send(await this.#answering.answer(asked));
    } finally {
      this.#taking -= 1;
    }
  }

  /** Receives no more, and gives what has arrived and is under way only a few seconds yet. */
  hurry(): void {
    void this.#server.endReceiving();
    this.#answering.hurry?.();
  }

  /**
   * Receives no more; resolves once every answer was sent or given up. Called after the last batch.
   *
   * @throws {LocalFailure} if the recording took no more
   */
  async settled(): Promise<void> {
    await this.#server.endReceiving();
    await this.#answering.settled?.();
    await Promise.all(this.#late);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #sendLater(answers: readonly Outgoing[]): void {
    const sent = this.#send(answers).then(
      () => this.#late.delete(sent),
      (error: unknown) => {
        this.#late.delete(sent);
        this.#failure ??= { error };
        this.hurry();
      },
    ) as Promise<void>;
    this.#late.add(sent);
  }

  async #send(answers: readonly Outgoing[]): Promise<void> {
    if (answers.length === 0) return;
    const { output, peers } = this.#parts;
    const timeMs = wallClockMs();
    const failures = await this.#server.sendBatch(answers);
    const failed = new Set(failures.map(({ index }) => index));
    const sent = failed.size === 0 ? answers : answers.filter((_, index) => !failed.has(index));
    await output.recordSent(sent, timeMs);
    output.totals.sent += answers.length - failures.length;
    for (const { remote } of sent) peers.answered(remote);
    for (const { error } of failures) {
      // One line tells it; a flood of them would tell no more.
      if (!this.#sendFailed) output.peerError(error);
      this.#sendFailed = true;
    }
  }

  #fail(remote: Endpoint, why: string): void {
    const { context, output } = this.#parts;
    const peer = formatEndpoint(remote);
    const message = `no answer to ${peer}: ${why}`;
    context.log.warn(message, { code: 'ANSWER_FAILED', peer });
    output.event({ type: 'error', code: 'ANSWER_FAILED', message, peer });
    this.#givenUp += 1;
    this.#countUnanswered();
  }

  #giveUp(count: number, why: string): void {
    this.#givenUp += count;
    this.#countUnanswered();
    if (this.#reasons.has(why)) return;
    this.#reasons.add(why);
    this.#parts.context.log.warn(`datagrams are left without an answer: ${why}`);
  }

  #countUnanswered(): void {
    this.#parts.output.totals.unanswered = this.#policy.declined + this.#givenUp;
  }
}
