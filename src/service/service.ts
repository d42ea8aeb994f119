import { UsageError } from '../cli/usage-error.js';
import { FORMATS } from '../output/formats/table.js';
import { createFaults } from '../faults/fault-plan.js';
import type { Faults } from '../faults/faults.js';
import { type Datagram, type DatagramServer, type Endpoint, formatEndpoint, startUdpServer } from '../net/index.js';
import type { Responder } from '../responders/responder.js';
import type { Context } from '../run/context.js';
import { ExitCode } from '../run/exit-code.js';
import { cutRuns } from '../net/runs.js';
import { joinedGroups } from '../run/joined-groups.js';
import { Report, type WrittenReport } from '../run/report.js';
import { type PreparedTap, RunOutput, type Tap } from '../run/tap.js';
import { PeerTable } from '../stats/peers.js';
import { announce, warnResponding } from './announcement.js';
import { Endings } from './endings.js';
import { Intake } from './intake.js';
import { Outbox } from './outbox.js';
import type { ServicePlan } from './plan.js';
import { runReported } from './reported-run.js';
import { createPolicy, Gate, Responses } from './responses.js';
import { ServiceManager } from './service-manager.js';
import { ServingReport } from './service-report.js';
import { Unanswered } from './unanswered.js';

/** The parts of a service that differ between `serve` and `echo`. */
export interface Service {
  /** Makes the responses. Default: the service does not respond. */
  readonly responder?: Responder | undefined;
  /** Called once the socket is bound. It returns a function, which is called at the end. */
  readonly start?: (server: DatagramServer, parts: ServiceParts) => () => void;
  /** Called with every batch that the service takes, before it is written to stdout. */
  readonly taken?: ((batch: readonly Datagram[]) => void) | undefined;
  /** The default of `--meta`: whether time and addresses are written before each datagram. */
  readonly meta: boolean;
  /** Whether the user types lines at the terminal. Then there is no live line. Default: false. */
  readonly typing?: boolean;
}

/** The outputs of a service, for {@link Service.start}. */
export interface ServiceParts {
  readonly report: Report;
  readonly tap: Tap;
}

/**
 * Binds a socket, receives datagrams, responds to them, and writes them. The plan or a signal ends it. All failures but
 * wrong usage are told on stderr.
 *
 * @returns the exit status
 * @throws {UsageError} for a plan with faults and without a responder, and for a recording that cannot be continued
 */
export async function runService(plan: ServicePlan, context: Context, service: Service): Promise<ExitCode> {
  return new ServiceRun(plan, context, service).run();
}

/** One run of a service. */
class ServiceRun {
  readonly #plan: ServicePlan;
  readonly #context: Context;
  readonly #service: Service;
  readonly #faults: Faults | undefined;
  readonly #peers: PeerTable;
  readonly #output: RunOutput;
  readonly #report: Report;
  readonly #manager: ServiceManager;
  readonly #endings: Endings;

  constructor(plan: ServicePlan, context: Context, service: Service) {
    this.#plan = plan;
    this.#context = context;
    this.#service = service;
    const faults = createFaults(plan);
    if (faults !== undefined && service.responder === undefined) {
      throw new UsageError(
        'faults change the answers of a server, and this one gives none; --reply, --reply-file, --exec or --rules gives some',
      );
    }
    const peers = new PeerTable(service.responder !== undefined, plan.maxPeers);
    const outputEnded = new AbortController();
    this.#faults = faults;
    this.#peers = peers;
    this.#output = new RunOutput(plan, context, () => {
      outputEnded.abort();
    });
    this.#report = new Report(plan, context, this.#output, () => ({
      fields: { ...peers.fields(), ...(faults && { faults: faults.fields() }) },
      lines: [...(faults ? [faults.describe()] : []), ...peers.describe()],
    }));
    this.#report.totals.flows.received = () => peers.flow;
    this.#manager = new ServiceManager(context, plan.socket.engine);
    this.#endings = new Endings(plan, AbortSignal.any([context.stop, outputEnded.signal]));
  }

  run(): Promise<ExitCode> {
    const parts = { output: this.#output, report: this.#report, manager: this.#manager };
    const serve = async (): Promise<Endpoint> => this.#serve(await this.#output.prepare());
    return runReported(parts, serve, (written, local) => this.#judge(written, local));
  }

  /** Serves until the end. Resolves to the bound address, once the socket is closed and its drops are counted. */
  async #serve(preparedTap: PreparedTap): Promise<Endpoint> {
    const intake = new Intake(this.#plan, this.#report.totals, this.#peers, this.#endings);
    await using server = await startUdpServer(this.#plan.local, {
      ...this.#plan.socket,
      fd: this.#plan.fd,
      onArrivals: this.#readsPayloads ? undefined : intake.count,
    });
    this.#report.drops.watchKernel(server);
    this.#report.drops.askKernel();
    const tap = await preparedTap.open({ bound: server.local, meta: this.#service.meta });
    const tellNoDrops = this.#subscribe(server);
    await this.#announce(server);
    const responses = this.#createResponses(server, tap);
    const end = this.#begin(server, tap, responses);
    try {
      await this.#takeBatches(server, intake, tap, responses);
      // The service has ended. Datagrams that come while the last responses are sent do not count as drops.
      tellNoDrops();
      await responses?.settled(this.#context.force);
    } catch (error) {
      responses?.hurry();
      await responses?.settled(this.#context.force);
      throw error;
    } finally {
      end();
    }
    await tap.recorded();
    return server.local;
  }

  /** Whether a part of the service needs the payloads. Otherwise only senders and sizes are counted, which is faster. */
  get #readsPayloads(): boolean {
    const { output, record, count } = this.#plan;
    const { responder, taken } = this.#service;
    return (
      FORMATS[output].create !== undefined || record !== undefined || count !== undefined || !!responder || !!taken
    );
  }

  /** Reports drops and errors of the server. Returns a function that ends the reports of drops. */
  #subscribe(server: DatagramServer): () => void {
    const report = this.#report;
    const onDrop = (count: number): void => {
      report.drops.queueDropped(count);
    };
    server.on('drop', onDrop);
    server.on('peerError', (error) => {
      report.answerError(error);
    });
    server.on('receiveError', (error) => {
      report.receiveError(error);
    });
    return () => {
      server.off('drop', onDrop);
    };
  }

  async #announce(server: DatagramServer): Promise<void> {
    const seed = this.#faults?.seed;
    const joined = await joinedGroups(server);
    announce(server, this.#plan, this.#context, { joined, seed });
    const address = formatEndpoint(server.local);
    this.#report.event({
      type: 'listening',
      address,
      ...(joined.length > 0 && { joined }),
      ...(seed !== undefined && { seed }),
    });
    if (this.#service.responder !== undefined) warnResponding(server, this.#plan, this.#context);
    await this.#context.log.flush();
    this.#manager.ready();
  }

  /** Returns undefined for a service without a responder. */
  #createResponses(server: DatagramServer, tap: Tap): Responses | undefined {
    const { responder } = this.#service;
    if (responder === undefined) return undefined;
    const policy = createPolicy(this.#plan, this.#context, server.local, responder);
    const unanswered = new Unanswered(this.#context, this.#report, this.#peers, policy);
    const outbox = new Outbox(server, tap, policy, unanswered, this.#faults);
    return new Responses(server, responder, new Gate(this.#plan, policy, unanswered), outbox, unanswered);
  }

  /** Starts the endings, the part of the command, and the live line. Returns a function that ends them. */
  #begin(server: DatagramServer, tap: Tap, responses: Responses | undefined): () => void {
    this.#endings.start({
      isBusy: () => server.queued > 0 || responses?.isTaking === true,
      end: () => {
        this.#manager.stopping();
        if (responses === undefined) server.close();
        else responses.hurry();
      },
    });
    const stopService = this.#service.start?.(server, { report: this.#report, tap });
    const serving = new ServingReport(this.#context, this.#report, this.#peers, this.#plan, this.#hasLiveLine);
    return () => {
      this.#endings.stop();
      this.#manager.stopping();
      stopService?.();
      serving.stop();
    };
  }

  /** The user must ask for it by `--stats`. Raw datagrams on a terminal forbid it, because they may end without a newline. */
  get #hasLiveLine(): boolean {
    const { stats, output } = this.#plan;
    const { log, terminals } = this.#context;
    return (
      stats === true &&
      log.hasStatus &&
      this.#service.typing !== true &&
      !(terminals.stdout && FORMATS[output].isRaw === true)
    );
  }

  async #takeBatches(
    server: DatagramServer,
    intake: Intake,
    tap: Tap,
    responses: Responses | undefined,
  ): Promise<void> {
    const { totals } = this.#report;
    const { taken } = this.#service;
    const wantsMore = (): boolean => totals.received !== this.#plan.count;
    const write = async (wanted: readonly Datagram[]): Promise<boolean> => {
      const kept = await tap.recordReceived(wanted);
      if (kept.length > 0) {
        taken?.(kept);
        // Both at once, so that a slow program of --exec does not delay the output.
        await Promise.all([responses?.give(kept), tap.write(kept)]);
      }
      return wantsMore();
    };
    // Runs stay whole where no part of the service looks at single datagrams.
    const takesRuns = taken === undefined && this.#plan.count === undefined;
    const tapped = tap.writes || tap.records;
    const onlyShows = takesRuns && tap.writes && responses === undefined;
    const onlyRecords = takesRuns && tapped && !tap.writes && responses === undefined;
    const showsNow = onlyShows && tap.showsNow;
    const echoes = takesRuns && !tapped && this.#faults === undefined && this.#service.responder?.echoes === true;
    await server.consume(
      (runs) => {
        if (onlyRecords) return tap.recordRuns(intake.takeRuns(runs))?.then(wantsMore) ?? true;
        if (showsNow) {
          tap.showNow(intake.takeRuns(runs));
          return true;
        }
        if (onlyShows) return tap.takeRuns(intake.takeRuns(runs)).then(wantsMore);
        if (echoes) return responses?.sendBack(intake.takeRuns(runs))?.then(wantsMore) ?? true;
        const wanted = intake.take(cutRuns(runs));
        if (wanted.length === 0) return true;
        if (tapped) return write(wanted);
        // Without a promise: a response that is ready leaves in the turn in which its request was read.
        taken?.(wanted);
        return responses?.give(wanted)?.then(wantsMore) ?? wantsMore();
      },
      { borrows: echoes || onlyRecords || showsNow },
    );
  }

  #judge(written: WrittenReport, local: Endpoint): ExitCode {
    const { count } = this.#plan;
    const { received } = this.#report.totals;
    const { timeOut } = this.#endings;
    if (written.tellWriteFailure() !== undefined) return ExitCode.failure;
    if (count !== undefined && received < count && timeOut !== undefined) {
      this.#context.log.error(`${received} of ${count} datagrams came on ${formatEndpoint(local)} ${timeOut}`);
      return ExitCode.silent;
    }
    return written.tellFailOnDrop() ? ExitCode.dropped : ExitCode.ok;
  }
}
