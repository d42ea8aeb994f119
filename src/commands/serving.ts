import { isIPv6 } from 'node:net';
import { AccessList } from '../guard/access-list.js';
import { MAX_WAITING, MAX_WAITING_BYTES } from '../faults/delay-line.js';
import type { Faults } from '../faults/faults.js';
import { amplifies } from '../guard/amplification.js';
import { AnswerPolicy } from '../guard/answer-policy.js';
import { isLoopback } from '../net/endpoint.js';
import {
  type Address,
  type Datagram,
  DatagramError,
  type DatagramServer,
  type Endpoint,
  formatEndpoint,
  type Outgoing,
  parseAddress,
  startUdpServer,
} from '../net/index.js';
import { formatDuration } from '../output/time.js';
import { PeerTable } from '../stats/peers.js';
import { Totals } from '../stats/totals.js';
import { Alarm } from '../timing/alarm.js';
import type { Context, Io } from './context.js';
import { ExitCode } from './exit-code.js';
import { createFaults, faultOptions } from './fault-options.js';
import { unlessAborted } from './interruption.js';
import { flag, grouped, option, repeatable, sharedOptions, unlessFlag, type ValuesOf } from './options.js';
import { Output } from './output.js';
import { checkShared, readAddress, readBind, reportBuffers, socketOptions } from './plan.js';
import { ServingReport } from './serving-report.js';
import { UsageError } from './usage-error.js';
import { parseAddressBlock, parseCount, parseRate } from './values.js';

/** The options that `serve` and `echo` share. */
export function servingOptions(output: 'utf8' | 'none') {
  return {
    ...grouped('Whom to hear and to answer:', {
      allow: repeatable('--allow <cidr>', 'take datagrams only from these addresses', parseAddressBlock),
      deny: repeatable('--deny <cidr>', 'take none from these', parseAddressBlock),
      rateLimit: option('--rate-limit <rate>', 'answers for each peer, such as 100/s', parseRate),
      loopGuard: unlessFlag('--no-loop-guard', 'answer more than 100 identical datagrams a second from one peer'),
      answerServicePorts: flag('--answer-service-ports', 'answer source ports below 1024 as well'),
      amplify: flag('--amplify', 'give answers larger than 3 times the question to anybody, not only under --allow'),
      maxPeers: option(
        '--max-peers <n>',
        'peers remembered at once (default: 1024 in the summary, 65536 to guard against loops and floods)',
        parseCount,
      ),
    }),
    ...faultOptions(),
    ...sharedOptions({ output, count: 'stop after n datagrams' }),
  };
}

/** What a serving command was asked to do. */
export interface ServingPlan extends ValuesOf<ReturnType<typeof servingOptions>> {
  /** Address to bind; port 0 lets the kernel choose. */
  readonly local: Address;
}

/** The address to bind: the only argument, or `--bind`, or loopback with a port of the kernel's choice. */
export function planLocal(
  args: readonly string[],
  values: ValuesOf<ReturnType<typeof servingOptions>>,
  io: Io,
): Address {
  checkShared(values, io);
  const [argument, ...more] = args;
  if (argument !== undefined && more.length > 0) throw new UsageError(describeExcess(argument, more));
  if (argument !== undefined && values.bind !== undefined) {
    throw new UsageError(`two addresses: "${argument}", and "${values.bind}" by option '-b, --bind'; give one of them`);
  }
  if (values.bind !== undefined) return readBind(values.bind, parseAddress, values);
  return readAddress(argument ?? '0', parseAddress, values);
}

/** Says how to write what users of netcat write as two arguments. */
function describeExcess(argument: string, more: readonly string[]): string {
  const [port = ''] = more;
  const said = `one address is what the command takes: "${argument}" is followed by "${more.join(' ')}"`;
  if (more.length > 1 || !/^\d{1,5}$/.test(port) || /^\d+$/.test(argument)) return said;
  return `${said}; write ${isIPv6(argument) ? `[${argument}]` : argument}:${port}`;
}

/** What a serving command does with the datagrams it takes. */
export interface Service {
  /** The payload that answers a datagram; undefined if the server answers nothing by itself. */
  readonly answer?: ((datagram: Datagram) => Uint8Array) | undefined;
  /** Called once the server is bound; what it returns is called at the end. */
  readonly start?: (server: DatagramServer, output: Output) => () => void;
  /** Called with every batch that was taken, before it is written. */
  readonly taken?: (batch: readonly Datagram[]) => void;
  /** Whether time and addresses stand before each datagram unless the user says otherwise. */
  readonly meta: boolean;
  /** Whether the user wants to type at the terminal, where a live line would stand in the way. Default: false. */
  readonly typing?: boolean;
}

/** Binds, takes datagrams, answers and writes them until told to end; resolves to the exit status. */
export async function runService(plan: ServingPlan, context: Context, service: Service): Promise<ExitCode> {
  const totals = new Totals();
  const peers = new PeerTable(service.answer !== undefined, plan.maxPeers);
  const faults = createFaults(plan);
  if (faults !== undefined && service.answer === undefined) {
    throw new UsageError('there are faults for answers, and nothing answers; --reply or --reply-file does');
  }
  const stdoutEnded = new AbortController();
  const output = new Output(
    plan,
    context,
    totals,
    () => {
      stdoutEnded.abort();
    },
    () => ({
      fields: { ...peers.fields(), ...(faults && { faults: faults.fields() }) },
      lines: [...(faults ? [faults.describe()] : []), ...peers.describe()],
    }),
  );
  try {
    const ends = AbortSignal.any([context.stop, stdoutEnded.signal]);
    const { endings, local } = await serveUntilEnd(plan, context, { service, output, peers, faults, ends });
    output.finish();
    await output.written();
    return judgeRun(plan, context, { output, endings, address: formatEndpoint(local) });
  } catch (error) {
    output.failure(error);
    output.finish();
    await output.written();
    return error instanceof DatagramError && error.code === 'QUEUE_FULL' ? ExitCode.dropped : ExitCode.failure;
  }
}

/** Only if it was asked for, and nothing stands at the terminal that it would garble: raw bytes end in no newline. */
function hasLiveLine({ stats, output }: ServingPlan, { log, terminals }: Context, { typing }: Service): boolean {
  return stats === true && log.hasStatus && typing !== true && !(terminals.stdout && output === 'raw');
}

/** Resolves once the socket is closed, and what it dropped is known. */
async function serveUntilEnd(
  plan: ServingPlan,
  context: Context,
  {
    service,
    output,
    peers,
    faults,
    ends,
  }: {
    readonly service: Service;
    readonly output: Output;
    readonly peers: PeerTable;
    readonly faults: Faults | undefined;
    readonly ends: AbortSignal;
  },
): Promise<{ readonly endings: Endings; readonly local: Endpoint }> {
  await using server = await startUdpServer(plan.local, socketOptions(plan));
  output.watchKernel(() => server.kernelDropped);
  output.askKernel();
  await output.begin({ bound: server.local, meta: service.meta });
  await announce(server, plan, context, { output, answers: service.answer !== undefined, seed: faults?.seed });
  const endings = new Endings(plan, ends, server, () => {
    // What has arrived is still answered.
    if (service.answer === undefined) server.close();
    else void server.endReceiving();
  });
  const stopService = service.start?.(server, output);
  const report = new ServingReport(context, output, peers, hasLiveLine(plan, context, service));
  try {
    await serveBatches(server, { plan, context, service, output, peers, faults, endings });
  } finally {
    endings.stop();
    stopService?.();
    report.stop();
  }
  return { endings, local: server.local };
}

async function announce(
  server: DatagramServer,
  plan: ServingPlan,
  context: Context,
  {
    output,
    answers,
    seed,
  }: {
    readonly output: Output;
    readonly answers: boolean;
    /** Undefined without faults. */
    readonly seed: number | undefined;
  },
): Promise<void> {
  server.on('drop', (count) => {
    output.queueDropped(count);
  });
  server.on('peerError', (error) => {
    output.peerError(error);
  });
  reportBuffers(plan, server.kernelBuffers, context);
  const address = formatEndpoint(server.local);
  context.log.announce(`listening on ${address}`, { address });
  output.event({ type: 'listening', address, ...(seed !== undefined && { seed }) });
  if (seed !== undefined) context.log.info(`the answers have faults; --seed ${seed} has the same again`, { seed });
  const { allow, rateLimit = Infinity } = plan;
  if (answers && !isLoopback(server.local.address) && allow === undefined && rateLimit === Infinity) {
    context.log.warn(`whoever reaches ${address} is answered, however often; --allow or --rate-limit bounds that`);
  }
  await context.log.flush();
}

async function serveBatches(
  server: DatagramServer,
  parts: {
    readonly plan: ServingPlan;
    readonly context: Context;
    readonly service: Service;
    readonly output: Output;
    readonly peers: PeerTable;
    readonly faults: Faults | undefined;
    readonly endings: Endings;
  },
): Promise<void> {
  const { plan, context, service, output, peers, faults, endings } = parts;
  const { totals } = output;
  const admission = new AccessList(plan.allow ?? [], plan.deny ?? []);
  const answers =
    service.answer && new Answers(plan, context, { server, output, peers, faults, endings, answer: service.answer });
  try {
    for await (const batch of server.batches()) {
      endings.arrived();
      await output.recordReceived(batch);
      const taken = admit(batch, admission, totals, plan.count);
      if (taken.length === 0) continue;
      peers.count(taken);
      service.taken?.(taken);
      await answers?.give(taken);
      await output.writer.write(taken);
      if (totals.received === plan.count) break;
    }
    // Nobody wanted what comes while the last answers wait: it is not lost.
    server.removeAllListeners('drop');
    await answers?.finish();
  } finally {
    faults?.stop();
  }
}

function judgeRun(
  plan: ServingPlan,
  { log }: Context,
  { output, endings, address }: { readonly output: Output; readonly endings: Endings; readonly address: string },
): ExitCode {
  const { received } = output.totals;
  if (output.writer.failure !== undefined) {
    output.writerFailure();
    return ExitCode.failure;
  }
  if (plan.count !== undefined && received < plan.count && endings.timeOut !== undefined) {
    log.error(`${received} of ${plan.count} datagrams came on ${address} ${endings.timeOut}`);
    return ExitCode.silent;
  }
  return output.failsOnDrop() ? ExitCode.dropped : ExitCode.ok;
}

/** The datagrams that are taken, at most as many as are still wanted; counts them, and those kept out. */
function admit(
  batch: readonly Datagram[],
  admission: AccessList,
  totals: Totals,
  count: number | undefined,
): readonly Datagram[] {
  let taken = admission.open ? batch : batch.filter(({ remote }) => admission.admits(remote));
  totals.denied += batch.length - taken.length;
  const left = (count ?? Infinity) - totals.received;
  if (taken.length > left) taken = taken.slice(0, left);
  totals.received += taken.length;
  return taken;
}

/** How long after the end answers that are delayed leave at their time; then all that are left do at once. */
const LATE_ANSWERS_MS = 1000;

/** Answers what may be answered. */
class Answers {
  readonly #policy: AnswerPolicy;
  readonly #context: Context;
  readonly #server: DatagramServer;
  readonly #output: Output;
  readonly #peers: PeerTable;
  readonly #faults: Faults | undefined;
  readonly #endings: Endings;
  readonly #answer: (datagram: Datagram) => Uint8Array;
  /** How often an answer may be sent at most; 0 if it may be as large as it is. */
  readonly #copies: number;
  /** Aborted when a delayed answer could not be dealt with, for the reason why. */
  readonly #failure = new AbortController();
  #failed = false;
  #amplified = false;
  #looped = false;

  constructor(
    plan: ServingPlan,
    context: Context,
    parts: {
      readonly server: DatagramServer;
      readonly output: Output;
      readonly peers: PeerTable;
      readonly faults: Faults | undefined;
      readonly endings: Endings;
      readonly answer: (datagram: Datagram) => Uint8Array;
    },
  ) {
    const { log } = context;
    this.#context = context;
    this.#server = parts.server;
    this.#output = parts.output;
    this.#peers = parts.peers;
    this.#faults = parts.faults;
    this.#endings = parts.endings;
    this.#answer = parts.answer;
    const mayAmplify = plan.allow !== undefined || plan.amplify === true;
    this.#copies = mayAmplify ? 0 : plan.duplicate === undefined ? 1 : 2;
    this.#policy = new AnswerPolicy({
      local: this.#server.local,
      loopGuard: plan.loopGuard,
      servicePorts: plan.answerServicePorts === true,
      ratePerSecond: plan.rateLimit,
      maxPeers: plan.maxPeers,
      onCorruptedLoop:
        plan.corrupt === undefined
          ? undefined
          : (peer) => {
              this.#tellLoop(peer);
            },
    });
    this.#faults?.begin({
      onDue: (due) => this.#sendDue(due),
      onCorrupted: (remote) => {
        this.#policy.corrupted(remote);
      },
      onOverflow: () => {
        log.warn(`more answers are delayed than ${MAX_WAITING} or ${MAX_WAITING_BYTES} bytes, and are dropped`);
      },
    });
  }

  async give(batch: readonly Datagram[]): Promise<void> {
    const answers: Outgoing[] = [];
    for (const datagram of batch) {
      if (!this.#policy.answers(datagram)) continue;
      const data = this.#answer(datagram);
      if (this.#mayBeSent(datagram, data.length)) answers.push({ data, remote: datagram.remote });
    }
    this.#output.totals.unanswered = this.#policy.declined;
    await this.#send(this.#faults === undefined ? answers : this.#faults.apply(answers));
    this.#failure.signal.throwIfAborted();
  }

  /** Whether an answer is no weapon by its size; counted and, the first time, told if it is. */
  #mayBeSent({ data: question, remote }: Datagram, answerBytes: number): boolean {
    if (!amplifies(question.length, answerBytes * this.#copies) || isLoopback(remote.address)) return true;
    this.#policy.decline();
    if (!this.#amplified) {
      this.#context.log.warn(
        `${formatEndpoint(remote)} is not answered: ${answerBytes} bytes to ${question.length} would be more than 3 times ` +
          'as much, for whoever forges a sender; --allow or --amplify permits it',
      );
    }
    this.#amplified = true;
    return false;
  }

  #tellLoop(peer: Endpoint): void {
    if (!this.#looped) {
      this.#context.log.warn(
        `${formatEndpoint(peer)} is not answered for a second: more than 100 answers to it were corrupted in one, as where ` +
          'two servers answer each other; --no-loop-guard lifts that',
      );
    }
    this.#looped = true;
  }

  async #send(answers: readonly Outgoing[]): Promise<void> {
    const { totals } = this.#output;
    const failures = await this.#server.sendBatch(answers);
    const failed = new Set(failures.map(({ index }) => index));
    const sent = failed.size === 0 ? answers : answers.filter((_, index) => !failed.has(index));
    await this.#output.recordSent(sent);
    totals.sent += answers.length - failures.length;
    for (const { remote } of sent) this.#peers.answered(remote);
    for (const { error } of failures) {
      // One line tells it; a flood of them would tell no more.
      if (!this.#failed) this.#output.peerError(error);
      this.#failed = true;
    }
  }

  async #sendDue(due: readonly Outgoing[]): Promise<void> {
    try {
      await this.#send(due);
    } catch (error) {
      this.#faults?.stop();
      this.#failure.abort(error);
      this.#endings.end();
    }
  }

  /**
   * Nothing more will be asked. Resolves once what is delayed was sent: at its time, but a second after a signal or the end
   * of `--duration` or `--idle` all at once. A second signal gives it up.
   */
  async finish(): Promise<void> {
    if (this.#faults === undefined) return;
    const { force } = this.#context;
    const empty = this.#faults.empty();
    await unlessAborted(empty, [this.#endings.over, force], () => undefined);
    await unlessAborted(empty, [AbortSignal.timeout(LATE_ANSWERS_MS), force], () => undefined);
    if (!force.aborted) this.#faults.hurry();
    await unlessAborted(empty, [force], () => undefined);
    this.#failure.signal.throwIfAborted();
  }
}

/** When a service ends: by a signal, when stdout takes no more, after `--duration`, after `--idle`. */
class Endings {
  readonly #plan: ServingPlan;
  readonly #signal: AbortSignal;
  readonly #server: DatagramServer;
  readonly #receiveNoMore: () => void;
  readonly #over = new AbortController();
  readonly #duration = new Alarm(() => {
    this.#endInTime(`within ${formatDuration(this.#plan.duration ?? 0)}`);
  });
  readonly #idle = new Alarm(() => {
    if (this.#server.queued > 0) this.arrived();
    else this.#endInTime(`before nothing came for ${formatDuration(this.#plan.idle ?? 0)}`);
  });
  #timeOut: string | undefined;

  constructor(plan: ServingPlan, signal: AbortSignal, server: DatagramServer, receiveNoMore: () => void) {
    this.#plan = plan;
    this.#signal = signal;
    this.#server = server;
    this.#receiveNoMore = receiveNoMore;
    if (plan.duration !== undefined) this.#duration.set(plan.duration);
    this.arrived();
    if (signal.aborted) this.end();
    else signal.addEventListener('abort', this.end, { once: true });
  }

  /** Aborted at the end. */
  get over(): AbortSignal {
    return this.#over.signal;
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
    this.end();
  }

  readonly end = (): void => {
    this.stop();
    this.#over.abort();
    this.#receiveNoMore();
  };

  stop(): void {
    this.#duration.stop();
    this.#idle.stop();
    this.#signal.removeEventListener('abort', this.end);
  }
}
