import type { Answer, Answering } from '../responders/responder.js';
import { MAX_WAITING, MAX_WAITING_BYTES } from '../timing/delay-line.js';
import type { Faults } from '../faults/faults.js';
import { amplifies } from '../guard/amplification.js';
import type { AnswerPolicy } from '../guard/answer-policy.js';
import { isLoopback } from '../net/address/endpoint.js';
import { type Datagram, type DatagramServer, type Endpoint, formatEndpoint } from '../net/index.js';
import { timesOfTaken } from '../net/send-times.js';
import type { PeerTable } from '../stats/peers.js';
import type { Context } from '../run/context.js';
import { unlessAborted } from '../run/interruption.js';
import type { Report } from '../run/report.js';
import type { Tap } from '../run/tap.js';

/** How long after the end answers that faults delay leave at their time; then all that are left do at once. */
const LATE_ANSWERS_MS = 1000;

/** Where a service's answers go, what becomes of them, and who counts them. */
export interface AnswerParts {
  readonly context: Context;
  readonly report: Report;
  readonly tap: Tap;
  readonly peers: PeerTable;
  readonly faults: Faults | undefined;
  /** How often an answer may be sent at most; 0 if it may be as large as it is. */
  readonly copies: number;
}

/** Lets a service answer what may be answered, and sends its answers, those that come later too: all of them pass here. */
export class Answers {
  readonly #policy: AnswerPolicy;
  readonly #server: DatagramServer;
  readonly #answering: Answering;
  readonly #parts: AnswerParts;
  /** Sends of answers that came later. */
  readonly #late = new Set<Promise<void>>();
  readonly #reasons = new Set<string>();
  /** Aborted when the service is about to end. */
  readonly #hurried = new AbortController();
  #givenUp = 0;
  /** Questions of which all answers that were tried could not be sent. */
  #failed = 0;
  /** Whether any left, of answers that belong together. */
  readonly #left = new WeakMap<object, boolean>();
  #taking = 0;
  #sendFailed = false;
  #amplified = false;
  #failure: { readonly error: unknown } | undefined;

  /** @param policy decides which datagrams the service sees, before anything is run or delayed for them */
  constructor(server: DatagramServer, answering: Answering, policy: AnswerPolicy, parts: AnswerParts) {
    this.#server = server;
    this.#answering = answering;
    this.#policy = policy;
    this.#parts = parts;
    this.#beginFaults();
    const sink = {
      permits: (question: Datagram, answerBytes: number) => this.#permits(question, answerBytes),
      send: (answers: readonly Answer[]) => {
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

  #beginFaults(): void {
    const { context, faults } = this.#parts;
    faults?.begin({
      onDue: (due) => this.#sendDue(due),
      onCorrupted: (remote) => {
        this.#policy.corrupted(remote);
      },
      onOverflow: () => {
        context.log.warn(`more answers are delayed than ${MAX_WAITING} or ${MAX_WAITING_BYTES} bytes, and are dropped`);
      },
    });
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
    this.#hurried.abort();
    void this.#server.endReceiving();
    this.#answering.hurry?.();
  }

  /**
   * Receives no more; resolves once every answer was sent or given up: those that faults delay leave at their time, but a
   * second after {@link hurry} all at once, and a second signal gives them up. Called after the last batch.
   *
   * @throws {LocalFailure} if the recording took no more
   */
  async settled(): Promise<void> {
    await this.#server.endReceiving();
    await this.#answering.settled?.();
    await Promise.all(this.#late);
    await this.#faultsSettled();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #faultsSettled(): Promise<void> {
    const { faults, context } = this.#parts;
    if (faults === undefined) return;
    const { force } = context;
    const empty = faults.empty();
    await unlessAborted(empty, [this.#hurried.signal, force], () => undefined);
    await unlessAborted(empty, [AbortSignal.timeout(LATE_ANSWERS_MS), force], () => undefined);
    if (!force.aborted) faults.hurry();
    await unlessAborted(empty, [force], () => undefined);
    faults.stop();
  }

  /** Whether answers of so many bytes in all are no weapon by their size; counted and, the first time, told if they are. */
  #permits({ data: question, remote }: Datagram, answerBytes: number): boolean {
    const { context, copies } = this.#parts;
    if (!amplifies(question.length, answerBytes * copies) || isLoopback(remote.address)) return true;
    this.#policy.decline();
    this.#countUnanswered();
    if (!this.#amplified) {
      context.log.warn(
        `${formatEndpoint(remote)} is not answered: ${answerBytes} bytes to ${question.length} would be more than 3 times ` +
          'as much, for whoever forges a sender; --allow or --amplify permits it',
      );
    }
    this.#amplified = true;
    return false;
  }

  #sendLater(answers: readonly Answer[]): void {
    const sent = this.#send(answers).then(
      () => this.#late.delete(sent),
      (error: unknown) => {
        this.#late.delete(sent);
        this.#endBy(error);
      },
    ) as Promise<void>;
    this.#late.add(sent);
  }

  /** What faults delayed. */
  async #sendDue(due: readonly Answer[]): Promise<void> {
    try {
      await this.#sendNow(due);
    } catch (error) {
      this.#parts.faults?.stop();
      this.#endBy(error);
    }
  }

  #endBy(error: unknown): void {
    this.#failure ??= { error };
    this.hurry();
  }

  async #send(answers: readonly Answer[]): Promise<void> {
    const { faults } = this.#parts;
    await this.#sendNow(faults === undefined ? answers : faults.apply(answers));
  }

  async #sendNow(answers: readonly Answer[]): Promise<void> {
    if (answers.length === 0) return;
    const { report, tap, peers } = this.#parts;
    const timesMs = tap.records ? new Float64Array(answers.length) : undefined;
    this.#policy.sent(answers);
    const failures = await this.#server.sendBatch(answers, { timesMs });
    const failed = new Set(failures.map(({ index }) => index));
    const sent = failed.size === 0 ? answers : answers.filter((_, index) => !failed.has(index));
    if (timesMs !== undefined) await tap.recordSent(sent, timesOfTaken(timesMs));
    report.totals.sent += answers.length - failures.length;
    for (const answer of sent) {
      peers.answered(answer.remote);
      this.#countLeft(answer);
    }
    for (const { index, error } of failures) {
      this.#countFailed(answers[index]?.together);
      // One line tells it; a flood of them would tell no more.
      if (!this.#sendFailed) report.peerError(error);
      this.#sendFailed = true;
    }
    this.#countUnanswered();
  }

  #countLeft({ together }: Answer): void {
    if (together === undefined) return;
    // A copy may fail before another one leaves.
    if (this.#left.get(together) === false) this.#failed -= 1;
    this.#left.set(together, true);
  }

  #countFailed(together: object | undefined): void {
    if (together !== undefined) {
      if (this.#left.has(together)) return;
      this.#left.set(together, false);
    }
    this.#failed += 1;
  }

  #fail(remote: Endpoint, why: string): void {
    const { context, report } = this.#parts;
    const peer = formatEndpoint(remote);
    const message = `no answer to ${peer}: ${why}`;
    context.log.warn(message, { code: 'ANSWER_FAILED', peer });
    report.event({ type: 'error', code: 'ANSWER_FAILED', message, peer });
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
    this.#parts.report.totals.unanswered = this.#policy.declined + this.#givenUp + this.#failed;
  }
}
