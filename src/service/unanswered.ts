import { MAX_AMPLIFICATION } from '../guard/limits.js';
import type { ResponsePolicy } from '../guard/response-policy.js';
import { type Datagram, type DatagramError, type Endpoint, formatEndpoint } from '../net/index.js';
import type { Grouped } from '../faults/faults.js';
import type { Context } from '../run/context.js';
import type { Report } from '../run/report.js';
import { FlowMeter } from '../stats/flow-meter.js';
import type { PeerTable } from '../stats/peers.js';
import { MAX_WAITING, MAX_WAITING_BYTES } from '../timing/delay-line.js';

/** Counts sent responses, and requests without a response. Warns of each reason for them once. */
export class Unanswered {
  readonly #context: Context;
  readonly #report: Report;
  readonly #peers: PeerTable;
  readonly #policy: ResponsePolicy;
  /** The responses that the kernel took, for their rate. */
  readonly #flow = new FlowMeter();
  readonly #reasons = new Set<string>();
  /** For each group of responses to one request: whether at least one was sent. */
  readonly #left = new WeakMap<object, boolean>();
  /** Requests that the responder gave up. */
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
    report.totals.flows.sent = () => this.#flow;
  }

  /** Updates the totals. Call it after the policy has declined requests. */
  count(): void {
    this.#report.totals.unanswered = this.#policy.declined + this.#givenUp + this.#failed;
  }

  /** Counts responses that the kernel took. Call {@link count} afterwards. */
  sent(responses: readonly Grouped[]): void {
    this.#report.totals.sent += responses.length;
    let bytes = 0;
    for (const { remote, together, data } of responses) {
      bytes += data.length;
      this.#peers.responded(remote);
      if (together !== undefined) this.#countLeft(together);
    }
    this.#flow.add(responses.length, bytes, performance.now());
  }

  /** Counts the responses of a run that the kernel took. Call {@link count} afterwards. */
  sentRun(remote: Endpoint, count: number, bytes: number): void {
    this.#report.totals.sent += count;
    this.#peers.responded(remote, count);
    this.#flow.add(count, bytes, performance.now());
  }

  #countLeft(together: object): void {
    // An earlier copy or response of the group failed, and this one was sent: the request has a response.
    if (this.#left.get(together) === false) this.#failed -= 1;
    this.#left.set(together, true);
  }

  /** Counts a response that the kernel refused. Call {@link count} afterwards. */
  sendFailed(response: Grouped | undefined, error: DatagramError): void {
    this.#countFailed(response?.together);
    // Only the first failure is reported: further lines would say nothing new.
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

  /** Counts a request whose responses the guard forbade because of their size together. */
  amplifies({ data: { length }, remote }: Datagram, responseBytes: number): void {
    this.#policy.decline();
    this.count();
    if (!this.#amplified) {
      this.#context.log.warn(
        `${formatEndpoint(remote)} is not answered: ${responseBytes} bytes to ${length} are more than ${MAX_AMPLIFICATION} times ` +
          'as much, and could flood a victim whose address an attacker forged; --allow or --amplify permits it',
      );
    }
    this.#amplified = true;
  }

  /** Warns that a delayed response was dropped, because too many were waiting. */
  overflowed(): void {
    this.#context.log.warn(
      `too many answers are delayed, and further ones are dropped: the limits are ${MAX_WAITING} and ${MAX_WAITING_BYTES} bytes`,
    );
  }
}
