import type { Measurement } from '../../check/measurement.js';
import { ListedRounds, type Rounds } from '../../input/rounds.js';
import { waitUntil } from '../../timing/alarm.js';
import type { Exchange } from '../exchange.js';
import type { PacePlan } from '../plan.js';
import { createSchedule, endOf, repeats } from './pacing.js';
import type { Pace, Source } from './source.js';

/** How late what was due before the end may be sent after it: a busy moment costs nothing, and a pace too fast has an end. */
const MAX_LATE_MS = 250;

/** So many messages are sent before the exchange is asked again whether that is enough. */
export const MESSAGES_PER_SEND = 64;
const MAX_MESSAGES_PER_SEND = 2048;
/** Messages that take longer to send are too many to be sent at once: nothing can end meanwhile. */
const LONG_SEND_MS = 10;

/**
 * How many datagrams are given to the exchange at once. Where round trips are measured that is one, because datagrams that
 * are given together have the same time. Else it is as many as leave quickly, be it a slow link.
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

/** Messages that are all known before the first is sent. */
export class RoundsSource implements Source {
  readonly measures: boolean;
  readonly #messages: Rounds;

  constructor(messages: Rounds, plan: PacePlan) {
    this.#messages = messages;
    this.measures = messages.size * repeats(plan) > 1;
  }

  /** Rounds in which each message is the same every time. */
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

/** Sends rounds by the clock, from a round on. */
export async function sendRounds(
  messages: Rounds,
  exchange: Exchange,
  pace: Pace,
  { startMs, endMs, firstRound }: { readonly startMs: number; readonly endMs: number; readonly firstRound: number },
): Promise<void> {
  const { interruption } = pace;
  const { signal } = interruption;
  const { size } = messages;
  const schedule = createSchedule(pace, size, startMs);
  const portion = new Portion(pace.measurement);
  // A burst may not reach beyond the end.
  const end = Math.min(size * repeats(pace), schedule.countBefore(endMs));
  const graceMs = Math.max(schedule.stepMs, MAX_LATE_MS);
  let index = size * firstRound;
  while (index < end) {
    const nowMs = performance.now();
    const dueMs = schedule.dueMs(index, nowMs);
    // A message that is a little late still belongs to its time; a pace that cannot be kept up with would never end.
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
