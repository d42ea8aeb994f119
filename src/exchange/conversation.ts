import { Examiner } from '../check/examiner.js';
import { Exchange, type ExchangeOptions } from './exchange.js';
import type { ExchangeObserver, JudgedEvent, SettledEvent, Transmission, TransmittedEvent } from './events.js';
import { type Finding, Judge, type Verdict } from '../check/judge.js';
import type { RecordedAnswers } from '../check/recorded-answers.js';
import type { NumberedPayloads } from '../input/numbered-payload.js';
import { ListedRounds } from '../input/rounds.js';
import { isBroadcast, isMulticast } from '../net/address/endpoint.js';
import { systemCode } from '../net/errors.js';
import {
  type Datagram,
  type DatagramError,
  type Endpoint,
  type Family,
  familyOf,
  formatEndpoint,
  MAX_PAYLOAD_BYTES,
} from '../net/index.js';
import { resolveDestination } from '../net/address/resolve.js';
import { payloadFields } from '../output/json-lines.js';
import { formatDuration, formatMs } from '../text/time.js';
import type { Measurement } from '../check/measurement.js';
import type { Context } from '../run/context.js';
import { type ExitCode, exitCodeOf } from '../run/exit-code.js';
import { createExplanation, type Explanation } from './explanation.js';
import { LocalFailure } from '../text/failure.js';
import type { Interruption } from '../run/interruption.js';
import {
  checkPayload,
  type Conversation,
  collectMessages,
  generateMessages,
  loadMessages,
  type Messages,
  type Replay,
  streamMessages,
} from './messages.js';
import { lookupInChild } from '../run/name-lookup.js';
import type { FinishedReport, Report } from '../run/report.js';
import type { RunOutput, Tap } from '../run/tap.js';
import { reportBuffers, reportEngine } from '../run/socket-report.js';
import { blamedOnBind, withoutSelf } from './candidates.js';
import { pathOfReplay } from '../commands/options/replay-plan.js';
import type { SendPlan } from '../commands/options/send-plan.js';
import { checkRetry, STDIN } from './plan.js';
import { awaitReplies, sendMessages } from './sending.js';

/** What a run of `send` came to. */
export interface Conclusion {
  readonly code: ExitCode;
  /** The same in words. */
  readonly says: string;
  /** From the latest transmission of the first message to the first matching reply, in milliseconds. */
  readonly rttMs?: number | undefined;
}

/** What a run of `send` writes to, and what may end it before its end. */
export interface ConversationParts {
  readonly output: RunOutput;
  readonly report: Report;
  readonly interruption: Interruption;
}

/** One run of `send`, from the name to the verdict. */
export async function converse(
  plan: SendPlan,
  context: Context,
  { output, report, interruption }: ConversationParts,
): Promise<Conclusion & { readonly finished: FinishedReport }> {
  const explanation = createExplanation(plan, context);
  const replayed = plan.replay === undefined ? undefined : pathOfReplay(plan.replay);
  const preparedTap = await interruption.orThrow(output.prepare(replayed));
  const family = plan.socket.family ?? familyOfSource(plan);
  // A look-up within this process could not be stopped: not at the deadline, nor for a signal that ends with a status.
  const bounded = plan.deadline !== undefined || plan.exitCode !== 'udpcat';
  const lookup = bounded ? lookupInChild(context, interruption.signal) : undefined;
  const { host } = plan.destination;
  const { milestone } = interruption;
  if (host.kind === 'name') interruption.milestone = `${host.name} was resolved`;
  const found = await interruption.orThrow(resolveDestination(plan.destination, family, undefined, lookup));
  interruption.milestone = milestone;
  if (host.kind === 'name') explanation?.say(`${host.name} is ${found.map(({ address }) => address).join(', ')}`);
  const candidates = withoutSelf(found, plan.source);
  const limitBytes = MAX_PAYLOAD_BYTES[familyOf(candidates[0].address)];
  const answers = plan.expectReplay === true ? await createAnswers() : undefined;
  const prepared = await interruption.orThrow(
    prepareMessages(plan, context, { limitBytes, answers, totals: report.totals }),
  );
  const probe = plan.messages.kind === 'probe' ? plan.messages.probe : undefined;
  const examiner = new Examiner(context.examiner, { written: plan.written, encoding: plan.encoding });
  const judge = new Judge(plan.expectations, (answers ?? probe)?.judge, examiner);
  const measurement = await interruption.orThrow(planMeasurement(plan, candidates[0], prepared));
  if (measurement !== undefined) report.totals.measure(measurement);
  const opening = Exchange.open({
    candidates,
    client: {
      ...plan.socket,
      localAddress: plan.source,
      lookup,
      noMemoryTimeoutMs: noMemoryTimeout(plan),
    },
    listens: plan.judged || plan.messages.kind === 'typing',
    repliesFrom: plan.repliesFrom,
    judge,
    measurement,
    replies: answers === undefined ? (plan.replies ?? 'as-sent') : () => answers.count,
    idleMs: plan.idle,
    rewrite: rewriteOf(plan),
    manySenders: plan.senders === 'each',
    observers: [observe(plan, context, { report, explanation, measurement, tapOpening: () => tapOpening })],
  });
  if (plan.source?.host.kind === 'name') interruption.milestone = `${plan.source.host.name} was resolved`;
  await using exchange = await interruption.orThrow(opening).catch((error: unknown) => {
    // What opens after that is closed again.
    opening.then((late) => late[Symbol.asyncDispose]()).catch(() => undefined);
    throw plan.source === undefined ? error : blamedOnBind(error);
  });
  interruption.milestone = milestone;
  // At once, so that replies that come now find it.
  const tapOpening = preparedTap.open({ bound: exchange.local, meta: exchange.hearsEverybody });
  const tap = await tapOpening;
  const messages = typeof prepared === 'function' ? await prepared(exchange) : prepared;
  if (exchange.listens) report.drops.watchKernel(exchange);
  // It takes a millisecond, which a check that is over in a few need not spend on what nobody reads.
  const countsKernel = exchange.listens && report.countsAreRead;
  if (countsKernel) report.drops.askKernel();
  reportEngine(exchange.client, context);
  reportBuffers(plan, exchange.client.kernelBuffers, context);
  explanation?.say(`sending from ${formatEndpoint(exchange.local)} to ${formatEndpoint(exchange.remote)}`);
  const tally = (): void => {
    report.totals.sent = exchange.transmitted;
    report.totals.received = exchange.received;
  };
  const endReports = context.onReport(() => {
    tally();
    report.progress();
  });
  const hideProgress = await startProgress(plan, context, { messages, exchange, measurement });
  try {
    const conversation = { messages, exchange, interruption, measurement };
    const waits = await sendMessages(plan, context, conversation);
    if (waits) await awaitReplies(plan, conversation);
    else if (!plan.judged) await exchange.checkRefusal();
    if (exchange.failure !== undefined) throw exchange.failure;
  } finally {
    // The address, and with it the socket, may have changed since.
    if (countsKernel) report.drops.askKernel();
    const isStuck = exchange.isSending;
    await exchange.close(interruption.reason !== undefined);
    hideProgress();
    endReports();
    tally();
    if (isStuck) interruption.milestone += `; ${countSent(exchange.transmitted)}`;
  }
  await tap.recorded();
  const mustSend = interruption.reason === undefined && (plan.judged || messages !== 'typing');
  if (mustSend && exchange.sent === 0) throw new LocalFailure('there was nothing to send');
  return conclude(plan, context, { output, report, interruption, exchange, judge, answers });
}

/** How much was sent of what was to be, where the kernel took no more. */
export function countSent(sent: number): string {
  return sent === 0 ? 'nothing was' : sent === 1 ? '1 datagram was' : `${sent} datagrams were`;
}

/** Loaded only here, as few runs need them. */
async function createAnswers(): Promise<RecordedAnswers> {
  const { RecordedAnswers: Answers } = await import('../check/recorded-answers.js');
  return new Answers();
}

/** Only for what takes a while, at a terminal where nothing stands that it would garble. */
async function startProgress(
  plan: SendPlan,
  context: Context,
  { messages, exchange, measurement }: Pick<Conversation, 'messages' | 'exchange' | 'measurement'>,
): Promise<() => void> {
  const { stats, output, count = 1, duration } = plan;
  const { log, terminals } = context;
  const takesAWhile = messages !== 'typing' && (count > 1 || duration !== undefined || !('take' in messages));
  if (stats === false || !log.hasStatus || !takesAWhile || (terminals.stdout && output === 'raw'))
    return () => undefined;
  const { showProgress } = await import('./progress-line.js');
  return showProgress(plan, context, { exchange, measurement, size: 'take' in messages ? messages.size : undefined });
}

/** How long before the deadline it is told that the system had no memory to send with. */
const TELLING_MS = 100;

/** What a deadline bounds is tried until shortly before it, so that the failure can say why; else as long as by default. */
function noMemoryTimeout({ deadline }: SendPlan): number | undefined {
  if (deadline === undefined) return undefined;
  const leftMs = deadline - performance.now();
  return Math.max(0, Math.ceil(leftMs - Math.min(TELLING_MS, leftMs / 4)));
}

/** A probe's request may name its addresses. */
function rewriteOf({ messages }: SendPlan): ExchangeOptions['rewrite'] {
  if (messages.kind !== 'probe') return undefined;
  return async (local, remote) => [await messages.probe.start({ local, remote })];
}

/** The only family that can be reached from the source, if it is an address: of a name's others none is a candidate. */
function familyOfSource({ source }: SendPlan): Family | undefined {
  return source?.host.kind === 'literal' ? familyOf(source.host.address) : undefined;
}

/** The messages, or what writes them once the socket is open: some requests name their own address. */
async function prepareMessages(
  plan: SendPlan,
  context: Context,
  { limitBytes, answers, totals }: Pick<Replay, 'limitBytes' | 'answers' | 'totals'>,
): Promise<Messages | ((exchange: Exchange) => Promise<Messages>)> {
  const { messages: source, count = 1, retry, judged } = plan;
  if (source.kind === 'typing') return 'typing';
  if (source.kind === 'probe') {
    return async ({ local, remote }) => {
      const request = await source.probe.start({ local, remote });
      checkPayload(`the request of the probe ${source.probe.name}`, request, limitBytes);
      return new ListedRounds([request]);
    };
  }
  if (source.kind === 'generated') return generateMessages({ bytes: source.bytes, numbered: judged }, limitBytes);
  if (source.kind === 'replay') {
    const { path } = source;
    return { path, name: path === STDIN ? 'stdin' : path, limitBytes, answers, totals };
  }
  if (source.kind !== 'stream') return new ListedRounds(await loadMessages(source, context, limitBytes));
  if (count === 1 && retry === undefined) return streamMessages(context.stdin, source.format, limitBytes);
  const messages = await collectMessages(context.stdin, source.format, limitBytes);
  checkRetry(plan, { kind: 'payloads', payloads: messages });
  return new ListedRounds(messages);
}

/**
 * What is to measure the round trips: where replies are awaited of one peer, and more than one message is sent. Of a stream
 * that shows only when it comes.
 */
async function planMeasurement(
  { judged, count, duration, waitMs = Infinity, broadcast }: SendPlan,
  { address }: Endpoint,
  messages: Messages | ((exchange: Exchange) => Promise<Messages>),
): Promise<Measurement | undefined> {
  const many = isMulticast(address) || (broadcast === true && isBroadcast(address));
  if (!judged || many || messages === 'typing') return undefined;
  const isStream = Symbol.asyncIterator in messages;
  const isReplay = 'path' in messages;
  const rounds = count ?? (duration === undefined ? 1 : Infinity);
  const size = 'size' in messages ? messages.size : 1;
  if (!isStream && !isReplay && size * rounds <= 1) return undefined;
  const { Measurement: Measuring } = await import('../check/measurement.js');
  const numbered = 'run' in messages ? (messages as NumberedPayloads) : undefined;
  const measurement = new Measuring({ numbered, lateMs: waitMs });
  if (!isStream) await measurement.roundTrips.load();
  return measurement;
}

/** Strays that are told one by one; a flood of them is only counted. */
const MAX_STRAY_LINES = 10;
/** Replies to a probe whose content is told, as many as one network may have hosts. */
const MAX_LEARNED_LINES = 1000;

function observe(
  plan: SendPlan,
  { log }: Context,
  {
    report,
    explanation,
    measurement,
    tapOpening,
  }: {
    readonly report: Report;
    readonly explanation: Explanation | undefined;
    readonly measurement: Measurement | undefined;
    /** The tap that its datagrams go through. */
    readonly tapOpening: () => Promise<Tap>;
  },
): ExchangeObserver {
  const isProbe = plan.messages.kind === 'probe';
  const { record } = plan;
  let learned = 0;
  let tap: Tap | undefined;
  const at = (local: Endpoint, batch: readonly Datagram[]): readonly Datagram[] =>
    batch.map((datagram) => (datagram.local === undefined ? { ...datagram, local } : datagram));
  return {
    replies: async ({ batch, local }) => {
      tap ??= await tapOpening();
      const kept = record === undefined ? batch : await tap.recordReceived(at(local, batch));
      await tap.write(kept.length === batch.length ? batch : batch.slice(0, kept.length));
    },
    strays: ({ batch, local }) => {
      for (const { remote, data } of batch) {
        const from = formatEndpoint(remote);
        report.totals.strays += 1;
        if (report.totals.strays <= MAX_STRAY_LINES) {
          log.warn(`${from} sent ${data.length} bytes, and is not the address asked: left out (--any-source)`, {
            from,
          });
        }
        if (plan.explain === true)
          explanation?.say(`${from} sent ${describePayloads([data])}, and is not the address asked`);
        report.event({ type: 'stray', from, size: data.length, ...payloadFields(data) });
      }
      if (record === undefined) return;
      const recorded = (opened: Tap): unknown => opened.recordReceived(at(local, batch));
      // A recording that cannot be opened ends the run by itself.
      tapOpening().then(recorded, () => undefined);
    },
    ...((explanation !== undefined || record !== undefined) && {
      transmitted: async ({ payloads, why, local, remote, timesMs }: TransmittedEvent) => {
        if (why === 'message') explanation?.waitBegins();
        explanation?.say(`sent ${describePayloads(payloads)}${WHY_SENT[why]}`);
        if (record === undefined) return;
        tap ??= await tapOpening();
        await tap.recordSent(
          payloads.map((data) => ({ data, remote, local })),
          timesMs,
        );
      },
    }),
    ...((explanation !== undefined || isProbe) && {
      judged: ({ batch, findings, repliesFrom }: JudgedEvent) => {
        for (const [index, { remote, data }] of batch.entries()) {
          const { outcome, says } = findings[index] as Finding;
          const from = formatEndpoint(remote);
          explanation?.say(
            `${from} replied with ${describePayloads([data])}: ${outcome}${says === undefined ? '' : `, ${says}`}`,
          );
          if (isProbe && outcome === 'match' && (learned += 1) <= MAX_LEARNED_LINES) {
            log.info(repliesFrom === 'anyone' ? `${says ?? ''} (${from})` : (says ?? ''), { peer: from });
          }
        }
      },
    }),
    ...(explanation !== undefined && {
      settled: ({ finding: { outcome, says = '' } }: SettledEvent) => {
        explanation.say(`${outcome}: ${says}`);
      },
    }),
    'peer error': ({ error }) => {
      if (measurement !== undefined && error.code === 'REFUSED') measurement.refused += 1;
      report.peerError(error, plan.messages.kind === 'typing' ? 'warn' : 'debug');
      if (plan.explain === true) explanation?.say(error.message);
    },
    'next address': ({ next, why }) => {
      explanation?.say(`${why.message}; trying ${formatEndpoint(next)}`);
    },
    dropped: ({ count }) => {
      report.drops.queueDropped(count);
    },
    'receive error': ({ error }) => {
      report.receiveError(error);
    },
    left: ({ count }) => {
      report.drops.queueLeft(count);
      explanation?.say(`${count} more replies came, and were not judged in time`);
    },
  };
}

/** Why datagrams were sent, as `--explain` tells it. */
const WHY_SENT: Readonly<Record<Transmission, string>> = {
  message: '',
  retransmission: ' (retransmission)',
  'follow-up': ' (answer)',
  'next address': ' (next address)',
};

function describePayloads(payloads: readonly Uint8Array[]): string {
  const bytes = payloads.reduce((sum, { length }) => sum + length, 0);
  const size = `${bytes} ${bytes === 1 ? 'byte' : 'bytes'}`;
  return payloads.length === 1 ? size : `${payloads.length} datagrams, ${size}`;
}

/** Tells what the conversation came to. */
function conclude(
  plan: SendPlan,
  { log }: Context,
  { output, report, exchange, judge, answers, interruption }: Outcome & ConversationParts,
): Conclusion & { readonly finished: FinishedReport } {
  const peer = formatEndpoint(exchange.remote);
  const verdict = plan.judged
    ? judge.verdict(exchange.wanted)
    : judge.refused && plan.messages.kind !== 'typing'
      ? 'refused'
      : 'ok';
  const { rttMs } = exchange;
  const says =
    verdict === 'ok'
      ? describeSuccess(plan, { exchange, judge })
      : describe(verdict, plan, { exchange, judge, answers });
  // Who interrupts the wait, or reads no more, knows that it was not waited for long enough, but not what came until then.
  const missed = verdict === 'silent' || verdict === 'stray';
  const givenUp = interruption.reason === 'signal' || (interruption.reason === 'output' && missed);
  if (verdict !== 'ok' && !givenUp) log.error(says, { verdict, peer });
  const finished = report.finish(output.close(), {
    type: 'verdict',
    verdict,
    replies: judge.matching,
    ...(judge.unjudged > 0 && { unjudged: judge.unjudged }),
    ...(rttMs !== undefined && { rttMs: Math.round(rttMs * 1000) / 1000 }),
    address: peer,
    ...(answers !== undefined && { differs: answers.differing, missing: answers.missing }),
    ...(plan.messages.kind === 'probe' && { probe: plan.messages.probe.name, says }),
  });
  return { code: exitCodeOf(verdict), says, rttMs, finished };
}

interface Outcome {
  readonly exchange: Exchange;
  readonly judge: Judge;
  /** What the replies were compared with, if it was a recording. */
  readonly answers?: RecordedAnswers | undefined;
}

function describeSuccess({ judged, messages }: SendPlan, { exchange, judge }: Outcome): string {
  const peer = formatEndpoint(exchange.remote);
  if (!judged) return `sent ${exchange.sent} ${exchange.sent === 1 ? 'datagram' : 'datagrams'} to ${peer}`;
  const time = exchange.rttMs === undefined ? '' : ` in ${formatMs(exchange.rttMs)} ms`;
  const answered = judge.matching === 1 ? 'answered' : `gave ${judge.matching} replies, the first`;
  const told = messages.kind === 'probe' ? judge.learned : undefined;
  return told ?? `${peer} ${answered}${time}`;
}

function describe(
  verdict: Exclude<Verdict, 'ok'>,
  { waitMs = Infinity, deadline = Infinity, idle = Infinity }: SendPlan,
  { exchange, judge, answers }: Outcome,
): string {
  const absent = answers?.describeMissing();
  const missing = absent === undefined ? '' : `; ${absent}`;
  const peer = formatEndpoint(exchange.remote);
  const time = formatDuration(Math.min(waitMs, deadline, idle));
  switch (verdict) {
    case 'silent':
      if (judge.pending !== undefined && judge.matching === 0)
        return `${peer} did not finish its answer within ${time}: ${judge.pending}`;
      if (judge.unjudged > 0)
        return `${peer} replied, and ${judge.unjudged} of its replies could not be judged within ${time}${missing}`;
      return judge.matching === 0
        ? `${peer} did not answer within ${time}`
        : `${peer} gave ${judge.matching} of ${exchange.wanted} replies within ${time}${missing}`;
    case 'refused':
      return describeRefusal(exchange.refusal) ?? `${peer} refused: nobody listens there, or a firewall prohibits it`;
    case 'mismatch':
      if (judge.failedProbe)
        return `${answers?.describeDiffering() ?? judge.mismatch ?? ''} (${formatEndpoint(exchange.mismatched ?? exchange.remote)})${missing}`;
      return `the reply from ${formatEndpoint(exchange.mismatched ?? exchange.remote)} ${judge.mismatch ?? ''}${missing}`;
    case 'stray':
      return `${peer} did not answer within ${time}, but other addresses did (--any-source takes their replies)`;
  }
}

/** What was told apart; undefined for what may be either: "port unreachable" is what firewalls say as well. */
function describeRefusal(refusal: DatagramError | undefined): string | undefined {
  return refusal?.icmp === undefined || systemCode(refusal.cause) === 'ECONNREFUSED' ? undefined : refusal.message;
}
