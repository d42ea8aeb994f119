import type { Answer, Answering, AnswerSink } from './responder.js';
import { DelayLine } from '../timing/delay-line.js';
import type { Datagram } from '../net/index.js';
import type { Captures, Matcher } from '../rules/matcher.js';
import { Question } from '../rules/question.js';
import type { Template } from '../rules/template.js';

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

/** When the server is about to end, answers that are due later than in that time are given up. */
const GRACE_MS = 5000;

/** Answers each datagram by the first rule that it matches; by none if it matches none. */
export class RuleAnswers implements Answering {
  readonly varies = true;
  readonly #force: AbortSignal;
  readonly #line = new DelayLine((answers) => {
    this.#sink.send(answers);
    return Promise.resolve();
  });
  #rules: readonly CountedRule[] = [];
  #sink!: AnswerSink;

  /** @param force gives up at once what is delayed */
  constructor(rules: readonly Rule[], force: AbortSignal) {
    this.#force = force;
    this.replace(rules);
  }

  /** Answers by these rules from now on, counting from 1 again. What is delayed already is sent all the same. */
  replace(rules: readonly Rule[]): void {
    this.#rules = rules.map((rule) => new CountedRule(rule));
  }

  begin(sink: AnswerSink): void {
    this.#sink = sink;
    this.#force.addEventListener('abort', this.#onForce, { once: true });
  }

  readonly #onForce = (): void => {
    this.#cut(0);
  };

  answer(batch: readonly Datagram[]): readonly Answer[] {
    const now: Answer[] = [];
    const nowMs = performance.now();
    for (const datagram of batch) {
      const { remote, local } = datagram;
      const answers = this.#answersTo(new Question(datagram));
      const bytes = answers.reduce((sum, { data }) => sum + data.length, 0);
      if (!this.#sink.permits(datagram, bytes)) continue;
      const together = answers.length > 1 ? {} : undefined;
      for (const { data, delayMs } of answers) {
        const answer = { data, remote, local, together };
        if (delayMs === 0) now.push(answer);
        else if (!this.#line.add(answer, nowMs + delayMs)) this.#sink.giveUp(1, 'too many are delayed');
      }
    }
    return now;
  }

  #answersTo(question: Question): readonly { readonly data: Uint8Array; readonly delayMs: number }[] {
    for (const rule of this.#rules) {
      const answers = rule.answersTo(question);
      if (answers !== undefined) return answers;
    }
    return [];
  }

  hurry(): void {
    this.#cut(GRACE_MS);
  }

  #cut(graceMs: number): void {
    const count = this.#line.cut(performance.now() + graceMs);
    if (count > 0) this.#sink.giveUp(count, 'the server ended before they were due');
  }

  async settled(): Promise<void> {
    await this.#line.empty();
    this.#force.removeEventListener('abort', this.#onForce);
  }
}

class CountedRule {
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
