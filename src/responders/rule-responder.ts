import type { Datagram } from '../net/index.js';
import { RuleRequest } from '../rules/rule-request.js';
import { CountedRule, type Rule } from '../rules/rule.js';
import { DelayLine } from '../timing/delay-line.js';
import type { Responder, ResponseDatagram, Sink } from './responder.js';

/** When the server is about to end, it still sends responses that are due within this time. Later ones are given up. */
const GRACE_MS = 5000;

/** Responds to each request by the first rule that matches it. A request that no rule matches gets no response. */
export class RuleResponder implements Responder {
  readonly varies = true;
  readonly #force: AbortSignal;
  readonly #line = new DelayLine<ResponseDatagram>((due) => {
    this.#waitingFor?.sendLate(due);
    return Promise.resolve();
  });
  #rules: readonly CountedRule[] = [];
  /** The sink of the responses in the delay line. Undefined before the first request. */
  #waitingFor: Sink | undefined;

  /** @param force Gives up all delayed responses at once. */
  constructor(rules: readonly Rule[], force: AbortSignal) {
    this.#force = force;
    this.replace(rules);
  }

  /** Replaces the rules. Their counters begin at 1. Delayed responses of the old rules are still sent. */
  replace(rules: readonly Rule[]): void {
    this.#rules = rules.map((rule) => new CountedRule(rule));
  }

  take(batch: readonly Datagram[], sink: Sink): Promise<void> | undefined {
    if (this.#waitingFor === undefined) this.#force.addEventListener('abort', this.#onForce, { once: true });
    this.#waitingFor = sink;
    const now: ResponseDatagram[] = [];
    const nowMs = performance.now();
    for (const request of batch) this.#respond(request, sink, nowMs, now);
    return sink.send(now);
  }

  /** Responds to one request: puts the responses that are not delayed into `now`, and the others into the line. */
  #respond(request: Datagram, sink: Sink, nowMs: number, now: ResponseDatagram[]): void {
    const asked = new RuleRequest(request);
    for (const rule of this.#rules) {
      const payloads = rule.payloadsFor(asked);
      if (payloads === undefined) continue;
      let nth = 0;
      for (const response of sink.permitAll(request, payloads)) {
        const delayMs = rule.delayMs(nth++);
        if (delayMs === 0) now.push(response);
        else if (!this.#line.add(response, nowMs + delayMs)) sink.giveUp(1, 'too many are delayed');
      }
      return;
    }
  }

  readonly #onForce = (): void => {
    this.#cut(0);
  };

  hurry(): void {
    this.#cut(GRACE_MS);
  }

  #cut(graceMs: number): void {
    const count = this.#line.cut(performance.now() + graceMs);
    if (count > 0) this.#waitingFor?.giveUp(count, 'the server ended before they were due');
  }

  async settled(): Promise<void> {
    await this.#line.empty();
    this.#force.removeEventListener('abort', this.#onForce);
  }
}
