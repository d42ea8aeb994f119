/** A timer of the system. Node's timers count in milliseconds. */
export interface FineTimer {
  /** Rings `delayMs` from now, with fractions. An earlier setting no longer counts. */
  set(delayMs: number): void;
  /** Ends the timer. It does not ring any more. */
  close(): void;
}

/** Opens a timer that calls `ring`. */
export type OpenFineTimer = (ring: () => void) => FineTimer | undefined;

let open: OpenFineTimer | undefined;

/** Makes {@link openFineTimer} call a function. The linux engine does so when it is loaded. */
export function useFineTimers(opens: OpenFineTimer): void {
  open = opens;
}

/** Opens a timer of the system. It keeps the process running until it is closed. Undefined where there is none. */
export function openFineTimer(ring: () => void): FineTimer | undefined {
  return open?.(ring);
}
