import type { Captures, Matcher } from './matcher.js';
import type { Question } from './question.js';
import type { Template } from './template.js';

/** One datagram that a rule responds with. */
export interface RuleAnswer {
  readonly template: Template;
  /** Counted from the moment at which the request is taken up. */
  readonly delayMs: number;
}

/** The responses to requests that meet all conditions, or to all requests if there are no conditions. */
export interface Rule {
  readonly matchers: readonly Matcher[];
  /** Empty for no response. */
  readonly answers: readonly RuleAnswer[];
}

/** A rule that counts how often it has matched. */
export class CountedRule {
  readonly #rule: Rule;
  #counter = 0;

  constructor(rule: Rule) {
    this.#rule = rule;
  }

  /** The payloads of all responses, in order; undefined if the question does not match. */
  payloadsFor(question: Question): readonly Uint8Array[] | undefined {
    let captures: Captures = [];
    for (const matcher of this.#rule.matchers) {
      const captured = matcher.match(question);
      if (captured === undefined) return undefined;
      if (captured.length > 0) captures = captured;
    }
    this.#counter += 1;
    const values = { question, captures, counter: this.#counter };
    return this.#rule.answers.map(({ template }) => template(values));
  }

  /** The delay of a response, counted from 0. */
  delayMs(nth: number): number {
    return this.#rule.answers[nth]?.delayMs ?? 0;
  }
}
