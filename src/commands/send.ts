import type { Loss } from '../check/loss.js';
import type { CliCommand, Example } from '../cli/command.js';
import { DatagramError, formatEndpoint } from '../net/index.js';
import { formatDuration, formatMs } from '../text/time.js';
import { Alarm } from '../timing/alarm.js';
import type { Context, Ending, Io, StopSignal } from '../run/context.js';
import { ask, type AskOptions, DeadlineError } from '../exchange/ask.js';
import type { ExchangeObserver } from '../exchange/events.js';
import { explain } from '../exchange/observers/explanation.js';
import { tellLearned } from '../exchange/observers/learned.js';
import { writeExchange } from '../exchange/observers/output.js';
import { watchProgress } from '../exchange/observers/progress.js';
import { type CheckResult, countSent, describeResult, tellTooBig } from '../exchange/result.js';
import { ExitCode, exitCodeOf, pluginState, type Speed, statusIn } from '../run/exit-code.js';
import { describeFailure, LocalFailure } from '../text/failure.js';
import { Interruption, type InterruptionReason, unlessAborted } from '../run/interruption.js';
import { lookupInChild } from '../run/name-lookup.js';
import { addOptions } from '../cli/options.js';
import { Report } from '../run/report.js';
import { type PreparedTap, RunOutput } from '../run/tap.js';
import { FORMATS } from '../output/formats/table.js';
import type { JsonEvent } from '../output/json-lines.js';
import { planOutput } from './options/plan.js';
import { pathOfReplay } from './options/replay-plan.js';
import { formatPluginLine } from '../run/plugin-line.js';
import { describeProbes, planSend, type SendPlan } from './options/send-plan.js';
import { sendOptions, type SendValues } from './options/send.js';
import { UsageError } from '../cli/usage-error.js';

const EXAMPLES: readonly Example[] = [
  { line: 'udpcat send 127.0.0.1:8000 hello', says: 'send one datagram' },
  { line: 'udpcat send 127.0.0.1:7000 hi --expect hi', says: 'status 0 ok, 3 silent, 4 refused' },
  { line: "udpcat send -x 192.0.2.1:53 '12 34 ff'", says: 'hex, for the reply too' },
  { line: 'udpcat send 192.0.2.1 --probe dns:a.example', says: 'check a name server' },
  { line: "printf 'a\\nb\\n' | udpcat send 8000", says: 'one datagram a line' },
  { line: 'udpcat send 8000 --file a.bin -w 1s -o dump', says: 'a file, and the replies' },
];

/** Declares `udpcat send <address> [message...]`. Its action calls `run` with the plan. */
export function declareSend(command: CliCommand, io: Io, run: (plan: SendPlan) => Promise<void>): void {
  command
    .description(
      'Sends datagrams: the messages, files, or stdin. With -w, -n, --expect or --probe it waits for replies.',
    )
    .usage('[options] <address> [message...]')
    .argument('[address]', '127.0.0.1:8000, [::1]:8000, name:8000, 8000 (loopback)')
    .argument('[message...]', 'messages, one datagram each');
  command.examples = EXAMPLES;
  addOptions(command, sendOptions(), command.words);
  command.action(async (address: string | undefined, messages: string[], values: SendValues) => {
    const description = await describeProbes(values.probe);
    if (description !== undefined) {
      command.configureOutput().writeOut?.(description);
      return;
    }
    const output = planOutput(command, values);
    await run(await planSend(address, messages, { ...values, output }, io));
  });
}

/** How long after the deadline the output may take. */
const LAST_WRITES_MS = 50;

/** Sends, waits and judges. Resolves to the exit status, or to the signal that ends the process. */
export async function runSend(plan: SendPlan, context: Context): Promise<Ending> {
  if (plan.advice !== undefined) context.log.warn(plan.advice);
  const interruption = new Interruption(context.stop);
  const output = new RunOutput(plan, context, () => {
    interruption.interrupt('output');
  });
  const report = new Report(plan, context, output);
  tellUnreadStdin(plan, context);
  const deadline = new AbortController();
  const atDeadline = new Alarm(() => {
    if (interruption.reason !== undefined) return;
    // From now on a signal does not change how the run ends.
    interruption.stop();
    deadline.abort('over');
    // A reader that does not read must not delay the end. Otherwise the last replies are still written.
    if (context.stdout.writableLength > 0) output.abandon();
    else new Alarm(output.abandon).set(LAST_WRITES_MS);
  });
  if (plan.deadline !== undefined) {
    context.leaveBy(plan.deadline);
    atDeadline.set(plan.deadline - performance.now());
  }
  let conclusion: Conclusion;
  try {
    const tap = await prepare(plan, output, interruption, deadline.signal);
    const exchange = writeExchange(plan, tap, report, context);
    const result = await ask(plan, askOptions(plan, context, exchange.observer, interruption.signal));
    await exchange.recorded();
    const finished = report.finish(output.close(), tellVerdict(plan, context, result, interruption.reason));
    conclusion = concludeFrom(plan, result);
    const written = await finished.written();
    const writeFailure = written.tellWriteFailure();
    if (writeFailure !== undefined) conclusion = { code: ExitCode.failure, says: writeFailure };
    else if (conclusion.code === ExitCode.ok && written.tellFailOnDrop()) {
      conclusion = { ...conclusion, code: ExitCode.dropped, says: report.totals.drops.describe().join(', ') };
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    conclusion = fail(plan, error === interruption ? undefined : error, report);
    await report.finish(output.close()).recordingClosed;
  } finally {
    atDeadline.stop();
    interruption.stop();
  }
  if (interruption.reason !== 'signal') return tell(plan, context, conclusion);
  const signal = context.stop.reason as StopSignal;
  if (plan.exitCode === 'udpcat') return signal;
  return tell(plan, context, { code: ExitCode.failure, says: `ended by ${signal}` });
}

/** Warns the user of a probe with something on stdin, because the probe does not read it. */
function tellUnreadStdin({ messages }: SendPlan, context: Context): void {
  if (messages.kind !== 'probe' || context.stdinBytes() === 0) return;
  const { name } = messages.probe;
  context.log.warn(
    `the probe ${name} does not read stdin: its arguments give its message; --probe help:${name} tells more`,
  );
}

/** Opens the recording. A pipe may delay this until the deadline or an interruption. */
async function prepare(
  { replay }: SendPlan,
  output: RunOutput,
  interruption: Interruption,
  deadline: AbortSignal,
): Promise<PreparedTap> {
  const preparing = output.prepare(replay === undefined ? undefined : pathOfReplay(replay));
  return interruption.orThrow(
    unlessAborted(preparing, [deadline], () => {
      throw new DeadlineError('everything was sent');
    }),
  );
}

/** @param writes the first observer, so that a reply is written before the others log it */
function askOptions(plan: SendPlan, context: Context, writes: ExchangeObserver, signal: AbortSignal): AskOptions {
  const { messages, deadline, exitCode } = plan;
  // Node cannot stop a look-up. A child process can be killed at the deadline, or at a signal that ends with a status.
  const isBounded = deadline !== undefined || exitCode !== 'udpcat';
  return {
    signal,
    // The option counts from the start of the process, as performance.now() does.
    deadlineMs: deadline === undefined ? undefined : deadline - performance.now(),
    io: context,
    readTyping: async (handlers) => {
      const { readTyping } = await import('../run/typing.js');
      return readTyping(context, plan.encoding, handlers);
    },
    lookup: isBounded ? (ended) => lookupInChild(context, ended) : undefined,
    observers: [
      writes,
      explain(plan, context),
      ...(messages.kind === 'probe' ? [tellLearned(context)] : []),
      watchProgress(plan, context),
    ],
  };
}

/** The outcome of a run of `send`. */
interface Conclusion {
  readonly code: ExitCode;
  /** The same in words. */
  readonly says: string;
  /** From the latest transmission of the first message to the first matching reply, in milliseconds. */
  readonly rttMs?: number | undefined;
  readonly loss?: Loss | undefined;
}

function concludeFrom(plan: SendPlan, result: CheckResult): Conclusion {
  const { verdict, rttMs, loss } = result;
  return { code: exitCodeOf(verdict), says: describe(plan, result), rttMs, loss };
}

function describe(plan: SendPlan, result: CheckResult): string {
  const { waitMs = Infinity, deadline = Infinity, idle = Infinity } = plan;
  return describeResult(plan, result, Math.min(waitMs, deadline, idle));
}

/** Whether stdout is a terminal that shows the round-trip time of each reply. */
function showsTimes({ output, meta }: SendPlan, { terminals }: Context): boolean {
  const { hasEvents, isRaw } = FORMATS[output];
  return terminals.stdout && output !== 'none' && hasEvents !== true && isRaw !== true && meta !== false;
}

/**
 * Logs the verdict, unless the user ended the run before it. A good verdict is logged only at a terminal, for the time of
 * the reply, and only if nothing else tells this time: the line of a probe, the summary of several requests, or stdout.
 *
 * @returns the event for `-o json`
 */
function tellVerdict(
  plan: SendPlan,
  context: Context,
  result: CheckResult,
  interrupted: InterruptionReason | undefined,
): JsonEvent {
  const { log } = context;
  const { verdict, rttMs, matching, unjudged, compared, loss, pathMtu } = result;
  const peer = formatEndpoint(result.remote);
  const says = describe(plan, result);
  const tooBig = tellTooBig(result);
  const missed = verdict === 'silent' || verdict === 'stray';
  const givenUp = interrupted === 'signal' || (interrupted === 'output' && missed);
  const tellsTime =
    plan.judged &&
    plan.stats !== false &&
    context.terminals.stderr &&
    result.sent === 1 &&
    plan.messages.kind !== 'probe' &&
    !showsTimes(plan, context);
  if (verdict !== 'ok' && !givenUp) log.error(says, { verdict, peer });
  else if (!plan.judged && tooBig !== undefined) log.warn(tooBig, { peer });
  else if (couldWait(plan, context) && interrupted === undefined) log.info(ONE_WAY);
  if (verdict === 'ok' && tellsTime) log.info(says, { verdict, peer });
  return {
    type: 'verdict',
    verdict,
    replies: matching,
    ...(unjudged > 0 && { unjudged }),
    ...(rttMs !== undefined && { rttMs: Math.round(rttMs * 1000) / 1000 }),
    address: peer,
    ...(pathMtu !== undefined && { pathMtu }),
    ...(loss !== undefined && { lost: loss.lost, lossPercent: loss.percent }),
    ...(compared !== undefined && { differs: compared.differing, missing: compared.missing }),
    ...(plan.messages.kind === 'probe' && { probe: plan.messages.probe.name, says }),
  };
}

/** Tells a person who sent one-way what would have waited for a reply. */
const ONE_WAY = 'sent, without waiting for a reply: -w 2s waits for one';

/** Whether a person sees how a one-way run ends, and could have asked for a reply. */
function couldWait({ judged, messages, wait, exitCode }: SendPlan, { terminals }: Context): boolean {
  // -w 0 asks to be one-way. Nothing answers a one-way probe.
  const isChosen = wait === 0 || messages.kind === 'typing' || messages.kind === 'probe';
  return terminals.stderr && !judged && !isChosen && exitCode === 'udpcat';
}

/** @param error undefined if the user interrupted the run */
function fail({ deadline = 0 }: SendPlan, error: unknown, report: Report): Conclusion {
  const failure = toBeTold(error, deadline, report.totals.sent);
  if (failure !== undefined) report.failure(failure);
  const queueFull = error instanceof DatagramError && error.code === 'QUEUE_FULL';
  return {
    code: queueFull ? ExitCode.dropped : ExitCode.failure,
    says: describeFailure(failure)?.message ?? 'interrupted',
  };
}

function toBeTold(error: unknown, deadline: number, sent: number): unknown {
  if (!(error instanceof DeadlineError)) return withCount(error, sent);
  return new LocalFailure(`the deadline of ${formatDuration(deadline)} came before ${error.milestone}`);
}

/** Adds the number of sent datagrams to a send error, so that the user sees where the run ended. */
function withCount(error: unknown, sent: number): unknown {
  if (!(error instanceof DatagramError) || error.code !== 'SEND_FAILED') return error;
  return new DatagramError(error.code, `${error.message}; ${countSent(sent)} sent before`, error);
}

/** Returns the exit status in the numbering of `--exit-code`. For `nagios` it writes the plugin line, too. */
function tell({ exitCode, judged, warn, critical }: SendPlan, context: Context, conclusion: Conclusion): number {
  const { code, says, rttMs, loss } = conclusion;
  const speed = code === ExitCode.ok ? speedOf(rttMs, warn, critical) : 'fine';
  const limit = speed === 'fine' ? '' : `, slower than ${formatDuration((speed === 'slow' ? warn : critical) ?? 0)}`;
  if (limit !== '') context.log.warn(`the reply took ${formatMs(rttMs ?? 0)} ms${limit}`);
  if (exitCode === 'nagios') {
    const measured = judged ? { rttMs, warnMs: warn, criticalMs: critical, loss } : undefined;
    context.stdout.write(formatPluginLine(pluginState(code, speed), `${says}${limit}`, measured));
  }
  return statusIn(exitCode, code, speed);
}

function speedOf(rttMs = 0, warnMs = Infinity, criticalMs = Infinity): Speed {
  if (rttMs > criticalMs) return 'too slow';
  return rttMs > warnMs ? 'slow' : 'fine';
}
