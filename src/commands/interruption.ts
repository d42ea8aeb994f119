import { Alarm } from '../timing/alarm.js';

/** Why a run ends before it is done: a signal, its deadline, or nobody reads stdout any more. */
export type InterruptionReason = 'signal' | 'deadline' | 'stdout';

/** Ends whatever a run waits for, once. It is also what an interrupted wait throws. */
export class Interruption extends Error {
  override readonly name = 'Interruption';
  readonly #controller = new AbortController();
  readonly #stop: AbortSignal;
  readonly #deadline = new Alarm(() => {
    this.interrupt('deadline');
  });
  #reason: InterruptionReason | undefined;

  /** @param deadlineMs counted from the start of the process; undefined for none */
  constructor(stop: AbortSignal, deadlineMs: number | undefined) {
    super('interrupted');
    this.#stop = stop;
    // performance.now() counts from the start of the process.
    if (deadlineMs !== undefined) this.#deadline.set(deadlineMs - performance.now());
    if (stop.aborted) this.#onStop();
    else stop.addEventListener('abort', this.#onStop, { once: true });
  }

  readonly #onStop = (): void => {
    this.interrupt('signal');
  };

  get reason(): InterruptionReason | undefined {
    return this.#reason;
  }

  /** Aborted when the run is to end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  interrupt(reason: InterruptionReason): void {
    this.#reason ??= reason;
    this.#controller.abort(this);
  }

  /** What the promise settles to, unless the interruption comes first: then it is thrown, and the promise left alone. */
  async orThrow<Value>(promise: Promise<Value>): Promise<Value> {
    const { signal } = this;
    let onAbort: (() => void) | undefined;
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => {
        reject(this);
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    });
    try {
      return await Promise.race([promise, aborted]);
    } finally {
      if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
    }
  }

  /** The run has ended by itself. */
  stop(): void {
    this.#deadline.stop();
    this.#stop.removeEventListener('abort', this.#onStop);
  }
}
