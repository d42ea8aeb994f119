import type { Command } from 'commander';
import { DatagramError } from '../net/index.js';
import { formatDuration, formatMs } from '../text/time.js';
import { Alarm } from '../timing/alarm.js';
import type { Context, Ending, Io, StopSignal } from '../run/context.js';
import { type Conclusion, type ConversationParts, converse, countSent } from '../exchange/conversation.js';
import { ExitCode, pluginState, type Speed, statusIn } from '../run/exit-code.js';
import { describeFailure, LocalFailure } from '../text/failure.js';
import { Interruption } from '../run/interruption.js';
import { addOptions } from '../cli/options.js';
import { Report } from '../run/report.js';
import { RunOutput } from '../run/tap.js';
import { planOutput } from './options/plan.js';
import { formatPluginLine } from '../run/plugin-line.js';
import { describeProbes, planSend, type SendPlan } from './options/send-plan.js';
import { sendOptions, type SendValues } from './options/send.js';
import { UsageError } from '../cli/usage-error.js';

const EXAMPLES = `
Examples:
  udpcat send 127.0.0.1:8000 hello                   one datagram
  udpcat send 127.0.0.1:7000 ping --expect ping      status 0 answered, 3 silent, 4 refused, 5 wrong, 6 stray
  udpcat send -x 192.0.2.1:53 '12 34 ff'             bytes in hex, the reply in hex
  udpcat send 192.0.2.1:53 --probe dns:example.com   a name server, judged by what it answers
  printf 'a\\nb\\n' | udpcat send 127.0.0.1:8000       one datagram a line
  udpcat send 127.0.0.1:8000 --file packet.bin --wait 1s -o dump
`;

/** Declares `udpcat send <address> [message...]`; `run` receives the plan. */
export function declareSend(command: Command, io: Io, run: (plan: SendPlan) => Promise<void>): void {
  command
    .description(
      'Sends datagrams: the messages, files, or what stdin holds; with -w, -n, --expect or --probe it waits for replies.',
    )
    .usage('[options] <address> [message...]')
    .argument('[address]', 'where to send: 127.0.0.1:8000, [::1]:8000, name:8000, 8000')
    .argument('[message...]', 'messages, each one datagram')
    .addHelpText('after', EXAMPLES);
  addOptions(command, sendOptions());
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

/** How long after the deadline what came before it may take to be written. */
const LAST_WRITES_MS = 50;

/** Sends, waits and judges; resolves to the exit status, or to the signal by which to end. */
export async function runSend(plan: SendPlan, context: Context): Promise<Ending> {
  const interruption = new Interruption(context.stop, plan.deadline);
  const output = new RunOutput(plan, context, () => {
    interruption.interrupt('output');
  });
  const report = new Report(plan, context, output);
  if (plan.deadline !== undefined) context.leaveBy(plan.deadline);
  interruption.signal.addEventListener('abort', () => {
    if (interruption.reason !== 'deadline') return;
    // What nobody reads must not hold up the end, and what came at the last moment is still to be written.
    if (context.stdout.writableLength > 0) output.abandon();
    else new Alarm(output.abandon).set(LAST_WRITES_MS);
  });
  let conclusion: Conclusion;
  try {
    const { finished, ...concluded } = await converse(plan, context, { output, report, interruption });
    conclusion = concluded;
    const written = await finished.written();
    const writeFailure = written.tellWriteFailure();
    if (writeFailure !== undefined) conclusion = { code: ExitCode.failure, says: writeFailure };
    else if (conclusion.code === ExitCode.ok && written.tellFailOnDrop()) {
      conclusion = { ...conclusion, code: ExitCode.dropped, says: report.totals.describeDrops() };
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    conclusion = fail(plan, error, { report, interruption });
    await report.finish(output.close()).recordingClosed;
  } finally {
    interruption.stop();
  }
  if (interruption.reason !== 'signal') return tell(plan, context, conclusion);
  const signal = context.stop.reason as StopSignal;
  if (plan.exitCode === 'udpcat') return signal;
  return tell(plan, context, { code: ExitCode.failure, says: `ended by ${signal}` });
}

function fail(
  { deadline = 0 }: SendPlan,
  error: unknown,
  { report, interruption }: Pick<ConversationParts, 'report' | 'interruption'>,
): Conclusion {
  let failure: unknown;
  if (error !== interruption) failure = withCount(error, report.totals.sent);
  else if (interruption.reason === 'deadline') {
    failure = new LocalFailure(`the deadline of ${formatDuration(deadline)} came before ${interruption.milestone}`);
  }
  if (failure !== undefined) report.failure(failure);
  const queueFull = error instanceof DatagramError && error.code === 'QUEUE_FULL';
  return {
    code: queueFull ? ExitCode.dropped : ExitCode.failure,
    says: describeFailure(failure)?.message ?? 'interrupted',
  };
}

/** What the kernel did not take ends the run in the middle: the count says where. */
function withCount(error: unknown, sent: number): unknown {
  if (!(error instanceof DatagramError) || error.code !== 'SEND_FAILED') return error;
  return new DatagramError(error.code, `${error.message}; ${countSent(sent)} sent before`, error);
}

/** The status in the numbering that was asked for, and, where that wants it, the line that says the same. */
function tell({ exitCode, judged, warn, critical }: SendPlan, context: Context, conclusion: Conclusion): number {
  const { code, says, rttMs } = conclusion;
  const speed = code === ExitCode.ok ? speedOf(rttMs, warn, critical) : 'fine';
  const limit = speed === 'fine' ? '' : `, slower than ${formatDuration((speed === 'slow' ? warn : critical) ?? 0)}`;
  if (limit !== '') context.log.warn(`the reply took ${formatMs(rttMs ?? 0)} ms${limit}`);
  if (exitCode === 'nagios') {
    const timing = judged ? { rttMs, warnMs: warn, criticalMs: critical } : undefined;
    context.stdout.write(formatPluginLine(pluginState(code, speed), `${says}${limit}`, timing));
  }
  return statusIn(exitCode, code, speed);
}

function speedOf(rttMs = 0, warnMs = Infinity, criticalMs = Infinity): Speed {
  if (rttMs > criticalMs) return 'too slow';
  return rttMs > warnMs ? 'slow' : 'fine';
}
