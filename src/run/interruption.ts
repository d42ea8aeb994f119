import { Alarm } from '../timing/alarm.js';
import { type Abortable, OnceSignal } from '../timing/once-signal.js';

/** Why a run ends early: by a signal, by its deadline, or because its output takes no more data. */
export type InterruptionReason = 'signal' | 'deadline' | 'output';

/** Interrupts a run. An interrupted wait throws this object. */
export class Interruption extends Error {
  override readonly name = 'Interruption';
  /** Aborted when the run is interrupted. */
  readonly interrupted = new OnceSignal();
  /** Only some runs need a real signal. */
  #controller: AbortController | undefined;
  readonly #stop: Abortable;
  readonly #deadline = new Alarm(() => {
    this.interrupt('deadline');
  });
  #reason: InterruptionReason | undefined;
  /** The step that the run is at, in words that follow "the deadline came before". */
  milestone = 'everything was sent';

  /**
   * @param stop interrupts the run when it is aborted
   * @param deadlineMs interrupts the run after this time. Undefined: there is no deadline.
   */
  constructor(stop: Abortable, deadlineMs?: number) {
    // Without a stack, which nobody reads: to capture it takes longer than all the rest, and each exchange makes one.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super('interrupted');
    Error.stackTraceLimit = stackTraceLimit;
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

  /** Undefined as long as the run is not interrupted. */
  get reason(): InterruptionReason | undefined {
    return this.#reason;
  }

  /** The same as `interrupted`, for functions of Node. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this);
    }
    return this.#controller.signal;
  }

  /** Interrupts the run. Only the first reason counts. */
  interrupt(reason: InterruptionReason): void {
    this.#reason ??= reason;
    this.#controller?.abort(this);
    this.interrupted.abort();
  }

  /** Settles as the promise does. Throws this object if the interruption comes first; then the promise is ignored. */
  async orThrow<Value>(promise: Promise<Value>): Promise<Value> {
    if (this.#reason !== undefined) {
      return unlessAborted(promise, [this.interrupted], () => {
        throw this;
      });
    }
    return new Promise((resolve, reject) => {
      const end = (): void => {
        reject(this);
      };
      this.interrupted.addEventListener('abort', end);
      promise.then(resolve, reject).finally(() => {
        this.interrupted.removeEventListener('abort', end);
      });
    });
  }

  /** Stops the clock and removes the listener: the run has ended by itself. */
  stop(): void {
    this.#deadline.stop();
    this.#stop.removeEventListener('abort', this.#onStop);
  }
}

/**
 * Settles as the promise does. If a signal is aborted first, the promise is ignored, and the result is that of `otherwise`.
 * The listeners are removed from the signals, because a signal may outlive many promises.
 */
export async function unlessAborted<Value>(
  promise: Promise<Value>,
  signals: readonly Abortable[],
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
