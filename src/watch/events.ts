import type { TallySummary } from './tally.js';
import type { State } from './health.js';
import type { Verdict } from './verdict.js';

/** One check, as it stands in JSON. */
export interface CheckEvent {
  readonly type: 'check';
  /** The name of the target. */
  readonly target: string;
  /** The address that was asked. */
  readonly address: string;
  readonly verdict: Verdict;
  /** The verdict in words. */
  readonly says: string;
  readonly rttMs?: number;
  readonly sent: number;
  readonly received: number;
}

/** A target's state changed, as it stands in JSON and on the stdin of `--on-change`. */
export interface StateEvent {
  readonly type: 'state';
  readonly target: string;
  readonly address: string;
  readonly from: State;
  readonly to: Exclude<State, 'unknown'>;
  /** The verdict of the check that changed it, and the same in words. */
  readonly verdict: Verdict;
  readonly says: string;
  /** How long the earlier state lasted, in milliseconds. */
  readonly sinceMs: number;
}

/** What became of a change for which a program was to run. `superseded`: a newer change of the target took its place. */
export type HookResult = 'ok' | 'failed' | 'timeout' | 'superseded';

/** One target in the summary. */
export interface TargetSummary {
  readonly target: string;
  readonly address: string;
  readonly state: State;
  readonly checks: number;
  readonly skipped: number;
  /** How many checks had each verdict. */
  readonly verdicts: Readonly<Record<Verdict, number>>;
  /** Null without a reply. */
  readonly rtt: TallySummary | null;
  /** What became of the programs of `--on-change`, if there is one. */
  readonly hooks?: Readonly<Record<HookResult, number>>;
}

/** The last line of JSON. */
export interface WatchSummaryEvent {
  readonly type: 'summary';
  readonly targets: readonly TargetSummary[];
  readonly durationMs: number;
}
