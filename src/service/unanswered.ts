import { MAX_AMPLIFICATION } from '../guard/limits.js';
import type { ResponsePolicy } from '../guard/response-policy.js';
import { type Datagram, type DatagramError, type Endpoint, formatEndpoint } from '../net/index.js';
import type { Grouped } from '../faults/faults.js';
import type { Context } from '../run/context.js';
import type { Report } from '../run/report.js';
import type { PeerTable } from '../stats/peers.js';
import { MAX_WAITING, MAX_WAITING_BYTES } from '../timing/delay-line.js';

/** Counts requests that got a response, and those that got none; tells the reasons, each of them once. */
export class Unanswered {
  readonly #context: Context;
  readonly #report: Report;
  readonly #peers: PeerTable;
  readonly #policy: ResponsePolicy;
  readonly #reasons = new Set<string>();
  /** For each group of responses whether any of them left. */
  readonly #left = new WeakMap<object, boolean>();
  #givenUp = 0;
  /** Requests of which no response could be sent. */
  #failed = 0;
  #sendFailed = false;
  #amplified = false;

  constructor(context: Context, report: Report, peers: PeerTable, policy: ResponsePolicy) {
    this.#context = context;
    this.#report = report;
    this.#peers = peers;
    this.#policy = policy;
  }

  /** Brings the totals up to date, after the policy has declined requests. */
  count(): void {
    this.#report.totals.unanswered = this.#policy.declined + this.#givenUp + this.#failed;
  }

  /** Responses left, of which some may have failed; {@link count} is to be called afterwards. */
  sent(responses: readonly Grouped[]): void {
    this.#report.totals.sent += responses.length;
    for (const { remote, together } of responses) {
      this.#peers.responded(remote);
      if (together !== undefined) this.#countLeft(together);
    }
  }

  #countLeft(together: object): void {
    // A copy may fail before another one leaves.
    if (this.#left.get(together) === false) this.#failed -= 1;
    this.#left.set(together, true);
  }

  /** The kernel did not take a response; {@link count} is to be called afterwards. */
  sendFailed(response: Grouped | undefined, error: DatagramError): void {
    this.#countFailed(response?.together);
    // One line tells it; a flood of them would tell no more.
    if (!this.#sendFailed) this.#report.peerError(error);
    this.#sendFailed = true;
  }

  #countFailed(together: object | undefined): void {
    if (together !== undefined) {
      if (this.#left.has(together)) return;
      this.#left.set(together, false);
    }
    this.#failed += 1;
  }

  /** See {@link Sink.fail}. */
  fail(remote: Endpoint, why: string): void {
    const peer = formatEndpoint(remote);
    const message = `no answer to ${peer}: ${why}`;
    this.#context.log.warn(message, { code: 'ANSWER_FAILED', peer });
    this.#report.event({ type: 'error', code: 'ANSWER_FAILED', message, peer });
    this.#givenUp += 1;
    this.count();
  }

  /** See {@link Sink.giveUp}. */
  giveUp(count: number, why: string): void {
    this.#givenUp += count;
    this.count();
    if (this.#reasons.has(why)) return;
    this.#reasons.add(why);
    this.#context.log.warn(`datagrams are left without an answer: ${why}`);
  }

  /** The guard forbade responses of so many bytes in all. */
  amplifies({ data: { length }, remote }: Datagram, responseBytes: number): void {
    this.#policy.decline();
    this.count();
    if (!this.#amplified) {
      this.#context.log.warn(
        `${formatEndpoint(remote)} is not answered: ${responseBytes} bytes to ${length} would be more than ${MAX_AMPLIFICATION} times ` +
          'as much, for whoever forges a sender; --allow or --amplify permits it',
      );
    }
    this.#amplified = true;
  }

  /** There was no room for a response that faults delay. */
  overflowed(): void {
    this.#context.log.warn(
      `more answers are delayed than ${MAX_WAITING} or ${MAX_WAITING_BYTES} bytes, and are dropped`,
    );
  }
}
