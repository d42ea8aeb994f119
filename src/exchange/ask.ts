import { Examiner } from '../check/examiner.js';
import { Judge } from '../check/judge.js';
import type { Measurement } from '../check/measurement.js';
import type { ExpectedReplies } from '../check/expected-replies.js';
import { isBroadcast, isMulticast } from '../net/address/endpoint.js';
import { resolveDestination } from '../net/address/resolve.js';
import {
  type Address,
  type DatagramError,
  type DatagramSocketOptions,
  type Endpoint,
  type Family,
  familyOf,
  type Lookup,
  MAX_PAYLOAD_BYTES,
} from '../net/index.js';
import { UsageError } from '../cli/usage-error.js';
import type { Io } from '../run/context.js';
import type { ReadTyping } from '../run/typing.js';
import type { Responders } from '../stats/responders.js';
import { LocalFailure } from '../text/failure.js';
import { type Abortable, OnceSignal } from '../timing/once-signal.js';
import { Interruption } from '../run/interruption.js';
import { blamedOnBind, withoutSelf } from './candidates.js';
import { type ExchangeObserver, Observers } from './events.js';
import { Exchange, type ExchangeOptions } from './exchange.js';
import type { ExchangePlan } from './plan.js';
import { type CheckResult, countSent, resultOf } from './result.js';
import { openSource } from './sources/open.js';
import type { Notes, Pace, Source } from './sources/source.js';

/** Options of {@link ask}. */
export interface AskOptions {
  /** Called with each event, in this order. Default: none. */
  readonly observers?: readonly ExchangeObserver[];
  /** Ends the exchange when it is aborted: see {@link ask}. Default: none. */
  readonly signal?: Abortable & { readonly reason?: unknown };
  /** The time limit of the whole exchange in milliseconds from the call, the look-up of names included. Default: none. */
  readonly deadlineMs?: number | undefined;
  /** `stdin` for messages that are read from it, and the path of the program that examines replies in a thread. */
  readonly io: Pick<Io, 'stdin' | 'examiner'>;
  /** Reads the lines that the user types, for messages of the kind `typing`. Default: the lines of stdin as they come. */
  readonly readTyping?: ReadTyping | undefined;
  /**
   * Makes the function that looks names up. The signal is aborted when the result is not needed any more. Default: look-ups in
   * this process, which cannot be stopped before the resolver replies.
   */
  readonly lookup?: ((signal: AbortSignal) => Lookup) | undefined;
  /** Whether only the median of the round-trip times is wanted, which needs no histogram. Default: false. */
  readonly wantsMedianOnly?: boolean;
}

/** The deadline came before everything was sent. So the exchange says nothing about the peer. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
  /** The step under way, in words that follow "before", for example "localhost was resolved". */
  readonly milestone: string;

  constructor(milestone: string) {
    super(`the deadline came before ${milestone}`);
    this.milestone = milestone;
  }
}

/**
 * Sends messages to one peer, and judges its replies. It writes nothing and logs nothing: observers do. Each call uses new
 * sockets.
 *
 * If the deadline comes while it waits for replies, the result counts the replies until then. If `signal` is aborted after the
 * socket was opened, the result counts the messages and replies until then.
 *
 * @throws {UsageError} for a plan that is impossible, for example with a message that is too large for a datagram
 * @throws {DatagramError} for a name without an address, a socket that cannot be opened, a message that cannot be sent
 * @throws {LocalFailure} for messages that cannot be read, and for no message at all
 * @throws {DeadlineError} for a deadline that came before everything was sent
 * @throws the reason of `signal`, if it has one, if it was aborted before the socket was opened
 */
export async function ask(plan: ExchangePlan, options: AskOptions): Promise<CheckResult> {
  const { deadlineMs } = options;
  const signal: NonNullable<AskOptions['signal']> = options.signal ?? new OnceSignal();
  const interruption = new Interruption(signal, deadlineMs);
  const endMs = performance.now() + (deadlineMs ?? Infinity);
  try {
    return await askUntil(plan, options, interruption, endMs);
  } catch (error) {
    if (error !== interruption) throw error;
    throw interruption.reason === 'deadline'
      ? new DeadlineError(interruption.milestone)
      : ((signal.reason ?? error) as Error);
  } finally {
    interruption.stop();
  }
}

async function askUntil(
  plan: ExchangePlan,
  options: AskOptions,
  interruption: Interruption,
  endMs: number,
): Promise<CheckResult> {
  const observers = new Observers(options.observers ?? []);
  const lookup = options.lookup?.(interruption.signal);
  const candidates = await resolve(plan, lookup, interruption, observers);
  const expected = plan.expectReplay === true ? await createExpected() : undefined;
  const source = await interruption.orThrow(
    openSource(plan, {
      interruption,
      io: options.io,
      readTyping: options.readTyping,
      limitBytes: MAX_PAYLOAD_BYTES[familyOf(candidates[0].address)],
      expected,
      notSent: (notSent) => {
        observers.tell({ type: 'not sent', notSent });
      },
    }),
  );
  const probe = plan.messages.kind === 'probe' ? plan.messages.probe : undefined;
  const examiner = new Examiner(options.io.examiner, { written: plan.written, encoding: plan.encoding });
  const judge = new Judge(plan.expectations, (expected ?? probe)?.judge, examiner);
  const planned = planMeasurement(plan, options, candidates[0], source);
  const measurement = planned && (await interruption.orThrow(planned));
  if (measurement !== undefined) observers.tell({ type: 'measuring', measurement });
  const table = planResponders(plan, candidates[0], source);
  const responders = table && (await interruption.orThrow(table));
  if (responders !== undefined) observers.tell({ type: 'responders', responders });
  await using exchange = await open(plan.source, interruption, {
    candidates,
    client: { ...plan.socket, localAddress: plan.source, lookup, noMemoryTimeoutMs: noMemoryTimeout(endMs) },
    listens: plan.judged || plan.messages.kind === 'typing',
    repliesFrom: plan.repliesFrom,
    judge,
    measurement,
    responders,
    replies: expected === undefined ? (plan.replies ?? 'as-sent') : () => expected.count,
    idleMs: plan.idle,
    rewrite: rewriteOf(plan),
    manySenders: plan.senders === 'each',
    observers: options.observers ?? [],
  });
  await observers.tellOpened({ type: 'opened', exchange, rounds: source.rounds });
  try {
    const { count, duration, interval, rate } = plan;
    const notes = notesTo(observers);
    const pace = { count, duration, interval, rate, interruption, measurement, notes };
    if (await sendAll(source, exchange, pace, plan)) {
      await awaitReplies(plan, source, exchange, interruption, endMs);
    } else if (!plan.judged) await exchange.checkRefusal();
    if (exchange.failure !== undefined) throw exchange.failure;
  } finally {
    observers.tell({ type: 'closing' });
    const isStuck = exchange.isSending;
    await exchange.close(interruption.reason !== undefined);
    observers.tell({ type: 'closed' });
    if (isStuck) interruption.milestone += `; ${countSent(exchange.transmitted)}`;
  }
  const mustSend = interruption.reason === undefined && (plan.judged || plan.messages.kind !== 'typing');
  if (mustSend && exchange.sent === 0) throw new LocalFailure('there was nothing to send');
  const pathMtu = await pathMtuAfter(exchange.peerError, exchange.remote);
  return { ...resultOf(plan, exchange, judge, expected, measurement), pathMtu };
}

/**
 * The MTU of the path after an ICMP error "too big", in bytes with headers; undefined after other errors. The node engine
 * hears the error without the MTU, but the kernel has learned it.
 */
async function pathMtuAfter(error: DatagramError | undefined, remote: Endpoint): Promise<number | undefined> {
  if (error?.code !== 'TOO_LARGE') return undefined;
  if (error.icmp?.mtu !== undefined) return error.icmp.mtu;
  const { pathMtu } = await import('../net/engines/linux/linux-engine.js');
  return pathMtu(remote);
}

/** Resolves the destination to its addresses. They are tried in this order. */
async function resolve(
  { destination, source, socket }: ExchangePlan,
  lookup: Lookup | undefined,
  interruption: Interruption,
  observers: Observers,
): Promise<readonly [Endpoint, ...Endpoint[]]> {
  const { host } = destination;
  const family = socket.family ?? familyOfSource(source);
  if (host.kind !== 'name') return withoutSelf(await resolveDestination(destination, family), source);
  const { milestone } = interruption;
  interruption.milestone = `${host.name} was resolved`;
  const found = await interruption.orThrow(resolveDestination(destination, family, undefined, lookup));
  interruption.milestone = milestone;
  observers.tell({ type: 'resolved', name: host.name, found });
  return withoutSelf(found, source);
}

/** The family of the source address; undefined if the source is a name. From it only destinations of this family are reached. */
function familyOfSource(source: Address | undefined): Family | undefined {
  return source?.host.kind === 'literal' ? familyOf(source.host.address) : undefined;
}

async function open(
  source: Address | undefined,
  interruption: Interruption,
  options: ExchangeOptions,
): Promise<Exchange> {
  const { milestone } = interruption;
  if (source?.host.kind === 'name') interruption.milestone = `${source.host.name} was resolved`;
  const opening = Exchange.open(options);
  const exchange = await interruption.orThrow(opening).catch((error: unknown) => {
    // If the exchange opens after the interruption, it is closed again.
    opening.then((late) => late[Symbol.asyncDispose]()).catch(() => undefined);
    throw source === undefined ? error : blamedOnBind(error);
  });
  interruption.milestone = milestone;
  return exchange;
}

/** Loads the code only here, because few runs compare replies with a recording. */
async function createExpected(): Promise<ExpectedReplies> {
  const { ExpectedReplies: Expected } = await import('../check/expected-replies.js');
  return new Expected();
}

/** The time before the deadline that is left to report a failure to send. */
const TELLING_MS = 100;

/**
 * How long sending is tried again if the system has no memory for it, in milliseconds. It ends shortly before the deadline, so
 * that the error tells the reason, and not just the deadline. Undefined without a deadline: the default of the socket.
 */
function noMemoryTimeout(endMs: number): number | undefined {
  if (endMs === Infinity) return undefined;
  const leftMs = endMs - performance.now();
  return Math.max(0, Math.ceil(leftMs - Math.min(TELLING_MS, leftMs / 4)));
}

/** Writes the request of a probe for another address of the name, because the request may contain the addresses. */
function rewriteOf({ messages }: ExchangePlan): ExchangeOptions['rewrite'] {
  if (messages.kind !== 'probe') return undefined;
  return async (local, remote) => [await messages.probe.start({ local, remote })];
}

/**
 * Makes the measurement of the round trips. Undefined if no replies are awaited, if many hosts may reply, or if the source has
 * a single message and no loss is limited.
 *
 * @throws {UsageError} if the loss is limited, and many hosts may reply
 */
function planMeasurement(
  plan: ExchangePlan,
  options: AskOptions,
  { address }: Endpoint,
  source: Source,
): Promise<Measurement> | undefined {
  const { judged, socket, maxLoss } = plan;
  const many = isForMany(address, socket);
  if (many && maxLoss !== undefined) {
    throw new UsageError("option '--max-loss': many hosts may reply to one request to a group or a broadcast address");
  }
  if (!judged || many || !(source.measures || maxLoss !== undefined)) return undefined;
  return createMeasurement(plan, options, source);
}

async function createMeasurement(
  { waitMs = Infinity, messages }: ExchangePlan,
  { wantsMedianOnly = false }: AskOptions,
  { numbered, rounds }: Source,
): Promise<Measurement> {
  const { Measurement: Measuring } = await import('../check/measurement.js');
  const measurement = new Measuring({ numbered, lateMs: waitMs });
  // A stream may turn out to have a single message: then the code of the measurement is not needed.
  const isStream = messages.kind === 'stream' && rounds === undefined;
  if (!isStream && !wantsMedianOnly) await measurement.roundTrips.load();
  return measurement;
}

/** Whether datagrams to an address may reach many hosts. */
function isForMany(address: string, { broadcast }: DatagramSocketOptions): boolean {
  return isMulticast(address) || (broadcast === true && isBroadcast(address));
}

/** Makes the table of responders. Undefined if no replies are awaited, or only one address may reply. */
function planResponders(
  { judged, socket, repliesFrom }: ExchangePlan,
  { address }: Endpoint,
  source: Source,
): Promise<Responders> | undefined {
  return judged && (repliesFrom === 'anyone' || isForMany(address, socket)) ? createResponders(source) : undefined;
}

async function createResponders({ measures, numbered }: Source): Promise<Responders> {
  const { Responders: Table } = await import('../stats/responders.js');
  return new Table(measures ? numbered : undefined);
}

function notesTo(observers: Observers): Notes {
  return {
    info: (message, fields) => {
      observers.tell({ type: 'note', level: 'info', message, fields });
    },
    warn: (message, fields) => {
      observers.tell({ type: 'note', level: 'warn', message, fields });
    },
  };
}

/** Sends all messages. Returns whether to wait for replies. @throws the interruption, if the deadline came before the end */
async function sendAll(
  source: Source,
  exchange: Exchange,
  pace: Pace,
  { judged, messages }: ExchangePlan,
): Promise<boolean> {
  const { interruption } = pace;
  try {
    await source.send(exchange, pace);
  } catch (error) {
    if (error !== interruption) throw error;
  }
  if (interruption.reason === 'deadline') throw interruption;
  if (interruption.reason !== undefined) return false;
  return (judged || messages.kind === 'typing') && exchange.sent > 0;
}

/** Waits until enough replies came, the peer refused, or the time is over. */
async function awaitReplies(
  { waitMs, retry }: ExchangePlan,
  { first }: Source,
  exchange: Exchange,
  { interrupted }: Interruption,
  endMs: number,
): Promise<void> {
  const end = (): void => void exchange.endOnTime();
  interrupted.addEventListener('abort', end);
  await exchange.wait(waitMs ?? endMs - performance.now(), first, retry);
  interrupted.removeEventListener('abort', end);
}
