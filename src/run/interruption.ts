import { Alarm } from '../timing/alarm.js';

/** Why a run ends before it is done: a signal, its deadline, or its output takes no more. */
export type InterruptionReason = 'signal' | 'deadline' | 'output';

/** Ends whatever a run waits for, once. It is also what an interrupted wait throws. */
export class Interruption extends Error {
  override readonly name = 'Interruption';
  readonly #controller = new AbortController();
  readonly #stop: AbortSignal;
  readonly #deadline = new Alarm(() => {
    this.interrupt('deadline');
  });
  #reason: InterruptionReason | undefined;
  /** What the run is about to have done, for whoever tells that it was interrupted before. */
  milestone = 'everything was sent';

  /**
   * @param stop ends the run when it is aborted
   * @param deadlineMs counted from now; undefined for none
   */
  constructor(stop: AbortSignal, deadlineMs?: number) {
    super('interrupted');
    this.#stop = stop;
    if (deadlineMs !== undefined) {
      if (deadlineMs > 0) this.#deadline.set(deadlineMs);
      else this.interrupt('deadline');
    }
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
    return unlessAborted(promise, [this.signal], () => {
      throw this;
    });
  }

  /** The run has ended by itself. */
  stop(): void {
    this.#deadline.stop();
    this.#stop.removeEventListener('abort', this.#onStop);
  }
}

/**
 * What the promise settles to, unless a signal is aborted first: then it is left alone, and `otherwise` stands instead.
 * Nothing is left behind at the signals, which may outlive any number of promises.
 */
export async function unlessAborted<Value>(
  promise: Promise<Value>,
  signals: readonly AbortSignal[],
  otherwise: () => Value,
): Promise<Value> {
  let onAbort = (): void => undefined;
  const aborted = new Promise<void>((resolve) => {
    onAbort = resolve;
  });
  for (const signal of signals) {
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort);
  }
  try {
    return await Promise.race([promise, aborted.then(otherwise)]);
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', onAbort);
  }
}
