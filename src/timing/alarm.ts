/** The longest that one Node timer can run: they are 32-bit. */
const MAX_TIMER_MS = 0x7fff_ffff;

/** Rings once after a time of any length, unless it is stopped or set again. */
export class Alarm {
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = 0;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** Rings `delayMs` from now, instead of whenever it was set for. */
  set(delayMs: number): void {
    this.#dueMs = performance.now() + delayMs;
    clearTimeout(this.#timer);
    this.#wait();
  }

  /** Rings no more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wait(): void {
    const leftMs = this.#dueMs - performance.now();
    this.#timer = setTimeout(
      () => {
        // Node's timers may be early by a fraction of a millisecond.
        if (performance.now() < this.#dueMs) this.#wait();
        else this.#ring();
      },
      Math.min(Math.max(Math.ceil(leftMs), 0), MAX_TIMER_MS),
    );
  }
}

/** Waits until `performance.now()` is `dueMs`, or the signal is aborted; resolves in either case. */
export function waitUntil(dueMs: number, signal: AbortSignal): Promise<void> {
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
