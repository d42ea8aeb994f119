import { ListedRounds, type Rounds } from '../../input/rounds.js';
import { waitUntil } from '../../timing/alarm.js';
import type { Exchange } from '../exchange.js';
import type { PacePlan } from '../plan.js';
import { createSchedule, endOf, repeats } from './pacing.js';
import { Portion } from './portion.js';
import type { Pace, Source } from './source.js';

/**
 * A message that was due before the end is sent at most this much after the end. So a busy machine still sends all messages,
 * and a pace that is too fast for the machine still ends.
 */
const MAX_LATE_MS = 250;

/** A source whose messages are all known before the first is sent. */
export class RoundsSource implements Source {
  readonly measures: boolean;
  readonly #messages: Rounds;

  constructor(messages: Rounds, plan: PacePlan) {
    this.#messages = messages;
    this.measures = messages.size * repeats(plan) > 1;
  }

  /** Makes a source that sends the same messages in each round. */
  static of(messages: readonly Uint8Array[], plan: PacePlan): RoundsSource {
    return new RoundsSource(new ListedRounds(messages), plan);
  }

  get rounds(): number {
    return this.#messages.size;
  }

  get first(): Uint8Array | undefined {
    return this.rounds === 0 ? undefined : this.#messages.take(0, 1)[0];
  }

  send(exchange: Exchange, pace: Pace): Promise<void> {
    const startMs = performance.now();
    return sendRounds(this.#messages, exchange, pace, { startMs, endMs: endOf(pace, startMs), firstRound: 0 });
  }
}

/**
 * Sends rounds of messages by the clock.
 *
 * @param startMs the time of round 0, by `performance.now()`
 * @param endMs sending ends then; Infinity: with the last round
 * @param firstRound the first round to send
 */
export async function sendRounds(
  messages: Rounds,
  exchange: Exchange,
  pace: Pace,
  { startMs, endMs, firstRound }: { readonly startMs: number; readonly endMs: number; readonly firstRound: number },
): Promise<void> {
  const { interruption } = pace;
  const { interrupted } = interruption;
  const { size } = messages;
  const schedule = createSchedule(pace, size, startMs);
  const portion = new Portion(pace.measurement);
  // Only messages that are due before the end are sent.
  const end = Math.min(size * repeats(pace), schedule.countBefore(endMs));
  const graceMs = Math.max(schedule.stepMs, MAX_LATE_MS);
  let index = size * firstRound;
  while (index < end) {
    const nowMs = performance.now();
    const dueMs = schedule.dueMs(index, nowMs);
    // A message that is a little late is still sent. Without a limit, a pace that is too fast for the machine would not end.
    const tooLate = nowMs >= endMs && nowMs - dueMs >= graceMs;
    if (index > 0 && (dueMs >= endMs || tooLate)) return;
    // Without the test, each message would wait for a timer, which takes a millisecond even for a time in the past.
    if (dueMs > nowMs) await waitUntil(dueMs, interrupted);
    if (interrupted.aborted) return;
    const sentMs = performance.now();
    const due = Math.min(schedule.countDue(index, sentMs), end - index);
    const payloads = messages.take(index, Math.min(due, portion.size));
    await interruption.orThrow(exchange.send(payloads));
    index += payloads.length;
    if (payloads.length === portion.size) portion.took(performance.now() - sentMs);
  }
}
