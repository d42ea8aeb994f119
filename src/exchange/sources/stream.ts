import { readMessages, type StreamFormat } from '../../input/message-stream.js';
import { ListedRounds } from '../../input/rounds.js';
import type { Io } from '../../run/context.js';
import { unlessAborted } from '../../run/interruption.js';
import { Alarm, waitUntil } from '../../timing/alarm.js';
import type { Schedule } from '../../timing/schedule.js';
import type { Exchange } from '../exchange.js';
import { checkRetry, type ExchangePlan } from '../plan.js';
import { KeptMessages } from './kept-messages.js';
import { createSchedule, endOf } from './pacing.js';
import { Portion } from './portion.js';
import { RoundsSource, sendRounds } from './rounds.js';
import type { Pace, Source } from './source.js';
import { readStdin } from './stdin.js';

/**
 * Makes the source of messages from stdin, cut by `--frame`. Messages are sent as soon as they are read. If each message may
 * be sent several times, all are read before the first is sent.
 *
 * @throws {UsageError} for several messages with `retry`, which is for one message
 * @throws {LocalFailure} for more messages than can be kept to be sent several times
 */
export async function streamSource(
  format: StreamFormat,
  plan: Pick<ExchangePlan, 'count' | 'duration' | 'retry' | 'replies'>,
  io: Pick<Io, 'stdin'>,
  limitBytes: number,
): Promise<Source> {
  const { count = 1, retry } = plan;
  if (count === 1 && retry === undefined) return new StreamSource(io, format, limitBytes);
  const kept = new KeptMessages();
  for await (const batch of readMessages(readStdin(io.stdin), format, limitBytes)) {
    kept.add(batch);
    if (kept.tooMany) break;
  }
  const payloads = kept.all();
  checkRetry(plan, { kind: 'payloads', payloads });
  return RoundsSource.of(payloads, plan);
}

/** Messages from stdin that are sent as soon as they are read. */
class StreamSource implements Source {
  readonly rounds = undefined;
  readonly measures = true;
  readonly #io: Pick<Io, 'stdin'>;
  readonly #format: StreamFormat;
  readonly #limitBytes: number;

  constructor(io: Pick<Io, 'stdin'>, format: StreamFormat, limitBytes: number) {
    this.#io = io;
    this.#format = format;
    this.#limitBytes = limitBytes;
  }

  /**
   * Sends the messages.
   *
   * @throws {StreamError} for a message that is wrong or too large. Messages before it were sent.
   * @throws {LocalFailure} if stdin cannot be read
   */
  async send(exchange: Exchange, pace: Pace): Promise<void> {
    const { stdin } = this.#io;
    const { interruption, notes } = pace;
    const messages = readMessages(readStdin(stdin), this.#format, this.#limitBytes);
    const startMs = performance.now();
    const timeOver = new AbortController();
    const duration = new Alarm(() => {
      timeOver.abort('over');
    });
    if (pace.duration !== undefined) duration.set(pace.duration);
    const kept = new KeptMessages();
    const ends = [exchange.enough, interruption.signal, timeOver.signal];
    const endMs = endOf(pace, startMs);
    const sender = new StreamSender(exchange, pace, { startMs, endMs, ends });
    try {
      for (;;) {
        const askedMs = performance.now();
        const batch = await unlessAborted(messages.next(), ends, () => undefined);
        if (batch === undefined || batch.done === true) break;
        if (pace.duration !== undefined) kept.add(batch.value);
        await sender.send(batch.value, askedMs);
      }
    } finally {
      duration.stop();
      // An open stdin would keep the process from ending.
      stdin.destroy();
    }
    // With --duration, a stream that ended earlier is sent again until the time is over.
    if (pace.duration !== undefined && !ends.some(({ aborted }) => aborted)) {
      await sendRounds(new ListedRounds(kept.all()), exchange, pace, { startMs: sender.startMs, endMs, firstRound: 1 });
    }
    if (exchange.enough.aborted && exchange.failure === undefined)
      notes.info('enough replies came: the rest of the input was not sent');
  }
}

/** Sends the messages of a stream, as they come or at the pace of `--rate`. */
class StreamSender {
  readonly #exchange: Exchange;
  readonly #pace: Pace;
  readonly #startMs: number;
  readonly #portion: Portion;
  readonly #timed: { readonly schedule: Schedule; readonly endMs: number; readonly over: AbortSignal } | undefined;
  #sent = 0;

  constructor(
    exchange: Exchange,
    pace: Pace,
    {
      startMs,
      endMs,
      ends,
    }: { readonly startMs: number; readonly endMs: number; readonly ends: readonly AbortSignal[] },
  ) {
    this.#exchange = exchange;
    this.#pace = pace;
    this.#startMs = startMs;
    this.#portion = new Portion(pace.measurement);
    if (pace.rate !== undefined)
      this.#timed = { schedule: createSchedule(pace, 1, startMs), endMs, over: AbortSignal.any([...ends]) };
  }

  /** The start of the schedule, by `performance.now()`. Each pause of the stream moves the start to a later time. */
  get startMs(): number {
    return this.#timed?.schedule.startMs ?? this.#startMs;
  }

  /** Sends a batch that the stream was asked for at `askedMs`. If the run ends before, the remaining messages are not sent. */
  async send(batch: readonly Uint8Array[], askedMs: number): Promise<void> {
    const { interruption, measurement } = this.#pace;
    const exchange = this.#exchange;
    const portion = this.#portion;
    if (measurement !== undefined && this.#sent + batch.length > 1) await measurement.roundTrips.load();
    this.#postpone(askedMs);
    let from = 0;
    while (from < batch.length && !exchange.enough.aborted) {
      const due = await this.#countDue();
      if (due === 0) return;
      const payloads = batch.slice(from, from + Math.min(due, portion.size));
      const sentMs = performance.now();
      await interruption.orThrow(exchange.send(payloads));
      from += payloads.length;
      this.#sent += payloads.length;
      if (payloads.length === portion.size) portion.took(performance.now() - sentMs);
    }
  }

  /** Postpones the schedule by the time that it waited for the stream, so that no burst follows. */
  #postpone(askedMs: number): void {
    const { schedule } = this.#timed ?? {};
    const nowMs = performance.now();
    const dueMs = schedule?.dueMs(this.#sent, nowMs) ?? Infinity;
    const missingMs = nowMs - Math.max(askedMs, dueMs);
    if (missingMs > 0) schedule?.postpone(missingMs);
  }

  /** Waits until the next message is due. Resolves to the number of messages that are due, 0 if the run is over before. */
  async #countDue(): Promise<number> {
    if (this.#timed === undefined) return Infinity;
    const { schedule, endMs, over } = this.#timed;
    const nowMs = performance.now();
    const untilMs = Math.min(schedule.dueMs(this.#sent, nowMs), endMs);
    if (untilMs > nowMs) await waitUntil(untilMs, over);
    if (over.aborted) return 0;
    // The timer that ends the run may fire late.
    const beforeEnd = Math.max(0, schedule.countBefore(endMs) - this.#sent);
    return Math.min(schedule.countDue(this.#sent, performance.now()), beforeEnd);
  }
}
