import type { Context } from '../run/context.js';
import type { WaitPlan } from './plan.js';

/** What the explanation of a run depends on. */
export interface ExplanationPlan extends Pick<WaitPlan, 'judged' | 'waitMs'> {
  /** Whether the user asked for it. */
  readonly explain?: true | undefined;
  /** In milliseconds from the start of the process. */
  readonly deadline?: number | undefined;
}

/** Tells what happens in a run of `send`, with the time since its start and the time left. */
export interface Explanation {
  say(message: string): void;
  /** The wait for replies is counted from now. */
  waitBegins(): void;
}

/** What `--explain` asks for; `-v` has the same lines in its log, without the times. Undefined where nobody reads them. */
export function createExplanation(
  { explain, judged, waitMs = Infinity, deadline = Infinity }: ExplanationPlan,
  { log }: Context,
): Explanation | undefined {
  if (explain !== true) {
    const say = (message: string): void => {
      log.debug(message);
    };
    return log.writes('debug') ? { say, waitBegins: () => undefined } : undefined;
  }
  // performance.now() counts from the start of the process, and so does the deadline.
  let endMs = deadline;
  return {
    say: (message) => {
      const nowMs = performance.now();
      const left = judged && endMs < Infinity ? `; ${Math.max(0, endMs - nowMs).toFixed(0)} ms left` : '';
      // A flood of replies has a line each: those that nobody reads must not fill the memory.
      log.report(`${nowMs.toFixed(1)} ms: ${message}${left}`);
    },
    waitBegins: () => {
      endMs = Math.min(performance.now() + waitMs, deadline);
    },
  };
}
