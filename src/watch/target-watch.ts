import { wallClockMs } from '../net/clock.js';
import type { Io } from '../run/context.js';
import { Alarm } from '../timing/alarm.js';
import { check, type Outcome } from './check.js';
import { type Change, Health } from './health.js';
import { History } from './history.js';
import type { HookResult } from './events.js';
import type { Names } from './names.js';
import type { TargetPlan } from './plan.js';
import type { Turns } from '../timing/turns.js';
import { Timetable } from './timetable.js';
import { passes } from './verdict.js';

/** The parts of a run that all targets use. */
export interface SharedByTargets {
  readonly io: Pick<Io, 'stdin' | 'examiner'>;
  readonly names: Names;
  /** Aborted at the end of the run. Checks that have not ended are given up then. */
  readonly signal: AbortSignal;
  /** Checks of each target after which it is checked no more. Default: no limit. */
  readonly checks: number | undefined;
  /** Called after each check. `change` is undefined if the state stays. */
  readonly checked: (target: TargetWatch, outcome: Outcome, change: Change | undefined) => void;
  /** Each check begins in a turn of its own: the first of many that are due would hear its reply only after the last was sent. */
  readonly turns: Turns;
  /** Called with an error that is a mistake in this program. */
  readonly failed: (error: unknown) => void;
}

/** One target, checked at its moments until it is stopped. Its checks never overlap. */
export class TargetWatch {
  readonly health: Health;
  readonly history = new History();
  readonly hooks: Record<HookResult, number> = { ok: 0, failed: 0, timeout: 0, superseded: 0 };
  readonly #shared: SharedByTargets;
  #plan: TargetPlan;
  #timetable: Timetable;
  /** Moments that were missed under earlier plans. */
  #skippedBefore = 0;
  /** When the last check began. */
  #beganMs = 0;
  /** When the last check ended, or the target was added. */
  #checkedMs = performance.now();
  /** The time of the last change of the state, or of the start, in milliseconds since the epoch. */
  #changedMs = wallClockMs();
  /** Whether the next check is a retry, which is no moment of the timetable. */
  #isRetry = false;
  /** The check that has not ended. Undefined between two checks. */
  #checking: Promise<void> | undefined;
  #stopped = false;
  readonly #alarm = new Alarm(() => {
    this.#begin();
  });

  /** @param firstMs when it is checked first, by `performance.now()` */
  constructor(plan: TargetPlan, shared: SharedByTargets, firstMs: number) {
    this.#plan = plan;
    this.#shared = shared;
    this.health = new Health(plan, performance.now());
    this.#timetable = new Timetable(firstMs, plan.intervalMs);
  }

  get plan(): TargetPlan {
    return this.#plan;
  }

  /** The address that was asked last; before the first check the configured one. */
  get address(): string {
    return this.history.last?.address ?? this.#plan.address;
  }

  /** Moments that were missed because this process was held up. */
  get skipped(): number {
    return this.#skippedBefore + this.#timetable.skipped;
  }

  /** When its last check ended, by `performance.now()`. Before the first: when the target was added. */
  get checkedMs(): number {
    return this.#checkedMs;
  }

  /** When its state began, in milliseconds since the epoch. */
  get changedMs(): number {
    return this.#changedMs;
  }

  /** Whether the target had all checks of `--checks`. */
  get isDone(): boolean {
    return this.history.checks >= (this.#shared.checks ?? Infinity);
  }

  /** Sets the alarm for the first check. */
  start(): void {
    this.#wait(performance.now());
  }

  /**
   * Replaces the plan from the next check on. State and history stay.
   *
   * @param firstMs a moment of the new timetable; it is used if the interval changed
   */
  replace(plan: TargetPlan, firstMs: number): void {
    if (plan.intervalMs !== this.#plan.intervalMs) {
      this.#skippedBefore += this.#timetable.skipped;
      this.#timetable = new Timetable(firstMs, plan.intervalMs);
      this.#timetable.resume(performance.now());
    }
    this.#plan = plan;
    this.health.limits = plan;
    if (this.#checking === undefined && !this.isDone) this.#wait(performance.now());
  }

  /** Begins no more checks. The outcome of a check that has not ended does not count. */
  stop(): void {
    this.#stopped = true;
    this.#alarm.stop();
  }

  /** Settles when the check that has not ended has ended. */
  async settled(): Promise<void> {
    await this.#checking;
  }

  #begin(): void {
    this.#checking = this.#checkInTurn().catch(this.#shared.failed);
  }

  async #checkInTurn(): Promise<void> {
    await this.#shared.turns.take();
    if (!this.#stopped) await this.#check();
  }

  async #check(): Promise<void> {
    const { io, names, signal } = this.#shared;
    this.#beganMs = performance.now();
    if (!this.#isRetry) this.#timetable.begin(this.#beganMs);
    const plan = this.#plan;
    const outcome = await check(plan, { io, signal, lookup: () => names.lookupEvery(plan.resolveMs) });
    this.#checking = undefined;
    if (outcome === undefined || this.#stopped) return;
    const nowMs = performance.now();
    this.#checkedMs = nowMs;
    this.history.take(outcome);
    const change = this.health.take(passes(outcome.verdict), nowMs);
    if (change !== undefined) this.#changedMs = wallClockMs();
    this.#shared.checked(this, outcome, change);
    if (!this.isDone) this.#wait(nowMs);
  }

  /** Sets the alarm for the next check. */
  #wait(nowMs: number): void {
    if (this.#stopped) return;
    const wasRetry = this.#isRetry;
    this.#isRetry = this.history.checks > 0 && this.health.isUndecided;
    if (wasRetry && !this.#isRetry) this.#timetable.resume(nowMs);
    const dueMs = this.#isRetry ? this.#beganMs + this.#plan.retryIntervalMs : this.#timetable.dueMs;
    this.#alarm.set(dueMs - nowMs);
  }
}
