import { type FineTimer, openFineTimer } from '../net/fine-timer.js';
import type { Abortable } from './once-signal.js';

/** The longest delay of a Node timer. A timer with a longer delay fires after 1 ms. */
const MAX_TIMER_MS = 0x7fff_ffff;

/** A timer without a limit of length. It calls `ring` once, unless it is stopped or set again before. */
export class Alarm {
  readonly #ring: () => void;
  readonly #isFine: boolean;
  #timer: NodeJS.Timeout | undefined;
  #fine: FineTimer | undefined;
  #dueMs = 0;

  /** @param isFine whether to use a timer of the system, if there is one. It is open until the alarm is stopped. */
  constructor(ring: () => void, isFine = false) {
    this.#ring = ring;
    this.#isFine = isFine;
  }

  /** Rings `delayMs` from now. An earlier setting no longer counts. */
  set(delayMs: number): void {
    clearTimeout(this.#timer);
    if (this.#isFine) this.#fine ??= openFineTimer(this.#ring);
    if (this.#fine !== undefined) {
      this.#fine.set(delayMs);
      return;
    }
    this.#dueMs = performance.now() + delayMs;
    this.#wait();
  }

  /** Cancels the setting. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#fine?.close();
    this.#fine = undefined;
  }

  #wait(): void {
    const leftMs = this.#dueMs - performance.now();
    this.#timer = setTimeout(
      () => {
        // Node's timers may fire a fraction of a millisecond early.
        if (performance.now() < this.#dueMs) this.#wait();
        else this.#ring();
      },
      Math.min(Math.max(Math.ceil(leftMs), 0), MAX_TIMER_MS),
    );
  }
}

/** Waits until `performance.now()` reaches `dueMs` or the signal is aborted. Resolves in both cases. */
export function waitUntil(dueMs: number, signal: Abortable): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      alarm.stop();
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const alarm = new Alarm(finish);
    if (signal.aborted) {
      resolve();
      return;
    }
    signal.addEventListener('abort', finish, { once: true });
    alarm.set(dueMs - performance.now());
  });
}
