import type { Answer, Answering, AnswerSink } from './responder.js';
import { DelayLine } from '../timing/delay-line.js';
import type { Datagram } from '../net/index.js';
import { Question } from '../rules/question.js';
import { CountedRule, type Rule } from '../rules/rule.js';

/** When the server is about to end, answers that are due later than in that time are given up. */
const GRACE_MS = 5000;

/** Answers each datagram by the first rule that it matches; by none if it matches none. */
export class RuleAnswers implements Answering {
  readonly varies = true;
  readonly #force: AbortSignal;
  readonly #line = new DelayLine<Answer>((answers) => {
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
