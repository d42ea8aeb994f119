import { Examiner } from '../check/examiner.js';
import { Judge } from '../check/judge.js';
import type { Measurement } from '../check/measurement.js';
import type { ExpectedReplies } from '../check/expected-replies.js';
import { isBroadcast, isMulticast } from '../net/address/endpoint.js';
import { resolveDestination } from '../net/address/resolve.js';
import { type Address, type Endpoint, type Family, familyOf, type Lookup, MAX_PAYLOAD_BYTES } from '../net/index.js';
import type { Io } from '../run/context.js';
import { LocalFailure } from '../text/failure.js';
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
  /** They are told what happens, in this order. Default: none. */
  readonly observers?: readonly ExchangeObserver[];
  /** Ends the exchange when it is aborted: see {@link ask}. Default: nothing does. */
  readonly signal?: AbortSignal;
  /** Bound on everything, in milliseconds from the call, the look-up of names included. Default: none. */
  readonly deadlineMs?: number | undefined;
  /** Where stdin is, if messages are read from it, and the program that examines replies which take long to examine. */
  readonly io: Pick<Io, 'stdin' | 'examiner'>;
  /**
   * Looks names up; its signal is aborted when the answer is not needed any more. Default: within this process, where a
   * look-up goes on until the resolver has answered.
   */
  readonly lookup?: ((signal: AbortSignal) => Lookup) | undefined;
}

/** The deadline came before everything was sent, so that nothing can be said of the peer. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
  /** What was about to be done, such as "localhost was resolved". */
  readonly milestone: string;

  constructor(milestone: string) {
    super(`the deadline came before ${milestone}`);
    this.milestone = milestone;
  }
}

/**
 * Asks one peer and hears it out. Writes nothing, logs nothing, exits nothing.
 *
 * When `signal` is aborted, or the deadline comes, while replies are awaited, the result is what came until then. The same
 * holds for a `signal` that is aborted while messages are sent.
 *
 * @throws {UsageError} for a plan that cannot be carried out, such as a message that no datagram holds
 * @throws {DatagramError} for a name without an address, a socket that cannot be opened, a message that cannot be sent
 * @throws {LocalFailure} for messages that cannot be read, and where there are none
 * @throws {DeadlineError} for a deadline that came before everything was sent
 * @throws the reason of a `signal` that was aborted before the socket was open
 */
export async function ask(plan: ExchangePlan, options: AskOptions): Promise<CheckResult> {
  const { signal = new AbortController().signal, deadlineMs } = options;
  const interruption = new Interruption(signal, deadlineMs);
  const endMs = performance.now() + (deadlineMs ?? Infinity);
  try {
    return await askUntil(plan, options, interruption, endMs);
  } catch (error) {
    if (error !== interruption) throw error;
    throw interruption.reason === 'deadline' ? new DeadlineError(interruption.milestone) : (signal.reason as Error);
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
      io: options.io,
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
  const measurement = await interruption.orThrow(planMeasurement(plan, candidates[0], source));
  if (measurement !== undefined) observers.tell({ type: 'measuring', measurement });
  await using exchange = await open(plan.source, interruption, {
    candidates,
    client: { ...plan.socket, localAddress: plan.source, lookup, noMemoryTimeoutMs: noMemoryTimeout(endMs) },
    listens: plan.judged || plan.messages.kind === 'typing',
    repliesFrom: plan.repliesFrom,
    judge,
    measurement,
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
  return resultOf(plan, exchange, judge, expected);
}

/** The addresses of the destination, in the order in which they are tried. */
async function resolve(
  { destination, source, socket }: ExchangePlan,
  lookup: Lookup | undefined,
  interruption: Interruption,
  observers: Observers,
): Promise<readonly [Endpoint, ...Endpoint[]]> {
  const { host } = destination;
  const { milestone } = interruption;
  if (host.kind === 'name') interruption.milestone = `${host.name} was resolved`;
  const family = socket.family ?? familyOfSource(source);
  const found = await interruption.orThrow(resolveDestination(destination, family, undefined, lookup));
  interruption.milestone = milestone;
  if (host.kind === 'name') observers.tell({ type: 'resolved', name: host.name, found });
  return withoutSelf(found, source);
}

/** The only family that can be reached from the source, if it is an address: a name's addresses of the other are left out. */
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
    // An exchange that opens after that is closed again.
    opening.then((late) => late[Symbol.asyncDispose]()).catch(() => undefined);
    throw source === undefined ? error : blamedOnBind(error);
  });
  interruption.milestone = milestone;
  return exchange;
}

/** Loaded only here, as few runs need them. */
async function createExpected(): Promise<ExpectedReplies> {
  const { ExpectedReplies: Expected } = await import('../check/expected-replies.js');
  return new Expected();
}

/** How long before the deadline it is told that the system had no memory to send with. */
const TELLING_MS = 100;

/**
 * How long the system is asked again if it has no memory to send with: until shortly before the deadline, so that the
 * failure can say why; without a deadline as long as by default.
 */
function noMemoryTimeout(endMs: number): number | undefined {
  if (endMs === Infinity) return undefined;
  const leftMs = endMs - performance.now();
  return Math.max(0, Math.ceil(leftMs - Math.min(TELLING_MS, leftMs / 4)));
}

/** A probe's request may contain its addresses. */
function rewriteOf({ messages }: ExchangePlan): ExchangeOptions['rewrite'] {
  if (messages.kind !== 'probe') return undefined;
  return async (local, remote) => [await messages.probe.start({ local, remote })];
}

/**
 * Measures the round trips, where replies are awaited of one peer and more than one message is sent. Of a stream that shows
 * only when it comes.
 */
async function planMeasurement(
  { judged, waitMs = Infinity, socket, messages }: ExchangePlan,
  { address }: Endpoint,
  { measures, numbered, rounds }: Source,
): Promise<Measurement | undefined> {
  const many = isMulticast(address) || (socket.broadcast === true && isBroadcast(address));
  if (!judged || many || !measures) return undefined;
  const { Measurement: Measuring } = await import('../check/measurement.js');
  const measurement = new Measuring({ numbered, lateMs: waitMs });
  const isStream = messages.kind === 'stream' && rounds === undefined;
  if (!isStream) await measurement.roundTrips.load();
  return measurement;
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

/** Sends everything; false if there is nothing to wait for, or no time. */
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

/** Waits until enough replies came, nothing can come any more, or the time is over. */
async function awaitReplies(
  { waitMs, retry }: ExchangePlan,
  { first }: Source,
  exchange: Exchange,
  { signal }: Interruption,
  endMs: number,
): Promise<void> {
  const end = (): void => void exchange.endOnTime();
  signal.addEventListener('abort', end, { once: true });
  await exchange.wait(waitMs ?? endMs - performance.now(), first, retry);
  signal.removeEventListener('abort', end);
}
