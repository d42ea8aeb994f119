import type { Captures, Matcher } from './matcher.js';
import type { RuleRequest } from './rule-request.js';
import type { Template } from './template.js';

/** One datagram of a rule's response. */
export interface RuleResponse {
  readonly template: Template;
  /** Time from reading the request to sending the response, in milliseconds; 0 sends it at once. */
  readonly delayMs: number;
}

/** Conditions, and the responses to a request that meets all of them. */
export interface Rule {
  /** The conditions. Without conditions the rule matches every request. */
  readonly matchers: readonly Matcher[];
  /** The responses, in the order in which they are sent. Empty: the request gets no response. */
  readonly responses: readonly RuleResponse[];
  /** How many requests it matches at most, of all peers together. Undefined: no limit. */
  readonly times?: number | undefined;
}

/** A rule that counts how often it has matched. */
export class CountedRule {
  readonly #rule: Rule;
  #counter = 0;

  constructor(rule: Rule) {
    this.#rule = rule;
  }

  /** Returns the payloads of all responses, in order. Undefined if the rule does not match the request. */
  payloadsFor(request: RuleRequest): readonly Uint8Array[] | undefined {
    if (this.#rule.times !== undefined && this.#counter >= this.#rule.times) return undefined;
    let captures: Captures = [];
    for (const matcher of this.#rule.matchers) {
      const captured = matcher.match(request);
      if (captured === undefined) return undefined;
      if (captured.length > 0) captures = captured;
    }
    this.#counter += 1;
    const values = { request, captures, counter: this.#counter };
    return this.#rule.responses.map(({ template }) => template(values));
  }

  /** Returns the delay of a response in milliseconds. @param nth number of the response, from 0 */
  delayMs(nth: number): number {
    return this.#rule.responses[nth]?.delayMs ?? 0;
  }
}
