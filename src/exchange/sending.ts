import { ListedRounds, type Rounds } from '../input/rounds.js';
import type { Measurement } from '../check/measurement.js';
import { Alarm, waitUntil } from '../timing/alarm.js';
import { Schedule } from '../timing/schedule.js';
import type { Context } from '../run/context.js';
import { unlessAborted } from '../run/interruption.js';
import { type Conversation, KeptMessages } from './messages.js';
import type { ExchangePlan } from './plan.js';
import { readTypedLines } from '../input/typed-lines.js';

const DEFAULT_INTERVAL_MS = 1000;

/** Sends everything, by the clock if it is to be repeated; false if the run is over before there is anything to wait for. */
export async function sendMessages(plan: ExchangePlan, context: Context, conversation: Conversation): Promise<boolean> {
  const { messages, exchange, interruption } = conversation;
  try {
    if (messages === 'typing') await sendTyped(plan, context, conversation);
    else if (Symbol.asyncIterator in messages) await sendStream(plan, context, messages, conversation);
    else if ('path' in messages) {
      const { sendReplay } = await import('./replaying.js');
      await sendReplay(plan, context, messages, conversation);
    } else await sendFromNow(plan, messages, conversation);
  } catch (error) {
    if (error !== interruption) throw error;
  }
  if (interruption.reason === 'deadline') throw interruption;
  if (interruption.reason !== undefined) return false;
  return (plan.judged || messages === 'typing') && exchange.sent > 0;
}

/** How late what was due before the end may be sent after it: a busy moment costs nothing, and a pace too fast has an end. */
const MAX_LATE_MS = 250;

/** So many messages are sent before it is asked again whether that is enough. */
const MESSAGES_PER_SEND = 64;
const MAX_MESSAGES_PER_SEND = 2048;
/** What takes longer to send is more than is to be sent at once: nothing ends meanwhile. */
const LONG_SEND_MS = 10;

/**
 * How many datagrams are given to the exchange at once: where round trips are measured one, because its time is that of all
 * that are given with it; else as many as leave quickly, be it a slow link.
 */
class Portion {
  readonly #most: number;
  #size: number;

  constructor(measurement: Measurement | undefined) {
    this.#most = measurement === undefined ? MAX_MESSAGES_PER_SEND : 1;
    this.#size = Math.min(MESSAGES_PER_SEND, this.#most);
  }

  get size(): number {
    return this.#size;
  }

  /** A whole portion was sent in so many ms. */
  took(ms: number): void {
    if (ms > LONG_SEND_MS) this.#size = Math.max(1, Math.floor(this.#size / 2));
    else this.#size = Math.min(this.#most, this.#size * 2);
  }
}

function createSchedule(
  { rate, interval = DEFAULT_INTERVAL_MS }: ExchangePlan,
  size: number,
  startMs: number,
): Schedule {
  return new Schedule(
    rate === undefined ? { kind: 'rounds', intervalMs: interval, size } : { kind: 'rate', perSecond: rate },
    startMs,
  );
}

async function sendFromNow(plan: ExchangePlan, messages: Rounds, conversation: Conversation): Promise<void> {
  const startMs = performance.now();
  await sendRounds(plan, messages, conversation, { startMs, endMs: endOf(plan, startMs), firstRound: 0 });
}

function endOf({ duration = Infinity }: ExchangePlan, startMs: number): number {
  return startMs + duration;
}

async function sendRounds(
  plan: ExchangePlan,
  messages: Rounds,
  { exchange, interruption, measurement }: Conversation,
  { startMs, endMs, firstRound }: { readonly startMs: number; readonly endMs: number; readonly firstRound: number },
): Promise<void> {
  const { signal } = interruption;
  const { count, duration } = plan;
  const { size } = messages;
  const schedule = createSchedule(plan, size, startMs);
  const portion = new Portion(measurement);
  const wanted = size * (count ?? (duration === undefined ? 1 : Infinity));
  // A burst may not reach beyond the end.
  const end = Math.min(wanted, schedule.countBefore(endMs));
  const graceMs = Math.max(schedule.stepMs, MAX_LATE_MS);
  let index = size * firstRound;
  while (index < end) {
    const nowMs = performance.now();
    const dueMs = schedule.dueMs(index, nowMs);
    // What is a little late still belongs to its time; a pace that cannot be kept up with would never end.
    const tooLate = nowMs >= endMs && nowMs - dueMs >= graceMs;
    if (index > 0 && (dueMs >= endMs || tooLate)) return;
    // A timer takes a millisecond, even for a time that has passed.
    if (dueMs > nowMs) await waitUntil(dueMs, signal);
    if (signal.aborted) return;
    const sentMs = performance.now();
    const due = Math.min(schedule.countDue(index, sentMs), end - index);
    const payloads = messages.take(index, Math.min(due, portion.size));
    await interruption.orThrow(exchange.send(payloads));
    index += payloads.length;
    if (payloads.length === portion.size) portion.took(performance.now() - sentMs);
  }
}

async function sendStream(
  plan: ExchangePlan,
  { stdin, log }: Context,
  messages: AsyncGenerator<readonly Uint8Array[], undefined>,
  conversation: Conversation,
): Promise<void> {
  const { exchange, interruption } = conversation;
  const startMs = performance.now();
  const timeOver = new AbortController();
  const duration = new Alarm(() => {
    timeOver.abort('over');
  });
  if (plan.duration !== undefined) duration.set(plan.duration);
  const kept = new KeptMessages();
  const ends = [exchange.enough, interruption.signal, timeOver.signal];
  const endMs = endOf(plan, startMs);
  const paced = new PacedStream(plan, conversation, { startMs, endMs, ends });
  try {
    for (;;) {
      const askedMs = performance.now();
      const batch = await unlessAborted(messages.next(), ends, () => undefined);
      if (batch === undefined || batch.done === true) break;
      if (plan.duration !== undefined) kept.add(batch.value);
      await paced.send(batch.value, askedMs);
    }
  } finally {
    duration.stop();
    // An open stdin would keep the process from ending.
    stdin.destroy();
  }
  // What ended before its time is repeated until the time is over.
  if (plan.duration !== undefined && !ends.some(({ aborted }) => aborted)) {
    await sendRounds(plan, new ListedRounds(kept.all()), conversation, {
      startMs: paced.startMs,
      endMs,
      firstRound: 1,
    });
  }
  if (exchange.enough.aborted && exchange.failure === undefined)
    log.info('enough replies came: the rest of the input was not sent');
}

/** Sends what comes out of a stream, at once or each message at its moment. */
class PacedStream {
  readonly #conversation: Conversation;
  readonly #startMs: number;
  readonly #pace: { readonly schedule: Schedule; readonly endMs: number; readonly over: AbortSignal } | undefined;
  #sent = 0;

  constructor(
    plan: ExchangePlan,
    conversation: Conversation,
    {
      startMs,
      endMs,
      ends,
    }: { readonly startMs: number; readonly endMs: number; readonly ends: readonly AbortSignal[] },
  ) {
    this.#conversation = conversation;
    this.#startMs = startMs;
    if (plan.rate !== undefined)
      this.#pace = { schedule: createSchedule(plan, 1, startMs), endMs, over: AbortSignal.any([...ends]) };
  }

  /** From when on its schedule counts, as far as the stream had something to send. */
  get startMs(): number {
    return this.#pace?.schedule.startMs ?? this.#startMs;
  }

  /** Sends a batch that was asked for at `askedMs`; what has not left when the run is over is not sent. */
  async send(batch: readonly Uint8Array[], askedMs: number): Promise<void> {
    const { exchange, interruption, measurement } = this.#conversation;
    if (measurement !== undefined && this.#sent + batch.length > 1) await measurement.roundTrips.load();
    this.#postpone(askedMs);
    const most = measurement === undefined ? MESSAGES_PER_SEND : 1;
    let from = 0;
    while (from < batch.length && !exchange.enough.aborted) {
      const due = await this.#countDue();
      if (due === 0) return;
      const payloads = batch.slice(from, from + Math.min(due, most));
      await interruption.orThrow(exchange.send(payloads));
      from += payloads.length;
      this.#sent += payloads.length;
    }
  }

  /** The time in which a batch was due and had been asked for, but was not there to be sent, is not made up for. */
  #postpone(askedMs: number): void {
    const { schedule } = this.#pace ?? {};
    const nowMs = performance.now();
    const dueMs = schedule?.dueMs(this.#sent, nowMs) ?? Infinity;
    const missingMs = nowMs - Math.max(askedMs, dueMs);
    if (missingMs > 0) schedule?.postpone(missingMs);
  }

  /** Waits until the next message is due; how many are by then, 0 if the run is over before. */
  async #countDue(): Promise<number> {
    if (this.#pace === undefined) return Infinity;
    const { schedule, endMs, over } = this.#pace;
    const nowMs = performance.now();
    const untilMs = Math.min(schedule.dueMs(this.#sent, nowMs), endMs);
    if (untilMs > nowMs) await waitUntil(untilMs, over);
    if (over.aborted) return 0;
    // The alarm at the end may ring late.
    const beforeEnd = Math.max(0, schedule.countBefore(endMs) - this.#sent);
    return Math.min(schedule.countDue(this.#sent, performance.now()), beforeEnd);
  }
}

async function sendTyped(
  plan: ExchangePlan,
  { stdin, log }: Context,
  { exchange, interruption }: Conversation,
): Promise<void> {
  await new Promise<void>((resolve) => {
    let sending = Promise.resolve();
    const finish = (): void => {
      reader.stop();
      void sending.then(resolve);
    };
    const reader = readTypedLines(stdin, plan.encoding, {
      line: (payload) => {
        sending = sending
          .then(() => exchange.send([payload]))
          .catch((error: unknown) => {
            log.warn(`not sent: ${error instanceof Error ? error.message : String(error)}`);
          });
      },
      bad: (error) => {
        log.warn(`not sent: ${error.message}`);
      },
      end: finish,
    });
    for (const signal of [exchange.enough, interruption.signal]) {
      if (signal.aborted) finish();
      else signal.addEventListener('abort', finish, { once: true });
    }
  });
}

/** Waits until enough replies came, nothing can come any more, or the time is over. */
export async function awaitReplies(
  plan: ExchangePlan & { readonly deadline: number | undefined },
  conversation: Conversation,
): Promise<void> {
  const { messages, exchange, interruption } = conversation;
  const end = (): void => void exchange.endOnTime();
  interruption.signal.addEventListener('abort', end, { once: true });
  const [message] = messages !== 'typing' && 'take' in messages && messages.size > 0 ? messages.take(0, 1) : [];
  const waitMs = plan.waitMs ?? (plan.deadline ?? 0) - performance.now();
  await exchange.wait(waitMs, message, plan.retry);
  interruption.signal.removeEventListener('abort', end);
}
