import type { Answering } from '../responders/responder.js';
import { AccessList } from '../guard/access-list.js';
import { createFaults } from '../faults/fault-plan.js';
import type { Faults } from '../faults/faults.js';
import { AnswerPolicy } from '../guard/answer-policy.js';
import { isLoopback, isWildcard } from '../net/address/endpoint.js';
import {
  type Arrivals,
  type Datagram,
  DatagramError,
  type DatagramServer,
  type Endpoint,
  formatEndpoint,
  startUdpServer,
} from '../net/index.js';
import { formatDuration } from '../text/time.js';
import { PeerTable } from '../stats/peers.js';
import type { Totals } from '../stats/totals.js';
import { Alarm } from '../timing/alarm.js';
import { type AnswerParts, Answers } from './responses.js';
import type { Context } from '../run/context.js';
import { ExitCode } from '../run/exit-code.js';
import type { ServicePlan } from './plan.js';
import { Report, type WrittenReport } from '../run/report.js';
import { type PreparedTap, RunOutput, type Tap } from '../run/tap.js';
import { reportBuffers, reportEngine } from '../run/socket-report.js';
import { ServiceManager } from './service-manager.js';
import { ServingReport } from './service-report.js';
import { UsageError } from '../cli/usage-error.js';

/** What a serving command does with the datagrams it takes. */
export interface Service {
  /** How it answers; undefined if it answers nothing by itself. */
  readonly answering?: Answering | undefined;
  /** Called once the server is bound; what it returns is called at the end. */
  readonly start?: (server: DatagramServer, parts: ServiceParts) => () => void;
  /** Called with every batch that was taken, before it is written. */
  readonly taken?: ((batch: readonly Datagram[]) => void) | undefined;
  /** Whether time and addresses stand before each datagram unless the user says otherwise. */
  readonly meta: boolean;
  /** Whether the user wants to type at the terminal, where a live line would stand in the way. Default: false. */
  readonly typing?: boolean;
}

/** What a service writes to. */
export interface ServiceParts {
  readonly report: Report;
  readonly tap: Tap;
}

/** Binds, takes datagrams, answers and writes them until told to end; resolves to the exit status. */
export async function runService(plan: ServicePlan, context: Context, service: Service): Promise<ExitCode> {
  const peers = new PeerTable(service.answering !== undefined, plan.maxPeers);
  const faults = createFaults(plan);
  if (faults !== undefined && service.answering === undefined) {
    throw new UsageError(
      'there are faults for answers, and nothing answers; --reply, --reply-file, --exec or --rules does',
    );
  }
  const outputEnded = new AbortController();
  const output = new RunOutput(plan, context, () => {
    outputEnded.abort();
  });
  const report = new Report(plan, context, output, () => ({
    fields: { ...peers.fields(), ...(faults && { faults: faults.fields() }) },
    lines: [...(faults ? [faults.describe()] : []), ...peers.describe()],
  }));
  const manager = new ServiceManager(context, plan.socket.engine);
  try {
    const preparedTap = await output.prepare();
    const ends = AbortSignal.any([context.stop, outputEnded.signal]);
    const { endings, local } = await serveUntilEnd(plan, context, {
      service,
      report,
      preparedTap,
      peers,
      faults,
      ends,
      manager,
    });
    const written = await report.finish(output.close()).written();
    return judgeRun(plan, context, { report, written, endings, address: formatEndpoint(local) });
  } catch (error) {
    if (error instanceof UsageError) throw error;
    report.failure(error);
    await report.finish(output.close()).written();
    return error instanceof DatagramError && error.code === 'QUEUE_FULL' ? ExitCode.dropped : ExitCode.failure;
  } finally {
    await manager.told();
  }
}

/** Only if it was asked for, and nothing stands at the terminal that it would garble: raw bytes end in no newline. */
function hasLiveLine({ stats, output }: ServicePlan, { log, terminals }: Context, { typing }: Service): boolean {
  return stats === true && log.hasStatus && typing !== true && !(terminals.stdout && output === 'raw');
}

/** Whether anything is to be known of datagrams but who sent how many of which size. */
function needsPayloads({ output, record, count }: ServicePlan, { answering, taken }: Service): boolean {
  return output !== 'none' || record !== undefined || count !== undefined || !!answering || !!taken;
}

/** Resolves once the socket is closed, and what it dropped is known. */
async function serveUntilEnd(
  plan: ServicePlan,
  context: Context,
  {
    service,
    report,
    preparedTap,
    peers,
    faults,
    ends,
    manager,
  }: {
    readonly service: Service;
    readonly report: Report;
    readonly preparedTap: PreparedTap;
    readonly peers: PeerTable;
    readonly faults: Faults | undefined;
    readonly ends: AbortSignal;
    readonly manager: ServiceManager;
  },
): Promise<{ readonly endings: Endings; readonly local: Endpoint }> {
  const intake = new Intake(plan, report.totals, peers);
  await using server = await startUdpServer(plan.local, {
    ...plan.socket,
    fd: plan.fd,
    onArrivals: needsPayloads(plan, service) ? undefined : intake.count,
  });
  report.drops.watchKernel(server);
  report.drops.askKernel();
  const tap = await preparedTap.open({ bound: server.local, meta: service.meta });
  await announce(server, plan, context, { report, answers: service.answering !== undefined, seed: faults?.seed });
  manager.ready();
  const answers =
    service.answering && createAnswers(plan, server, service.answering, { context, report, tap, peers, faults });
  const isBusy = (): boolean => server.queued > 0 || answers?.isTaking === true;
  const endings = new Endings(plan, ends, isBusy, () => {
    manager.stopping();
    if (answers === undefined) server.close();
    else answers.hurry();
  });
  intake.onArrival = () => {
    endings.arrived();
  };
  const stopService = service.start?.(server, { report, tap });
  const live = new ServingReport(context, report, peers, hasLiveLine(plan, context, service));
  try {
    await serveBatches(server, { plan, service, report, tap, intake, answers });
    // A signal may end the wait for them, too.
    await answers?.settled();
  } catch (error) {
    answers?.hurry();
    await answers?.settled();
    throw error;
  } finally {
    endings.stop();
    manager.stopping();
    stopService?.();
    live.stop();
  }
  await tap.recorded();
  return { endings, local: server.local };
}

function createAnswers(
  plan: ServicePlan,
  server: DatagramServer,
  answering: Answering,
  parts: Omit<AnswerParts, 'copies'>,
): Answers {
  const policy = new AnswerPolicy({
    local: server.local,
    loopGuard: plan.loopGuard,
    servicePorts: plan.answerServicePorts === true,
    ratePerSecond: plan.rateLimit,
    maxPeers: plan.maxPeers,
    onCorruptedLoop:
      plan.corrupt === undefined
        ? undefined
        : tellOfLoops(parts.context, 'more than 100 answers to it were corrupted in one'),
    onReturnLoop:
      answering.varies === true ? tellOfLoops(parts.context, 'it sent back one answer after another') : undefined,
  });
  const mayAmplify = plan.allow !== undefined || plan.amplify === true;
  const copies = mayAmplify ? 0 : plan.duplicate === undefined ? 1 : 2;
  return new Answers(server, answering, policy, { ...parts, copies });
}

/** Tells of the first peer that is not answered because answers to it seem to go round. */
function tellOfLoops({ log }: Context, why: string): (peer: Endpoint) => void {
  let told = false;
  return (peer) => {
    if (!told) {
      log.warn(
        `${formatEndpoint(peer)} is not answered for a second: ${why}, as where two servers answer each other; ` +
          '--no-loop-guard lifts that',
      );
    }
    told = true;
  };
}

async function announce(
  server: DatagramServer,
  plan: ServicePlan,
  context: Context,
  {
    report,
    answers,
    seed,
  }: {
    readonly report: Report;
    readonly answers: boolean;
    /** Undefined without faults. */
    readonly seed: number | undefined;
  },
): Promise<void> {
  server.on('drop', (count) => {
    report.drops.queueDropped(count);
  });
  server.on('peerError', (error) => {
    report.peerError(error);
  });
  server.on('receiveError', (error) => {
    report.receiveError(error);
  });
  reportEngine(server, context);
  reportBuffers(plan, server.kernelBuffers, context);
  const address = formatEndpoint(server.local);
  context.log.announce(`listening on ${address}`, { address });
  report.event({ type: 'listening', address, ...(seed !== undefined && { seed }) });
  if (seed !== undefined) context.log.info(`the answers have faults; --seed ${seed} has the same again`, { seed });
  const { allow, rateLimit = Infinity } = plan;
  if (answers && server.engine === 'node' && isWildcard(server.local.address)) {
    context.log.warn(
      'on a host with several addresses, answers may leave from another than was asked (node engine): bind the one to be asked',
    );
  }
  if (answers && !isLoopback(server.local.address) && allow === undefined && rateLimit === Infinity) {
    context.log.warn(`whoever reaches ${address} is answered, however often; --allow or --rate-limit bounds that`);
  }
  await context.log.flush();
}

async function serveBatches(
  server: DatagramServer,
  parts: {
    readonly plan: ServicePlan;
    readonly service: Service;
    readonly report: Report;
    readonly tap: Tap;
    readonly intake: Intake;
    readonly answers: Answers | undefined;
  },
): Promise<void> {
  const { plan, service, report, tap, intake, answers } = parts;
  for await (const batch of server.batches()) {
    const taken = intake.take(batch);
    if (taken.length === 0) continue;
    const kept = await tap.recordReceived(taken);
    if (kept.length > 0) {
      service.taken?.(kept);
      // Neither waits for the other: a slow program holds back no output.
      await Promise.all([answers?.give(kept), tap.write(kept)]);
    }
    if (report.totals.received === plan.count) break;
  }
  // Nobody wanted what comes while the last answers wait: it is not lost.
  server.removeAllListeners('drop');
}

function judgeRun(
  plan: ServicePlan,
  { log }: Context,
  {
    report,
    written,
    endings,
    address,
  }: {
    readonly report: Report;
    readonly written: WrittenReport;
    readonly endings: Endings;
    readonly address: string;
  },
): ExitCode {
  const { received } = report.totals;
  if (written.tellWriteFailure() !== undefined) return ExitCode.failure;
  if (plan.count !== undefined && received < plan.count && endings.timeOut !== undefined) {
    log.error(`${received} of ${plan.count} datagrams came on ${address} ${endings.timeOut}`);
    return ExitCode.silent;
  }
  return written.tellFailOnDrop() ? ExitCode.dropped : ExitCode.ok;
}

/** Whose datagrams are taken, and how many; counts them, and those kept out. */
class Intake {
  readonly #admission: AccessList;
  readonly #most: number;
  readonly #totals: Totals;
  readonly #peers: PeerTable;
  /** Called whenever something is taken. */
  onArrival = (): void => undefined;

  constructor({ allow = [], deny = [], count = Infinity }: ServicePlan, totals: Totals, peers: PeerTable) {
    this.#admission = new AccessList(allow, deny);
    this.#most = count;
    this.#totals = totals;
    this.#peers = peers;
  }

  /** The datagrams that are taken, at most as many as are still wanted. */
  take(batch: readonly Datagram[]): readonly Datagram[] {
    const admission = this.#admission;
    const totals = this.#totals;
    let taken = admission.open ? batch : batch.filter(({ remote }) => admission.admits(remote));
    totals.denied += batch.length - taken.length;
    const left = this.#most - totals.received;
    if (taken.length > left) taken = taken.slice(0, left);
    if (taken.length === 0) return taken;
    totals.received += taken.length;
    this.#peers.count(taken);
    this.onArrival();
    return taken;
  }

  /** Counts what nobody looks at; only where there is no end to how many are wanted. */
  readonly count = (arrivals: Arrivals): void => {
    const { remote, count } = arrivals;
    if (!this.#admission.open && !this.#admission.admits(remote)) {
      this.#totals.denied += count;
      return;
    }
    this.#totals.received += count;
    this.#peers.countTogether(arrivals);
    this.onArrival();
  };
}

/** When a service ends: by a signal, when its output takes no more, after `--duration`, after `--idle`. */
class Endings {
  readonly #plan: ServicePlan;
  readonly #signal: AbortSignal;
  readonly #isBusy: () => boolean;
  readonly #receiveNoMore: () => void;
  readonly #duration = new Alarm(() => {
    this.#endInTime(`within ${formatDuration(this.#plan.duration ?? 0)}`);
  });
  readonly #idle = new Alarm(() => {
    if (this.#isBusy()) this.arrived();
    else this.#endInTime(`before nothing came for ${formatDuration(this.#plan.idle ?? 0)}`);
  });
  #timeOut: string | undefined;

  /** @param isBusy whether something that has arrived still waits */
  constructor(plan: ServicePlan, signal: AbortSignal, isBusy: () => boolean, receiveNoMore: () => void) {
    this.#plan = plan;
    this.#signal = signal;
    this.#isBusy = isBusy;
    this.#receiveNoMore = receiveNoMore;
    if (plan.duration !== undefined) this.#duration.set(plan.duration);
    this.arrived();
    if (signal.aborted) this.#end();
    else signal.addEventListener('abort', this.#end, { once: true });
  }

  /** Which time was over, in words; undefined if none was. */
  get timeOut(): string | undefined {
    return this.#timeOut;
  }

  arrived(): void {
    if (this.#plan.idle !== undefined && this.#timeOut === undefined) this.#idle.set(this.#plan.idle);
  }

  #endInTime(timeOut: string): void {
    this.#timeOut = timeOut;
    this.#end();
  }

  readonly #end = (): void => {
    this.stop();
    this.#receiveNoMore();
  };

  stop(): void {
    this.#duration.stop();
    this.#idle.stop();
    this.#signal.removeEventListener('abort', this.#end);
  }
}
