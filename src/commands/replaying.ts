import { CaptureError } from '../capture/capture-error.js';
import { type SkipKind, SkipTally } from '../capture/skip-tally.js';
import { readChunks } from '../input/file-chunks.js';
import { type Replayed, selectReplay } from '../input/replay.js';
import { describeSystemError, systemCode } from '../net/errors.js';
import { waitUntil } from '../timing/alarm.js';
import type { Context } from './context.js';
import { LocalFailure } from './failure.js';
import { unlessAborted } from './interruption.js';
import type { Conversation, Replay } from './messages.js';
import type { SendPlan } from './send-plan.js';

/** What is sent at once, at most, of what is due. */
const MAX_BURST = 64;
/** What a recording ought not to hold, in words: part of what was captured was not sent. */
const LOSSES: ReadonlyMap<SkipKind, string> = new Map([
  ['cut', 'cut short by the capture'],
  ['fragment', 'fragments of datagrams that are not all there'],
  ['malformed', 'malformed'],
]);

/**
 * Sends what the plan selects of a recording, each at its moment after the first; one that lies before another is sent at
 * once.
 *
 * @throws {LocalFailure} for a recording that cannot be read; what came before was sent
 */
export async function sendReplay(
  plan: SendPlan,
  { log }: Context,
  replay: Replay,
  { exchange, interruption, measurement }: Conversation,
): Promise<void> {
  const tally = new SkipTally();
  const { signal } = interruption;
  const over = AbortSignal.any([signal, exchange.enough]);
  const counts = { all: 0, others: 0 };
  const source = requestsOf(replay, selectReplay(readChunks(replay.path), plan.replayFilter, tally, counts));
  const { speed = 1 } = plan;
  const most = measurement === undefined ? MAX_BURST : 1;
  let first: { readonly timeMs: number; readonly startMs: number } | undefined;
  let due: Uint8Array[] = [];
  const flush = async (): Promise<void> => {
    const payloads = due;
    due = [];
    if (payloads.length > 0) await interruption.orThrow(exchange.send(payloads));
  };
  try {
    for (;;) {
      const next = await unlessAborted(source.next(), [signal, exchange.enough], () => undefined);
      if (next === undefined || next.done === true) break;
      const { data, number, timeMs } = next.value;
      if (data.length > replay.limitBytes) {
        await flush();
        throw new LocalFailure(
          `datagram ${number} of ${replay.path} has ${data.length} bytes, and the limit there is ${replay.limitBytes}`,
        );
      }
      if (replay.answers?.isFull === true) throw new LocalFailure(describeFull(replay.path));
      first ??= { timeMs, startMs: performance.now() };
      const dueMs = speed === Infinity ? 0 : first.startMs + (timeMs - first.timeMs) / speed;
      if (dueMs > performance.now()) {
        await flush();
        await waitUntil(dueMs, over);
      }
      if (over.aborted) break;
      due.push(data);
      if (due.length >= most) await flush();
    }
    await flush();
  } catch (error) {
    if (error instanceof CaptureError || systemCode(error) !== undefined) await flush();
    throw describeReadError(replay.path, error);
  } finally {
    // An open file, or a pipe, would keep the process from ending.
    void source.return(undefined).catch(() => undefined);
  }
  if (!over.aborted) {
    tellLosses(tally, replay.path, log);
    const { others, all } = counts;
    if (others > 0 && first !== undefined) {
      log.info(
        `left out as other conversations: ${others} of the ${all} datagrams of ${replay.path} (--replay-filter)`,
      );
    }
  }
  if (!over.aborted && first === undefined) throw new LocalFailure(describeNothing(plan, replay.path));
  if (!over.aborted && replay.answers !== undefined) {
    if (replay.answers.count === 0) throw new LocalFailure(`${replay.path} holds no answers to compare with`);
    if (replay.answers.isFull) throw new LocalFailure(describeFull(replay.path));
    replay.answers.end();
  }
  if (exchange.enough.aborted && exchange.failure === undefined) {
    log.info('enough replies came: the rest of the recording was not sent');
  }
}

/** The requests; of those that were read together with answers, the answers are made known first. */
async function* requestsOf(
  { answers }: Replay,
  source: AsyncGenerator<readonly Replayed[], undefined>,
): AsyncGenerator<Replayed, undefined> {
  for await (const batch of source) {
    for (const { role, data } of batch) if (role === 'answer') answers?.expect(data);
    for (const replayed of batch) if (replayed.role === 'request') yield replayed;
  }
}

function describeReadError(path: string, error: unknown): unknown {
  if (error instanceof CaptureError)
    return new LocalFailure(`cannot replay ${path}: ${error.message}`, { cause: error });
  if (systemCode(error) === undefined || error instanceof LocalFailure) return error;
  return new LocalFailure(`cannot read ${path}: ${describeSystemError(error)}`, { cause: error });
}

function describeFull(path: string): string {
  return `more replies than can be kept came before their answers were read in ${path}: they cannot be compared`;
}

function describeNothing({ replayFilter }: SendPlan, path: string): string {
  return replayFilter === undefined
    ? `${path} holds no datagram to send`
    : `${path} holds no datagram that --replay-filter takes`;
}

function tellLosses(tally: SkipTally, path: string, log: Context['log']): void {
  const losses = tally.entries().flatMap(({ kind, name, count }) => {
    const words = kind === 'not-read' ? `of a kind that is not read: ${name ?? ''}` : LOSSES.get(kind);
    return words === undefined ? [] : [`${count} ${words}`];
  });
  if (losses.length > 0) log.warn(`packets of ${path} that were not sent: ${losses.join(', ')}`);
}
