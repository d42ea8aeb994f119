import { UsageError } from '../cli/usage-error.js';
import { isWildcard } from '../net/address/endpoint.js';
import { endpointOf } from '../net/address/resolve.js';
import { isSelf } from '../net/engines/own-address.js';
import { DatagramError, type Endpoint, formatEndpoint } from '../net/index.js';
import { FORMATS } from '../output/formats/table.js';
import type { Context } from '../run/context.js';
import { ExitCode } from '../run/exit-code.js';
import { unlessAborted } from '../run/interruption.js';
import { joinedGroups } from '../run/joined-groups.js';
import { Report, type WrittenReport } from '../run/report.js';
import { reportBuffers, reportEngine } from '../run/socket-report.js';
import { type PreparedTap, RunOutput, type Tap } from '../run/tap.js';
import { Endings } from '../service/endings.js';
import { ServiceManager } from '../service/service-manager.js';
import { limitSessions, MAX_SESSIONS } from './limits.js';
import type { RelayPlan } from './plan.js';
import { Relay } from './relay.js';
import { detailsOf, RelayReport } from './relay-report.js';
import { RunEvents } from './run-events.js';
import { findTarget, TargetWatch } from './target.js';
import { TapViewer } from './viewer.js';

/** After `--count` datagrams, answers are passed on for this time, in milliseconds. */
const ANSWERS_MS = 1000;
/** After a signal, datagrams that are due within this time still leave, in milliseconds. */
const LATE_MS = 1000;

/**
 * Relays until the plan or a signal ends it. All failures but wrong usage are told on stderr.
 *
 * @returns the exit status
 * @throws {UsageError} for a target that is the relay itself, and for a recording that cannot be continued
 */
export function runRelays(plan: RelayPlan, context: Context): Promise<ExitCode> {
  return new RelayRun(plan, context).run();
}

class RelayRun {
  readonly #plan: RelayPlan;
  readonly #context: Context;
  readonly #output: RunOutput;
  readonly #report: Report;
  readonly #manager: ServiceManager;
  readonly #endings: Endings;
  /** Aborted when a signal ends the run, or the output takes no more. */
  readonly #stopped: AbortSignal;
  /** Aborted when the run is to end. */
  readonly #ended = new AbortController();
  /** Aborted when `--count` datagrams were taken. */
  readonly #counted = new AbortController();
  #relay: Relay | undefined;
  readonly #events: RunEvents;
  #failure: Error | undefined;

  constructor(plan: RelayPlan, context: Context) {
    this.#plan = plan;
    this.#context = context;
    const outputEnded = new AbortController();
    this.#output = new RunOutput(plan, context, () => {
      outputEnded.abort();
    });
    this.#report = new Report(plan, context, this.#output, () => {
      this.#count();
      return detailsOf(this.#relay, plan.seed, this.#events.refusals);
    });
    this.#stopped = AbortSignal.any([context.stop, outputEnded.signal]);
    this.#endings = new Endings(plan, this.#stopped);
    this.#events = new RunEvents(context, this.#report, {
      arrived: () => {
        this.#endings.arrived();
      },
      counted: () => {
        this.#counted.abort();
      },
      failed: (error) => {
        this.#failure ??= error as Error;
        this.#ended.abort();
      },
    });
    this.#manager = new ServiceManager(context, plan.socket.engine);
  }

  /** Brings the totals up to date. */
  #count(): void {
    if (this.#relay === undefined) return;
    const { totals } = this.#report;
    const { up, down } = this.#relay.lanes;
    totals.received = up.counts.received + down.counts.received;
    totals.sent = up.counts.sent + down.counts.sent;
    totals.denied = this.#relay.admission.denied;
  }

  async run(): Promise<ExitCode> {
    try {
      const target = await unlessAborted(
        findTarget(this.#plan, this.#context, this.#stopped),
        [this.#stopped],
        () => undefined,
      );
      if (target !== undefined) {
        const listen = endpointOf(this.#plan.listen, this.#plan.socket.family);
        if (listen !== undefined) refuseSelf(listen, target);
        await this.#relayTo(target, await this.#output.prepare());
      }
      if (this.#failure !== undefined) throw this.#failure;
      const written = await this.#report.finish(this.#output.close()).written();
      return this.#judge(written);
    } catch (error) {
      if (error instanceof UsageError) throw error;
      this.#report.failure(error);
      await this.#report.finish(this.#output.close()).written();
      return error instanceof DatagramError && error.code === 'QUEUE_FULL' ? ExitCode.dropped : ExitCode.failure;
    } finally {
      await this.#manager.told();
    }
  }

  async #relayTo(target: Endpoint, preparedTap: PreparedTap): Promise<void> {
    const plan = this.#plan;
    const relay = await Relay.start(plan, target, this.#limit(), this.#events);
    this.#relay = relay;
    this.#events.relay = relay;
    let tap: Tap | undefined;
    try {
      refuseSelf(relay.server.local, target);
      this.#report.drops.watchKernel(relay);
      this.#report.drops.askKernel();
      tap = await preparedTap.open({ bound: relay.server.local, meta: false });
      await this.#announce(relay);
      relay.begin(this.#looks ? new TapViewer(tap, plan.side) : undefined);
      const stop = this.#begin(relay);
      await this.#untilEnd(relay);
      stop();
    } finally {
      this.#endings.stop();
      this.#manager.stopping();
      await relay.close('end', this.#context.force.aborted);
    }
    await tap.recorded();
  }

  /** Whether something looks at every datagram. */
  get #looks(): boolean {
    return FORMATS[this.#plan.output].create !== undefined || this.#plan.record !== undefined;
  }

  #limit(): number {
    const { maxSessions: asked = MAX_SESSIONS, rebind } = this.#plan;
    const { most, why = '' } = limitSessions(asked, rebind === undefined ? 1 : 2);
    if (most < asked) this.#context.log.warn(`at most ${most} sessions instead of ${asked}: the system has ${why}`);
    return most;
  }

  async #announce(relay: Relay): Promise<void> {
    const { server, target, faults } = relay;
    const { log } = this.#context;
    const joined = await joinedGroups(server);
    reportEngine(server, this.#context);
    reportBuffers(this.#plan, server.kernelBuffers, this.#context);
    const [address, to] = [formatEndpoint(server.local), formatEndpoint(target)];
    log.announce(`listening on ${address}`, { address, target: to });
    log.info(`datagrams are passed on to ${to}`, { target: to });
    const { seed } = this.#plan;
    const hasFaults = Object.keys({ ...faults.up, ...faults.down }).length > 0;
    if (hasFaults) log.info(`they have faults; --seed ${seed} repeats them`, { seed });
    if (isWildcard(server.local.address) && server.engine === 'node') {
      log.warn(
        'on a host with several addresses, an answer may leave from another address than the client asked (node engine): bind one address',
      );
    }
    this.#report.event({
      type: 'listening',
      address,
      target: to,
      ...(joined.length > 0 && { joined }),
      ...(hasFaults && { seed }),
    });
    this.#report.event({ type: 'faults', seed, up: faults.up, down: faults.down });
    await log.flush();
    this.#manager.ready();
  }

  /** Starts the clocks of the end, the reports and the look-ups. Returns a function that ends them. */
  #begin(relay: Relay): () => void {
    const { resolve, stats, output } = this.#plan;
    const { log, terminals } = this.#context;
    this.#endings.start({
      isBusy: () => relay.isBusy,
      end: () => {
        this.#ended.abort();
      },
    });
    const live = stats === true && log.hasStatus && !(terminals.stdout && FORMATS[output].isRaw === true);
    const report = new RelayReport(this.#context, this.#report, relay, {
      end: this.#plan,
      live,
      beforeReport: () => {
        this.#count();
      },
    });
    const watch =
      resolve === undefined
        ? undefined
        : new TargetWatch(this.#plan, this.#context, relay.target, resolve, (target) => {
            relay.target = target;
            log.info(`new sessions go to ${formatEndpoint(target)}`, { target: formatEndpoint(target) });
            this.#report.event({ type: 'target', target: formatEndpoint(target) });
          });
    return () => {
      report.stop();
      watch?.stop();
    };
  }

  /** Waits for the end, and until everything that was taken has left. */
  async #untilEnd(relay: Relay): Promise<void> {
    const { force } = this.#context;
    await aborted([this.#ended.signal, this.#counted.signal, force]);
    this.#endings.stop();
    this.#manager.stopping();
    let untilMs = Infinity;
    const atStop = (): void => {
      untilMs = performance.now() + LATE_MS;
      relay.cut(untilMs);
    };
    if (this.#stopped.aborted) atStop();
    else this.#stopped.addEventListener('abort', atStop, { once: true });
    if (!this.#ended.signal.aborted) {
      relay.endTaking();
      await unlessAborted(relay.passedOn('up'), [force], () => undefined);
      await aborted([AbortSignal.timeout(ANSWERS_MS), this.#stopped, this.#ended.signal, force]);
    }
    const leaving = relay.endReceiving().then(async () => {
      relay.cut(untilMs);
      await Promise.all([relay.passedOn('up'), relay.passedOn('down')]);
    });
    await unlessAborted(leaving, [force], () => undefined);
    this.#stopped.removeEventListener('abort', atStop);
  }

  #judge(written: WrittenReport): ExitCode {
    const { count } = this.#plan;
    const { timeOut } = this.#endings;
    const relay = this.#relay;
    if (written.tellWriteFailure() !== undefined) return ExitCode.failure;
    const received = relay?.lanes.up.counts.received ?? 0;
    if (relay !== undefined && count !== undefined && received < count && timeOut !== undefined) {
      this.#context.log.error(
        `${received} of ${count} datagrams came on ${formatEndpoint(relay.server.local)} ${timeOut}`,
      );
      return ExitCode.silent;
    }
    return written.tellFailOnDrop() ? ExitCode.dropped : ExitCode.ok;
  }
}

/** @throws {UsageError} if a socket bound to `local` would get the datagrams that go to `target` */
function refuseSelf(local: Endpoint, target: Endpoint): void {
  if (local.port === 0 || !isSelf(local, target)) return;
  throw new UsageError(`the target ${formatEndpoint(target)} is the relay itself: datagrams would go round for ever`);
}

/** Resolves when one of the signals is aborted. */
function aborted(signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const any = AbortSignal.any([...signals]);
    if (any.aborted) resolve();
    else
      any.addEventListener(
        'abort',
        () => {
          resolve();
        },
        { once: true },
      );
  });
}
