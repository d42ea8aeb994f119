import type { Captures, Matcher } from './matcher.js';
import type { Question } from './question.js';
import type { Template } from './template.js';

/** One datagram of an answer. */
export interface RuleAnswer {
  readonly template: Template;
  /** Counted from when the question was taken up. */
  readonly delayMs: number;
}

/** What is answered to questions that meet all conditions, or to all if there are none. */
export interface Rule {
  readonly matchers: readonly Matcher[];
  /** Empty for no answer. */
  readonly answers: readonly RuleAnswer[];
}

/** A rule that counts how often it has matched. */
export class CountedRule {
  readonly #rule: Rule;
  #counter = 0;

  constructor(rule: Rule) {
    this.#rule = rule;
  }

  /** Undefined if the question does not match. */
  answersTo(question: Question) {
    let captures: Captures = [];
    for (const matcher of this.#rule.matchers) {
      const captured = matcher.match(question);
      if (captured === undefined) return undefined;
      if (captured.length > 0) captures = captured;
    }
    this.#counter += 1;
    const values = { question, captures, counter: this.#counter };
    return this.#rule.answers.map(({ template, delayMs }) => ({ data: template(values), delayMs }));
  }
}
