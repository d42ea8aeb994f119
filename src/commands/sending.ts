import type { Exchange } from '../check/exchange.js';
import { Alarm, waitUntil } from '../timing/alarm.js';
import type { Context } from './context.js';
import { type Interruption, unlessAborted } from './interruption.js';
import { KeptMessages } from './messages.js';
import type { SendPlan } from './send-plan.js';
import { readTypedLines } from './typed-lines.js';

const DEFAULT_INTERVAL_MS = 1000;

/** What is to be sent: known before the first datagram leaves, or a stream of what comes, or what is being typed. */
export type Messages = readonly Uint8Array[] | AsyncGenerator<readonly Uint8Array[], undefined> | 'typing';

/** What is sent, on what, and what may end it. */
export interface Conversation {
  readonly messages: Messages;
  readonly exchange: Exchange;
  readonly interruption: Interruption;
}

/** Sends everything, by the clock if it is to be repeated; false if the run is over before there is anything to wait for. */
export async function sendMessages(plan: SendPlan, context: Context, conversation: Conversation): Promise<boolean> {
  const { messages, exchange, interruption } = conversation;
  try {
    if (messages === 'typing') await sendTyped(plan, context, conversation);
    else if (Symbol.asyncIterator in messages) await sendStream(plan, context, messages, conversation);
    else await sendRounds(plan, messages, conversation);
  } catch (error) {
    if (error !== interruption) throw error;
  }
  if (interruption.reason === 'deadline') throw interruption;
  if (interruption.reason !== undefined) return false;
  return (plan.judged || messages === 'typing') && exchange.sent > 0;
}

async function sendRounds(
  { count, duration, interval = DEFAULT_INTERVAL_MS }: SendPlan,
  messages: readonly Uint8Array[],
  { exchange, interruption }: Conversation,
  { startMs, firstRound } = { startMs: performance.now(), firstRound: 0 },
): Promise<void> {
  const { signal } = interruption;
  const rounds = count ?? (duration === undefined ? 1 : Infinity);
  const endMs = startMs + (duration ?? Infinity);
  for (let round = firstRound; round < rounds && messages.length > 0; round += 1) {
    const dueMs = startMs + round * interval;
    const nowMs = performance.now();
    // A round that is a little late still belongs to its time; rounds that cannot be kept up with would never end.
    const tooLate = nowMs >= endMs && nowMs - dueMs >= interval;
    if (round > 0 && (dueMs >= endMs || tooLate)) return;
    // A timer takes a millisecond, even for a time that has passed.
    if (dueMs > nowMs) await waitUntil(dueMs, signal);
    if (signal.aborted) return;
    await interruption.orThrow(exchange.send(messages));
  }
}

/** Of a stream so many messages are sent before it is asked again whether enough replies came. */
const MESSAGES_PER_SEND = 64;

async function sendStream(
  plan: SendPlan,
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
  try {
    for (;;) {
      const batch = await unlessAborted(messages.next(), ends, () => undefined);
      if (batch === undefined || batch.done === true) break;
      if (plan.duration !== undefined) kept.add(batch.value);
      for (let from = 0; from < batch.value.length && !exchange.enough.aborted; from += MESSAGES_PER_SEND) {
        await interruption.orThrow(exchange.send(batch.value.slice(from, from + MESSAGES_PER_SEND)));
      }
    }
  } finally {
    duration.stop();
    // An open stdin would keep the process from ending.
    stdin.destroy();
  }
  // What ended before its time is repeated until the time is over.
  if (plan.duration !== undefined && !ends.some(({ aborted }) => aborted)) {
    await sendRounds(plan, kept.all(), conversation, { startMs, firstRound: 1 });
  }
  if (exchange.enough.aborted && exchange.failure === undefined)
    log.info('enough replies came: the rest of the input was not sent');
}

async function sendTyped(
  plan: SendPlan,
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
export async function awaitReplies(plan: SendPlan, conversation: Conversation): Promise<void> {
  const { messages, exchange, interruption } = conversation;
  const end = (): void => void exchange.endOnTime();
  interruption.signal.addEventListener('abort', end, { once: true });
  const [message] = Array.isArray(messages) ? (messages as readonly Uint8Array[]) : [];
  const waitMs = plan.waitMs ?? (plan.deadline ?? 0) - performance.now();
  await exchange.wait(waitMs, message, plan.retry);
  interruption.signal.removeEventListener('abort', end);
}
