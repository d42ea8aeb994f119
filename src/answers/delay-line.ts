import type { Outgoing } from '../net/index.js';
import { Alarm } from '../timing/alarm.js';

/** Answers that wait at a time, and bytes of their payloads. */
const MAX_ANSWERS = 65_536;
const MAX_BYTES = 64 * 1024 * 1024;

interface Waiting {
  readonly dueMs: number;
  readonly answer: Outgoing;
}

/** Answers that wait for their moment, bounded in number and memory; those of one moment keep their order. */
export class DelayLine {
  readonly #send: (answers: readonly Outgoing[]) => void;
  /** The earliest first. */
  #waiting: Waiting[] = [];
  #bytes = 0;
  #onEmpty = (): void => undefined;
  readonly #alarm = new Alarm(() => {
    this.#sendDue();
  });

  /** @param send called with those that are due */
  constructor(send: (answers: readonly Outgoing[]) => void) {
    this.#send = send;
  }

  /** Whether there was room for the answer, which is due `delayMs` from now. */
  add(answer: Outgoing, delayMs: number): boolean {
    if (this.#waiting.length >= MAX_ANSWERS || this.#bytes + answer.data.length > MAX_BYTES) return false;
    const dueMs = performance.now() + delayMs;
    const at = this.#placeOf(dueMs);
    this.#waiting.splice(at, 0, { dueMs, answer });
    this.#bytes += answer.data.length;
    if (at === 0) this.#alarm.set(delayMs);
    return true;
  }

  /** Behind all that are due no later. */
  #placeOf(dueMs: number): number {
    let from = 0;
    let to = this.#waiting.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.#waiting[middle]?.dueMs ?? 0) <= dueMs) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  #sendDue(): void {
    const due = this.#waiting.splice(0, this.#placeOf(performance.now()));
    this.#forget(due);
    if (due.length > 0) this.#send(due.map(({ answer }) => answer));
  }

  /** Gives up what is due later than in `graceMs`; returns how many those were. */
  cut(graceMs: number): number {
    const late = this.#waiting.splice(this.#placeOf(performance.now() + graceMs));
    this.#forget(late);
    return late.length;
  }

  /** Of those that were taken out. */
  #forget(gone: readonly Waiting[]): void {
    for (const { answer } of gone) this.#bytes -= answer.data.length;
    const [next] = this.#waiting;
    if (next !== undefined) this.#alarm.set(next.dueMs - performance.now());
    else {
      this.#alarm.stop();
      this.#onEmpty();
    }
  }

  /** Resolves once none waits; to be called once, after the last {@link add}. */
  empty(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.length === 0) resolve();
      else this.#onEmpty = resolve;
    });
  }
}
