import { CaptureError } from '../capture/capture-error.js';
import { SkipTally, type SkipReason } from '../capture/skip-tally.js';
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
/** So much is read ahead that the answer to a request is known before the request is sent. */
const AHEAD = { datagrams: 1024, bytes: 16 * 1024 * 1024 };
/** What a recording ought not to hold, in words: part of what was captured was not sent. */
const LOSSES: readonly (readonly [SkipReason, string])[] = [
  ['cut', 'cut short by the capture'],
  ['fragment', 'fragments of datagrams that are not all there'],
  ['malformed', 'malformed'],
  ['link-type', 'of a link type that is not read'],
];

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
  const source = readAhead(replay, selectReplay(readChunks(replay.path), plan.replayFilter, tally));
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
  if (!over.aborted) tellLosses(tally, replay.path, log);
  if (!over.aborted && first === undefined) throw new LocalFailure(describeNothing(plan, replay.path));
  if (!over.aborted && replay.answers?.count === 0) {
    throw new LocalFailure(`${replay.path} holds no answers to compare with`);
  }
  if (exchange.enough.aborted && exchange.failure === undefined) {
    log.info('enough replies came: the rest of the recording was not sent');
  }
}

/** The requests, each given when so much after it was read that its answers are known, where they are asked for. */
async function* readAhead(
  { answers }: Replay,
  source: AsyncGenerator<readonly Replayed[], undefined>,
): AsyncGenerator<Replayed, undefined> {
  const waiting: { readonly request: Replayed; readonly datagrams: number; readonly bytes: number }[] = [];
  let datagrams = 0;
  let bytes = 0;
  for await (const batch of source) {
    for (const replayed of batch) {
      datagrams += 1;
      bytes += replayed.data.length;
      if (replayed.role === 'request') waiting.push({ request: replayed, datagrams, bytes });
      else answers?.expect(replayed.data);
    }
    const ready = waiting.findIndex(
      (read) =>
        answers !== undefined && datagrams - read.datagrams < AHEAD.datagrams && bytes - read.bytes < AHEAD.bytes,
    );
    for (const { request } of waiting.splice(0, ready < 0 ? waiting.length : ready)) yield request;
  }
  for (const { request } of waiting) yield request;
}

function describeReadError(path: string, error: unknown): unknown {
  if (error instanceof CaptureError)
    return new LocalFailure(`cannot replay ${path}: ${error.message}`, { cause: error });
  if (systemCode(error) === undefined || error instanceof LocalFailure) return error;
  return new LocalFailure(`cannot read ${path}: ${describeSystemError(error)}`, { cause: error });
}

function describeNothing({ replayFilter }: SendPlan, path: string): string {
  return replayFilter === undefined
    ? `${path} holds no datagram to send`
    : `${path} holds no datagram that --replay-filter takes`;
}

function tellLosses({ counts }: SkipTally, path: string, log: Context['log']): void {
  const losses = LOSSES.flatMap(([reason, words]) => {
    const count = counts.get(reason) ?? 0;
    return count === 0 ? [] : [`${count} ${words}`];
  });
  if (losses.length > 0) log.warn(`packets of ${path} that were not sent: ${losses.join(', ')}`);
}
