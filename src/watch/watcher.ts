import { setMaxListeners } from 'node:events';
import type { WriteStream } from 'node:tty';
import { formatEvent } from '../output/json-lines.js';
import { createPalette, PLAIN, wantsColor } from '../output/palette.js';
import type { StatusRow } from '../output/status-line.js';
import { wallClockMs } from '../net/clock.js';
import { describeSystemError } from '../net/errors.js';
import type { Context, Ending, StopSignal } from '../run/context.js';
import { ExitCode } from '../run/exit-code.js';
import { describeFailure } from '../text/failure.js';
import { UsageError } from '../cli/usage-error.js';
import { Alarm } from '../timing/alarm.js';
import type { Outcome } from './check.js';
import type { CheckEvent, StateEvent } from './events.js';
import type { Change } from './health.js';
import { Hooks } from './hooks.js';
import { Names } from './names.js';
import { WatchOutput } from './output.js';
import type { TargetPlan, WatchPlan } from './plan.js';
import { Resolver } from './resolver.js';
import { describeSummary, summarize } from './summary.js';
import { drawTable } from './table.js';
import { type SharedByTargets, TargetWatch } from './target-watch.js';
import { statusOfFailed } from './verdict.js';

/** Why a run ends. */
type Reason = 'signal' | 'stdout' | 'duration' | 'checks' | 'until' | 'mistake';

/** For a terminal that does not know its size. */
const DEFAULT_SIZE = { rows: 24, columns: 80 };

/** Checks targets until told to end. Resolves to the exit status, or to the signal by which to end. */
export async function watch(plan: WatchPlan, context: Context): Promise<Ending> {
  return new Watcher(plan, context).run();
}

class Watcher {
  readonly #plan: WatchPlan;
  readonly #context: Context;
  readonly #output: WatchOutput;
  readonly #hooks: Hooks;
  readonly #resolver: Resolver;
  readonly #names: Names;
  readonly #shared: SharedByTargets;
  readonly #startMs = performance.now();
  /** Aborted at the end: checks under way are given up. */
  readonly #over = new AbortController();
  readonly #ended: Promise<Reason>;
  #end!: (reason: Reason) => void;
  #mistake: unknown;
  #targets = new Map<string, TargetWatch>();
  /** Targets that were removed while a check was under way. */
  readonly #removed: TargetWatch[] = [];
  /** The readings of the file, one after the other, so that the last one holds. */
  #reloading = Promise.resolve();
  #rows: () => readonly StatusRow[] = () => [];

  constructor(plan: WatchPlan, context: Context) {
    this.#plan = plan;
    this.#context = context;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#output = new WatchOutput(plan.output, context, () => {
      this.#end('stdout');
    });
    this.#hooks = new Hooks(context, plan.hookConcurrency);
    this.#resolver = new Resolver(context);
    this.#names = new Names(this.#resolver.lookup);
    // Each check under way listens.
    setMaxListeners(0, this.#over.signal);
    this.#shared = {
      io: context,
      names: this.#names,
      signal: this.#over.signal,
      checks: plan.checks,
      checked: (target, outcome, change) => {
        this.#onChecked(target, outcome, change);
      },
      failed: (error) => {
        this.#mistake = error;
        this.#end('mistake');
      },
    };
  }

  async run(): Promise<Ending> {
    const { stop } = this.#context;
    const onStop = (): void => {
      this.#end('signal');
    };
    const duration = new Alarm(() => {
      this.#end('duration');
    });
    if (stop.aborted) onStop();
    else stop.addEventListener('abort', onStop, { once: true });
    if (this.#plan.duration !== undefined) duration.set(this.#plan.duration);
    const endReports = this.#context.onReport(() => {
      this.#report();
    });
    const endReloads =
      this.#plan.file === undefined
        ? undefined
        : this.#context.onReload(() => {
            this.#reloading = this.#reloading.then(() => this.#reload());
          });
    await this.#prepareTable();
    this.#replaceTargets(this.#plan.targets);
    this.#drawTable();
    const reason = await this.#ended;
    duration.stop();
    stop.removeEventListener('abort', onStop);
    endReports();
    endReloads?.();
    return this.#close(reason);
  }

  /** Takes in the plans of all targets. Targets of the same name and address go on. */
  #replaceTargets(plans: readonly TargetPlan[]): void {
    const before = this.#targets;
    const baseMs = performance.now();
    this.#targets = new Map();
    for (const [index, plan] of plans.entries()) {
      const firstMs = baseMs + (index / plans.length) * plan.intervalMs;
      const known = before.get(plan.name);
      if (known?.plan.address === plan.address) {
        before.delete(plan.name);
        known.replace(plan, firstMs);
        this.#targets.set(plan.name, known);
      } else {
        const target = new TargetWatch(plan, this.#shared, firstMs);
        this.#targets.set(plan.name, target);
        target.start();
      }
    }
    for (const target of before.values()) {
      target.stop();
      this.#removed.push(target);
    }
  }

  #onChecked(target: TargetWatch, outcome: Outcome, change: Change | undefined): void {
    if (this.#over.signal.aborted) return;
    this.#output.check(checkEvent(target, outcome));
    if (change !== undefined) this.#tellChange(target, outcome, change);
    this.#drawTable();
    const { until, checks } = this.#plan;
    if (until !== undefined && change?.to === until && this.#every(({ health }) => health.state === until)) {
      this.#end('until');
    } else if (checks !== undefined && target.isDone && this.#every(({ isDone }) => isDone)) this.#end('checks');
  }

  #every(holds: (target: TargetWatch) => boolean): boolean {
    return [...this.#targets.values()].every(holds);
  }

  #tellChange(target: TargetWatch, { verdict, says }: Outcome, { from, to, lastedMs, streak }: Change): void {
    const { plan, address } = target;
    const event: StateEvent = {
      type: 'state',
      target: plan.name,
      address,
      from,
      to,
      verdict,
      says,
      sinceMs: Math.round(lastedMs),
    };
    this.#output.state(event, streak);
    const isFirstUp = from === 'unknown' && to === 'up';
    if (plan.hook === undefined || isFirstUp) return;
    this.#hooks.call({
      hook: plan.hook,
      event,
      line: formatEvent(event, wallClockMs()),
      verdict,
      done: (result, why) => {
        target.hooks[result] += 1;
        if (why === undefined) return;
        const message = `--on-change for ${plan.name}: ${why}`;
        this.#context.log.warn(message, { target: plan.name });
        this.#output.error({ type: 'error', code: 'HOOK_FAILED', message, target: plan.name });
      },
    });
  }

  /** Reads the file again. An error in it changes nothing. */
  async #reload(): Promise<void> {
    const { file } = this.#plan;
    if (file === undefined || this.#over.signal.aborted) return;
    const { log } = this.#context;
    try {
      const plans = await file.read();
      if (this.#isOver) return;
      this.#replaceTargets(plans);
      const hosts = plans.map(({ exchange }) => exchange.destination.host);
      this.#names.keepOnly(hosts.flatMap((host) => (host.kind === 'name' ? [host.name] : [])));
      this.#drawTable();
      log.info(`${file.path} was read again: ${plans.length} ${plans.length === 1 ? 'target' : 'targets'}`);
    } catch (error) {
      const failure = error instanceof UsageError ? { code: 'USAGE', message: error.message } : describeFailure(error);
      if (failure === undefined) this.#shared.failed(error);
      else {
        const message = `${failure.message}; the targets from before are checked still`;
        log.warn(message, { code: failure.code });
        this.#output.error({ type: 'error', code: failure.code, message });
      }
    }
  }

  get #isOver(): boolean {
    return this.#over.signal.aborted;
  }

  get #tellsTotals(): boolean {
    const { stats, quiet } = this.#plan;
    return stats ?? (this.#context.terminals.stderr && quiet !== true);
  }

  async #prepareTable(): Promise<void> {
    const { env, terminals } = this.#context;
    const palette = await createPalette(wantsColor(this.#plan.color, env, terminals.stderr));
    this.#rows = () => {
      const { rows = 0, columns = 0 } = this.#context.stderr as Partial<WriteStream>;
      return drawTable([...this.#targets.values()], {
        // One row is left for lines above the table.
        maxRows: Math.max(2, (rows > 0 ? rows : DEFAULT_SIZE.rows) - 1),
        // The terminal echoes Ctrl-C as ^C behind the last row, which must not go on in the next.
        columns: (columns > 0 ? columns : DEFAULT_SIZE.columns) - '^C'.length,
        palette,
        nowMs: performance.now(),
      });
    };
  }

  /** Redraws the table, if there is one: several targets, at a terminal. */
  #drawTable(): void {
    const { log } = this.#context;
    if (log.hasStatus && this.#tellsTotals && this.#targets.size > 1) log.status(this.#rows);
  }

  /** Prints the table once, because the user asked by a signal. */
  #report(): void {
    const targets = [...this.#targets.values()];
    const options = { maxRows: Infinity, columns: DEFAULT_SIZE.columns + 100, nowMs: performance.now() };
    const rows = drawTable(targets, { ...options, palette: PLAIN });
    const summary = summarize(targets, performance.now() - this.#startMs);
    const lines = rows.map((row) =>
      row
        .map(({ text }) => text)
        .join('')
        .trimEnd(),
    );
    this.#context.log.report(describeSummary(summary).line, { targets: summary.targets }, lines);
  }

  async #close(reason: Reason): Promise<Ending> {
    const { log, stop } = this.#context;
    const targets = [...this.#targets.values()];
    for (const target of targets) target.stop();
    this.#over.abort('over');
    this.#names[Symbol.dispose]();
    this.#resolver[Symbol.dispose]();
    await Promise.all([...targets, ...this.#removed].map((target) => target.settled()));
    await this.#reloading;
    await this.#hooks.settled(Math.max(0, ...targets.map(({ plan }) => plan.hook?.timeoutMs ?? 0)));
    log.status(undefined);
    if (reason === 'mistake') throw this.#mistake;
    const summary = summarize(targets, performance.now() - this.#startMs);
    this.#output.summary(summary);
    if (this.#tellsTotals) {
      const { line, details } = describeSummary(summary);
      log.announce(line, { targets: summary.targets, durationMs: summary.durationMs }, details);
    }
    const failure = await this.#output.finish();
    if (failure !== undefined) {
      log.error(`cannot write to stdout: ${describeSystemError(failure)}`);
      return ExitCode.failure;
    }
    const { checks, until } = this.#plan;
    if (checks === undefined && until === undefined) return ExitCode.ok;
    if (reason === 'signal') return stop.reason as StopSignal;
    return this.#judge(targets);
  }

  /** The exit status of a run that is to reach a state, or to make so many checks. */
  #judge(targets: readonly TargetWatch[]): ExitCode {
    const { until } = this.#plan;
    const failed = targets.filter(({ health }) =>
      until === undefined ? !health.passedLately : health.state !== until,
    );
    if (failed.length === 0) return ExitCode.ok;
    return statusOfFailed(failed.map(({ history }) => history.last?.verdict));
  }
}

function checkEvent(target: TargetWatch, { verdict, says, rttMs, sent, received }: Outcome): CheckEvent {
  return {
    type: 'check',
    target: target.plan.name,
    address: target.address,
    verdict,
    says,
    ...(rttMs !== undefined && { rttMs: Math.round(rttMs * 1000) / 1000 }),
    sent,
    received,
  };
}
