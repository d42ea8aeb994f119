import { setMaxListeners } from 'node:events';
import { formatEvent } from '../output/json-lines.js';
import { wallClockMs } from '../net/clock.js';
import { describeSystemError } from '../net/errors.js';
import { type Endpoint, formatEndpoint, type Lookup } from '../net/index.js';
import type { Context, Ending, StopSignal } from '../run/context.js';
import { ExitCode } from '../run/exit-code.js';
import { describeFailure } from '../text/failure.js';
import { UsageError } from '../cli/usage-error.js';
import { Alarm } from '../timing/alarm.js';
import { Turns } from '../timing/turns.js';
import type { Outcome } from './check.js';
import type { CheckEvent, StateEvent } from './events.js';
import type { Change } from './health.js';
import { Hooks } from './hooks.js';
import { Names } from './names.js';
import { WatchOutput } from './output.js';
import type { PlanProbe, TargetPlan, WatchPlan } from './plan.js';
import { Resolver } from './resolver.js';
import { Overview } from './overview.js';
import { type SharedByTargets, TargetWatch } from './target-watch.js';
import { statusOfFailed } from './verdict.js';

/** Why a run ends. A mistake of this program is thrown at the end. */
type Reason =
  | { readonly kind: 'signal' | 'stdout' | 'duration' | 'checks' | 'until' }
  | { readonly kind: 'mistake'; readonly error: unknown };

/** What a server of HTTP sees of a run. */
export interface WatchedRun {
  readonly context: Context;
  /** The targets that are checked now. */
  readonly targets: readonly TargetWatch[];
  /** Plans a check by the options that hold now. */
  readonly planProbe: PlanProbe;
  /** Asks the resolver. */
  readonly lookup: Lookup;
  /**
   * Reads the file again. Resolves to the reason why nothing changed, or to undefined if everything is well. Undefined if
   * there is no file.
   */
  readonly reload: (() => Promise<string | undefined>) | undefined;
  /** Whether the file was right when it was read last. */
  readonly isConfigRight: boolean;
  /** Ends the run with a mistake of this program. */
  readonly failed: (error: unknown) => void;
}

/** Opens the server of a run, and resolves to the server. */
export type OpenServer = (run: WatchedRun) => Promise<AsyncDisposable & { readonly local: Endpoint }>;

/**
 * Checks targets until something ends the run. Resolves to the exit status, or to the signal by which the process ends.
 *
 * @param openServer opens the server of `--http`. Default: there is none.
 * @throws what `openServer` rejects with
 */
export async function watch(plan: WatchPlan, context: Context, openServer?: OpenServer): Promise<Ending> {
  return new Watcher(plan, context).run(openServer);
}

class Watcher implements WatchedRun {
  readonly #plan: WatchPlan;
  readonly context: Context;
  readonly #output: WatchOutput;
  readonly #hooks: Hooks;
  readonly #resolver: Resolver;
  readonly #shared: SharedByTargets;
  readonly #overview: Overview;
  /** Aborted at the end: the checks that have not ended are given up. */
  readonly #over = new AbortController();
  readonly #ended: Promise<Reason>;
  #end!: (reason: Reason) => void;
  /** The targets by name. */
  #targets = new Map<string, TargetWatch>();
  /** The last checks of targets that were removed. */
  readonly #removed = new Set<Promise<void>>();
  /** Settles when the file was read as often as the user asked. Two readings do not overlap: the last one counts. */
  #reloading: Promise<string | undefined> = Promise.resolve(undefined);
  planProbe: PlanProbe;
  isConfigRight = true;

  constructor(plan: WatchPlan, context: Context) {
    this.#plan = plan;
    this.planProbe = plan.planProbe;
    this.context = context;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#output = new WatchOutput(plan.output, context, () => {
      this.#end({ kind: 'stdout' });
    });
    this.#hooks = new Hooks(context, plan.hookConcurrency);
    this.#resolver = new Resolver(context);
    this.#overview = new Overview(plan, context, () => this.targets);
    // Each check listens to this signal. Node would warn of a leak otherwise.
    setMaxListeners(0, this.#over.signal);
    this.#shared = {
      io: context,
      names: new Names(this.#resolver.lookup),
      turns: new Turns(),
      signal: this.#over.signal,
      checks: plan.checks,
      checked: (target, outcome, change) => {
        this.#onChecked(target, outcome, change);
      },
      failed: (error) => {
        this.#end({ kind: 'mistake', error });
      },
    };
  }

  get targets(): readonly TargetWatch[] {
    return [...this.#targets.values()];
  }

  get lookup(): Lookup {
    return this.#resolver.lookup;
  }

  get failed(): (error: unknown) => void {
    return this.#shared.failed;
  }

  get reload(): WatchedRun['reload'] {
    if (this.#plan.file === undefined) return undefined;
    return () => (this.#reloading = this.#reloading.then(() => this.#reload()));
  }

  async run(openServer: OpenServer | undefined): Promise<Ending> {
    const server = await openServer?.(this);
    if (server !== undefined) this.#tellServer(formatEndpoint(server.local));
    const { stop } = this.context;
    const onStop = (): void => {
      this.#end({ kind: 'signal' });
    };
    const duration = new Alarm(() => {
      this.#end({ kind: 'duration' });
    });
    if (stop.aborted) onStop();
    else stop.addEventListener('abort', onStop, { once: true });
    if (this.#plan.duration !== undefined) duration.set(this.#plan.duration);
    const endReports = this.context.onReport(() => {
      this.#overview.report();
    });
    const { reload } = this;
    const endReloads = reload && this.context.onReload(() => void reload());
    await this.#overview.prepare();
    this.#replaceTargets(this.#plan.targets);
    this.#overview.draw();
    const reason = await this.#ended;
    duration.stop();
    stop.removeEventListener('abort', onStop);
    endReports();
    endReloads?.();
    await server?.[Symbol.asyncDispose]();
    return this.#close(reason);
  }

  #tellServer(address: string): void {
    this.context.log.announce(`listening on ${address}`, { address });
    this.#output.listening(address);
  }

  /** Replaces the plans of all targets. A target of the same name and address keeps its state and history. */
  #replaceTargets(plans: readonly TargetPlan[]): void {
    for (const advice of new Set(plans.map(({ hook }) => hook?.advice))) {
      if (advice !== undefined) this.context.log.warn(advice);
    }
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
      const settled = target.settled();
      this.#removed.add(settled);
      void settled.then(() => this.#removed.delete(settled));
    }
  }

  #onChecked(target: TargetWatch, outcome: Outcome, change: Change | undefined): void {
    if (this.#over.signal.aborted) return;
    this.#output.check(checkEvent(target, outcome));
    if (change !== undefined) this.#tellChange(target, outcome, change);
    this.#overview.draw();
    const { until, checks } = this.#plan;
    if (until !== undefined && change?.to === until && this.#every(({ health }) => health.state === until)) {
      this.#end({ kind: 'until' });
    } else if (checks !== undefined && target.isDone && this.#every(({ isDone }) => isDone))
      this.#end({ kind: 'checks' });
  }

  #every(holds: (target: TargetWatch) => boolean): boolean {
    return this.targets.every(holds);
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
        this.context.log.warn(message, { target: plan.name });
        this.#output.error({ type: 'error', code: 'HOOK_FAILED', message, target: plan.name });
      },
    });
  }

  /** Reads the file again. An error in it changes nothing. */
  async #reload(): Promise<string | undefined> {
    const { file } = this.#plan;
    if (file === undefined || this.#over.signal.aborted) return undefined;
    const { log } = this.context;
    try {
      const { targets: plans, planProbe } = await file.read(this.#over.signal);
      if (this.#isOver) return undefined;
      this.planProbe = planProbe;
      this.isConfigRight = true;
      this.#replaceTargets(plans);
      const hosts = plans.map(({ exchange }) => exchange.destination.host);
      this.#shared.names.keepOnly(hosts.flatMap((host) => (host.kind === 'name' ? [host.name] : [])));
      this.#overview.draw();
      log.info(`${file.path} was read again: ${plans.length} ${plans.length === 1 ? 'target' : 'targets'}`);
      return undefined;
    } catch (error) {
      if (this.#isOver) return undefined;
      this.isConfigRight = false;
      const failure = error instanceof UsageError ? { code: 'USAGE', message: error.message } : describeFailure(error);
      if (failure === undefined) {
        this.#shared.failed(error);
        return undefined;
      }
      const message = `${failure.message}; the targets from before are checked still`;
      log.warn(message, { code: failure.code });
      this.#output.error({ type: 'error', code: failure.code, message });
      return message;
    }
  }

  get #isOver(): boolean {
    return this.#over.signal.aborted;
  }

  async #close(reason: Reason): Promise<Ending> {
    const { log, stop } = this.context;
    const targets = this.targets;
    for (const target of targets) target.stop();
    this.#over.abort('over');
    this.#shared.names[Symbol.dispose]();
    this.#resolver[Symbol.dispose]();
    await Promise.all([...targets.map((target) => target.settled()), ...this.#removed]);
    await this.#reloading;
    await this.#hooks.settled(Math.max(0, ...targets.map(({ plan }) => plan.hook?.timeoutMs ?? 0)));
    if (reason.kind === 'mistake') {
      log.status(undefined);
      throw reason.error;
    }
    this.#output.summary(this.#overview.finish());
    const failure = await this.#output.finish();
    if (failure !== undefined) {
      log.error(`cannot write to stdout: ${describeSystemError(failure)}`);
      return ExitCode.failure;
    }
    const { checks, until } = this.#plan;
    if (checks === undefined && until === undefined) return ExitCode.ok;
    if (reason.kind === 'signal') return stop.reason as StopSignal;
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
