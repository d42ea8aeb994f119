import type { Faults, Grouped } from '../faults/faults.js';
import type { ResponsePolicy } from '../guard/response-policy.js';
import { ALL_TAKEN } from '../net/engines/engine.js';
import type { DatagramServer, Run, SendFailure } from '../net/index.js';
import { timesOfTaken } from '../net/send-times.js';
import { unlessAborted } from '../run/interruption.js';
import type { Tap } from '../run/tap.js';
import type { Unanswered } from './unanswered.js';

/** For this time after the end, delayed responses still leave at their own time. Then the remaining ones leave at once. */
const LATE_RESPONSES_MS = 1000;

/** Sends responses. The faults, if there are any, act on them first. Records and counts the sent ones. */
export class Outbox {
  readonly #server: DatagramServer;
  readonly #tap: Tap;
  readonly #policy: ResponsePolicy;
  readonly #unanswered: Unanswered;
  readonly #faults: Faults | undefined;
  /** Sends of {@link sendLate} under way. */
  readonly #late = new Set<Promise<void>>();
  /** Aborted at the first failure of such a send, or of a delayed response. Its reason is the error. */
  readonly #failed = new AbortController();

  constructor(
    server: DatagramServer,
    tap: Tap,
    policy: ResponsePolicy,
    unanswered: Unanswered,
    faults: Faults | undefined,
  ) {
    this.#server = server;
    this.#tap = tap;
    this.#policy = policy;
    this.#unanswered = unanswered;
    this.#faults = faults;
    faults?.begin({
      onDue: (due) => this.#sendDue(due),
      onCorrupted: (remote) => {
        policy.corrupted(remote);
      },
      onOverflow: () => {
        unanswered.overflowed();
      },
    });
  }

  /** Aborted when {@link sendLate}, or sending a delayed response, failed. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  /**
   * Sends responses in this order. A response that the kernel refuses is counted and told, and does not reject the promise.
   * Returns undefined if all was sent and recorded already.
   *
   * @throws {RecordError} if the recording failed
   */
  send(responses: readonly Grouped[]): Promise<void> | undefined {
    return this.#sendNow(this.#faults === undefined ? responses : this.#faults.apply(responses));
  }

  /** Sends runs back to their senders. The service must have no faults and no recording. Returns as {@link send} does. */
  sendBack(runs: readonly Run[]): Promise<void> | undefined {
    if (runs.length === 0) return undefined;
    const sending = this.#server.sendRuns(
      runs.map(({ bytes: data, segmentBytes, remote, local }) => ({ data, segmentBytes, remote, local })),
    );
    if (sending !== ALL_TAKEN) {
      return sending.then((failures) => {
        this.#noteSentBack(runs, failures);
      });
    }
    this.#noteSentBack(runs, []);
    return undefined;
  }

  #noteSentBack(runs: readonly Run[], failures: readonly SendFailure[]): void {
    for (const [index, { remote, count, bytes, segmentBytes }] of runs.entries()) {
      const failed = failures.length === 0 ? 0 : failures.filter((failure) => failure.index === index).length;
      this.#unanswered.sentRun(remote, count - failed, Math.max(0, bytes.length - failed * segmentBytes));
    }
    for (const { error } of failures) this.#unanswered.sendFailed(undefined, error);
    this.#unanswered.count();
  }

  /** Sends responses as {@link send} does, without a promise: {@link settled} throws the failure. */
  sendLate(responses: readonly Grouped[]): void {
    const sent = this.#sendSafely(responses).finally(() => this.#late.delete(sent));
    this.#late.add(sent);
  }

  /** Sends responses. Never rejects: {@link settled} throws the failure. */
  async #sendSafely(responses: readonly Grouped[]): Promise<void> {
    try {
      await this.send(responses);
    } catch (error) {
      this.#failed.abort(error);
    }
  }

  /** Sends responses that faults delayed. */
  async #sendDue(due: readonly Grouped[]): Promise<void> {
    try {
      await this.#sendNow(due);
    } catch (error) {
      this.#faults?.stop();
      this.#failed.abort(error);
    }
  }

  #sendNow(responses: readonly Grouped[]): Promise<void> | undefined {
    if (responses.length === 0) return undefined;
    const timesMs = this.#tap.records ? new Float64Array(responses.length) : undefined;
    this.#policy.sent(responses);
    const sent = this.#server.sendRuns(responses, { timesMs });
    if (sent !== ALL_TAKEN || timesMs !== undefined) return this.#noteSent(responses, sent, timesMs);
    this.#unanswered.sent(responses);
    this.#unanswered.count();
    return undefined;
  }

  async #noteSent(
    responses: readonly Grouped[],
    sending: Promise<readonly SendFailure[]>,
    timesMs: Float64Array | undefined,
  ): Promise<void> {
    const failures = await sending;
    const failed = new Set(failures.map(({ index }) => index));
    const sent = failed.size === 0 ? responses : responses.filter((_, index) => !failed.has(index));
    if (timesMs !== undefined) await this.#tap.recordSent(sent, timesOfTaken(timesMs));
    this.#unanswered.sent(sent);
    for (const { index, error } of failures) this.#unanswered.sendFailed(responses[index], error);
    this.#unanswered.count();
  }

  /**
   * Waits until every response was sent or given up. Delayed responses leave at their own time. A second after `hurried` was
   * aborted, all remaining ones leave at once. When `force` is aborted, they are given up.
   *
   * @throws the first failure of {@link sendLate}, or of a delayed response
   */
  async settled(hurried: AbortSignal, force: AbortSignal): Promise<void> {
    await Promise.all(this.#late);
    await this.#faultsSettled(hurried, force);
    this.#failed.signal.throwIfAborted();
  }

  async #faultsSettled(hurried: AbortSignal, force: AbortSignal): Promise<void> {
    const faults = this.#faults;
    if (faults === undefined) return;
    const empty = faults.empty();
    await unlessAborted(empty, [hurried, force], () => undefined);
    await unlessAborted(empty, [AbortSignal.timeout(LATE_RESPONSES_MS), force], () => undefined);
    if (!force.aborted) faults.hurry();
    await unlessAborted(empty, [force], () => undefined);
    faults.stop();
  }
}
