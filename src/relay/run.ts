import { type Endpoint, formatEndpoint } from '../net/index.js';
import { FORMATS } from '../output/formats/table.js';
import type { Context } from '../run/context.js';
import { ExitCode } from '../run/exit-code.js';
import { unlessAborted } from '../run/interruption.js';
import { Report, type WrittenReport } from '../run/report.js';
import { type PreparedTap, RunOutput, type Tap } from '../run/tap.js';
import { Endings } from '../service/endings.js';
import { runReported } from '../service/reported-run.js';
import { ServiceManager } from '../service/service-manager.js';
import type { ControlPlan, RelayEnds, RelayPlan } from './plan.js';
import type { Relay } from './relay.js';
import { detailsOf, RelayReport } from './relay-report.js';
import { Relays } from './relays.js';
import type { EndReason } from './session.js';
import { Telling } from './telling.js';
import { Output, TapViewer } from './viewer.js';

/** After `--count` datagrams, answers are passed on for this time, in milliseconds. */
const ANSWERS_MS = 1000;
/** After a signal, datagrams that are due within this time still leave, in milliseconds. */
const LATE_MS = 1000;

/** The part of a run that changes relays while they run. */
export interface RelayControl {
  readonly plan: RelayPlan;
  readonly context: Context;
  readonly relays: Relays;
  /** Starts a relay. @throws {DatagramError} and {UsageError} as {@link Relays.bind} */
  start(name: string, ends: RelayEnds): Promise<Relay>;
  end(name: string, reason: EndReason): Promise<void>;
  /** Tells the faults of a relay after a change. */
  changed(name: string, relay: Relay, toxics: readonly object[]): void;
  /** Called with an error that is a mistake in this program. */
  failed(error: unknown): void;
}

/** A server that changes relays. */
export interface ControlServer extends AsyncDisposable {
  readonly local: Endpoint;
}

/** Opens the server of `--http`. */
export type OpenControl = (plan: ControlPlan, control: RelayControl) => Promise<ControlServer>;

/**
 * Relays until the plan or a signal ends it. All failures but wrong usage are told on stderr.
 *
 * @param openControl opens the server of `--http`
 * @returns the exit status
 * @throws {UsageError} for a target that is the relay itself, and for a recording that cannot be continued
 */
export function runRelays(plan: RelayPlan, context: Context, openControl: OpenControl): Promise<ExitCode> {
  return new RelayRun(plan, context).run(openControl);
}

/** The address that a recording has for datagrams of which no other is known, if no relay runs yet. */
const NO_ADDRESS: Endpoint = { address: '0.0.0.0', port: 0 };

class RelayRun implements RelayControl {
  readonly plan: RelayPlan;
  readonly context: Context;
  readonly relays: Relays;
  readonly #output: RunOutput;
  readonly #report: Report;
  readonly #telling: Telling;
  readonly #manager: ServiceManager;
  readonly #endings: Endings;
  /** Aborted when a signal ends the run, the output takes no more, or something {@link failed}. */
  readonly #stopped: AbortSignal;
  /** Aborted when the run is to end. */
  readonly #ended = new AbortController();
  /** Aborted when `--count` datagrams were taken. */
  readonly #counted = new AbortController();
  /** Aborted by the first failure. Its reason is the error. */
  readonly #failed = new AbortController();
  #shown: Output | undefined;

  constructor(plan: RelayPlan, context: Context) {
    this.plan = plan;
    this.context = context;
    const outputEnded = new AbortController();
    this.#output = new RunOutput(plan, context, () => {
      outputEnded.abort();
    });
    this.#stopped = AbortSignal.any([context.stop, outputEnded.signal, this.#failed.signal]);
    this.#report = new Report(plan, context, this.#output, () => {
      this.#count();
      return detailsOf(this.relays, plan);
    });
    this.#telling = new Telling(plan, context, this.#report, {
      arrived: () => {
        this.#endings.arrived();
      },
      counted: () => {
        this.#counted.abort();
      },
      failed: (error) => {
        this.failed(error);
      },
    });
    this.relays = new Relays(plan, context, this.#stopped, {
      of: (name, account) => this.#telling.of(name, account),
      retargeted: (name, target) => {
        this.#telling.target(name, target);
      },
    });
    this.#endings = new Endings(plan, this.#stopped);
    this.#manager = new ServiceManager(context, plan.socket.engine);
  }

  /** Brings the totals up to date. */
  #count(): void {
    const { totals } = this.#report;
    const { counts, denied } = this.relays.sum();
    totals.received = counts.up.received + counts.down.received;
    totals.sent = counts.up.sent + counts.down.sent;
    totals.denied = denied;
  }

  run(openControl: OpenControl): Promise<ExitCode> {
    const parts = { output: this.#output, report: this.#report, manager: this.#manager };
    const relay = async (): Promise<void> => {
      await this.#relay(openControl);
      this.#failed.signal.throwIfAborted();
    };
    return runReported(parts, relay, (written) => this.#judge(written));
  }

  async #relay(openControl: OpenControl): Promise<void> {
    const { first, http } = this.plan;
    let control: ControlServer | undefined;
    let tap: Tap | undefined;
    try {
      const prepared = await this.#output.prepare();
      const relay = first && (await this.#bindFirst(first));
      // A signal came before the target was found.
      if (first !== undefined && relay === undefined) return;
      this.#report.drops.watchKernel(this.relays);
      this.#report.drops.askKernel();
      tap = await this.#openTap(prepared, relay);
      if (relay !== undefined) await this.#begin(this.plan.name, relay);
      if (http !== undefined) {
        control = await openControl(http, this);
        const address = formatEndpoint(control.local);
        this.context.log.announce(`http on ${address}`, { address });
        this.#report.event({ type: 'http', address });
      }
      await this.context.log.flush();
      this.#manager.ready();
      const stop = this.#observe();
      await this.#untilEnd(control);
      stop();
    } finally {
      this.#endings.stop();
      this.#manager.stopping();
      try {
        await control?.[Symbol.asyncDispose]();
      } finally {
        await this.relays.endAll('end', this.context.force.aborted);
      }
    }
    await tap.recorded();
  }

  /** Binds the relay of the command line. Resolves to undefined if the run is stopped before. */
  #bindFirst(first: RelayEnds): Promise<Relay | undefined> {
    const { name, faults } = this.plan;
    return unlessAborted(this.relays.bind(name, first, faults), [this.#stopped], () => undefined);
  }

  async #openTap(prepared: PreparedTap, relay: Relay | undefined): Promise<Tap> {
    const tap = await prepared.open({ bound: relay?.server.local ?? NO_ADDRESS, meta: false });
    if (this.#isTapped) this.#shown = new Output(tap, this.plan);
    return tap;
  }

  async #begin(name: string, relay: Relay): Promise<void> {
    await this.#telling.listening(name, relay);
    const shownName = this.plan.http === undefined ? undefined : name;
    relay.begin(this.#shown && new TapViewer(this.#shown, relay.server.local, shownName));
  }

  async start(name: string, ends: RelayEnds): Promise<Relay> {
    const relay = await this.relays.bind(name, ends, { up: {}, down: {} }, true);
    await this.#begin(name, relay);
    return relay;
  }

  end(name: string, reason: EndReason): Promise<void> {
    return this.relays.end(name, reason);
  }

  changed(name: string, { faults }: Relay, toxics: readonly object[]): void {
    this.#telling.faults(name, faults, toxics);
  }

  failed(error: unknown): void {
    this.#failed.abort(error);
    this.#ended.abort();
  }

  /** Whether datagrams are written or recorded. */
  get #isTapped(): boolean {
    return FORMATS[this.plan.output].create !== undefined || this.plan.record !== undefined;
  }

  /** Starts the clocks of the end, and the reports. Returns a function that ends the reports. */
  #observe(): () => void {
    const { stats, output } = this.plan;
    const { log, terminals } = this.context;
    this.#endings.start({
      isBusy: () => this.relays.running.some(({ isBusy }) => isBusy),
      end: () => {
        this.#ended.abort();
      },
    });
    const live = stats === true && log.hasStatus && !(terminals.stdout && FORMATS[output].isRaw === true);
    const report = new RelayReport(this.context, this.#report, this.relays, {
      end: this.plan,
      live,
      beforeReport: () => {
        this.#count();
      },
    });
    return () => {
      report.stop();
    };
  }

  /** Waits for the end, and until everything that was taken has left. */
  async #untilEnd(control: ControlServer | undefined): Promise<void> {
    const { force } = this.context;
    await aborted([this.#ended.signal, this.#counted.signal, force]);
    // From now on the relays are always the same.
    await control?.[Symbol.asyncDispose]();
    this.#endings.stop();
    this.#manager.stopping();
    const relays = this.relays.running;
    const each = (act: (relay: Relay) => Promise<void>): Promise<void> =>
      Promise.all(relays.map(act)).then(() => undefined);
    let untilMs = Infinity;
    const atStop = (): void => {
      untilMs = performance.now() + LATE_MS;
      for (const relay of relays) relay.cut(untilMs);
    };
    if (this.#stopped.aborted) atStop();
    else this.#stopped.addEventListener('abort', atStop, { once: true });
    if (!this.#ended.signal.aborted) {
      for (const relay of relays) relay.endTaking();
      await unlessAborted(
        each((relay) => relay.passedOn('up')),
        [force],
        () => undefined,
      );
      await aborted([AbortSignal.timeout(ANSWERS_MS), this.#stopped, this.#ended.signal, force]);
    }
    const leaving = each(async (relay) => {
      await relay.endReceiving();
      relay.cut(untilMs);
      await Promise.all([relay.passedOn('up'), relay.passedOn('down')]);
    });
    await unlessAborted(leaving, [force], () => undefined);
    this.#stopped.removeEventListener('abort', atStop);
  }

  #judge(written: WrittenReport): ExitCode {
    const { count, first } = this.plan;
    const { timeOut } = this.#endings;
    if (written.tellWriteFailure() !== undefined) return ExitCode.failure;
    const { received } = this.relays.sum().counts.up;
    if (first !== undefined && count !== undefined && received < count && timeOut !== undefined) {
      this.context.log.error(`${received} of ${count} datagrams came ${timeOut}`);
      return ExitCode.silent;
    }
    return written.tellFailOnDrop() ? ExitCode.dropped : ExitCode.ok;
  }
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
