import type { Verdict as Judgement } from '../check/judge.js';
import { ExitCode } from '../run/exit-code.js';

/**
 * What one check found: a verdict of `send`, or `slow` (matched, slower than `--warn`), `late` (matched, slower than
 * `--critical`), `error` (this host could not ask).
 */
export type Verdict = Judgement | 'slow' | 'late' | 'error';

/** All verdicts, in the order in which they are shown. */
export const VERDICTS: readonly Verdict[] = ['ok', 'slow', 'late', 'silent', 'refused', 'mismatch', 'stray', 'error'];

/** Whether a check with this verdict passes. */
export function passes(verdict: Verdict): boolean {
  return verdict === 'ok' || verdict === 'slow';
}

/** These verdicts have exit statuses of their own. The first that a target has decides. */
const TELLING = ['mismatch', 'refused', 'stray'] as const;

/**
 * The exit status of a run in which targets failed.
 *
 * @param last the verdict of the last check of each target that failed; undefined for a target without a check
 */
export function statusOfFailed(last: readonly (Verdict | undefined)[]): ExitCode {
  for (const verdict of TELLING) if (last.includes(verdict)) return ExitCode[verdict];
  return last.length > 0 && last.every((verdict) => verdict === 'error') ? ExitCode.failure : ExitCode.silent;
}
