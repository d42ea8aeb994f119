import { CaptureError } from '../record/capture-error.js';
import { readCapture } from '../record/reader.js';
import { SkipTally } from '../record/skip-tally.js';
import { readChunks } from '../input/file-chunks.js';
import { type Replayed, ReplaySelection } from '../record/replay.js';
import { describeSystemError, systemCode } from '../net/errors.js';
import { DatagramError } from '../net/index.js';
import { formatCount } from '../text/quantity.js';
import { formatLongDuration } from '../text/time.js';
import { Alarm, waitUntil } from '../timing/alarm.js';
import { EvenClock, RecordedClock, type ReplayClock } from '../timing/replay-clock.js';
import type { Context } from '../run/context.js';
import { LocalFailure } from '../text/failure.js';
import { unlessAborted } from '../run/interruption.js';
import { type Conversation, readStdin, type Replay } from './messages.js';
import { describeHeld, type LeftOut, listNotSent, tellJoined, tellNotSent } from './replay-report.js';
import { type ReplayPlan, STDIN } from './plan.js';

/** What is sent at once, at most, of what is due. */
const MAX_BURST = 64;
/** How many senders can have a socket each. */
const MAX_SENDERS = 1024;
/** How many senders are counted, where all datagrams leave from one socket. */
const MAX_COUNTED_SENDERS = 64 * 1024;
/** Before a wait of that length, the user is told how long it is. */
const LONG_WAIT_MS = 60_000;
/** How late a datagram that was due before the end of `--duration` is still sent. */
const MAX_LATE_MS = 250;

/**
 * Sends what the plan selects of a recording, each datagram at its moment, as often as the plan says. A datagram that lies
 * before another in time is sent at once.
 *
 * @throws {LocalFailure} for a recording that cannot be read, or holds nothing to send; what came before was sent
 */
export async function sendReplay(
  plan: ReplayPlan,
  context: Context,
  replay: Replay,
  conversation: Conversation,
): Promise<void> {
  const run = new ReplayRun(plan, context, replay, conversation);
  try {
    await run.send();
  } catch (error) {
    if (error === conversation.interruption) throw error;
    await run.flush();
    run.tell();
    throw describeReadError(replay.name, error);
  } finally {
    run.stop();
  }
  run.conclude();
}

/** How one pass through a recording ended. */
type Ending = 'whole' | 'interrupted' | 'enough' | 'time over';

class ReplayRun {
  readonly #plan: ReplayPlan;
  readonly #context: Context;
  readonly #replay: Replay;
  readonly #conversation: Conversation;
  readonly #clock: ReplayClock;
  readonly #endMs: number;
  readonly #timeOver = new AbortController();
  readonly #duration = new Alarm(() => {
    this.#timeOver.abort('over');
  });
  /** What ends a wait for the recording. */
  readonly #ends: readonly AbortSignal[];
  /** What ends a wait for a datagram to be due. */
  readonly #over: AbortSignal;
  /** What the first pass came to; later ones read the same. */
  #selection: ReplaySelection | undefined;
  #tally = new SkipTally();
  #passes = 0;
  #ending: Ending = 'whole';
  #due: Uint8Array[] = [];
  /** Who sent those that are due, where each sender has a socket. */
  #sender: string | undefined;
  readonly #senders = new Set<string>();
  #taken = 0;
  /** Datagrams of the first pass whose times are not known. */
  #untimed = 0;
  /** Datagrams of the first pass that may be several each. */
  readonly #joined = { count: 0, largestBytes: 0 };

  constructor(plan: ReplayPlan, context: Context, replay: Replay, conversation: Conversation) {
    this.#plan = plan;
    this.#context = context;
    this.#replay = replay;
    this.#conversation = conversation;
    this.#clock = createClock(plan);
    this.#endMs = performance.now() + (plan.duration ?? Infinity);
    if (plan.duration !== undefined) this.#duration.set(plan.duration);
    this.#ends = [conversation.interruption.signal, conversation.exchange.enough, this.#timeOver.signal];
    this.#over = AbortSignal.any([...this.#ends]);
  }

  /** Sends the recording as often as the plan says, unless something ends that before. */
  async send(): Promise<void> {
    const { count, duration } = this.#plan;
    const passes = count ?? (duration === undefined ? 1 : Infinity);
    for (let takenBefore = -1; this.#passes < passes && takenBefore < this.#taken;) {
      takenBefore = this.#taken;
      this.#clock.begin();
      this.#ending = await this.#sendOnce();
      this.#passes += 1;
      if (this.#ending !== 'whole') return;
    }
  }

  async #sendOnce(): Promise<Ending> {
    const { replayFilter } = this.#plan;
    const isFirst = this.#selection === undefined;
    const selection = new ReplaySelection(replayFilter);
    const tally = isFirst ? this.#tally : new SkipTally();
    this.#selection ??= selection;
    const reading = new AbortController();
    const batches = readCapture(this.#chunks(reading.signal), tally);
    try {
      for (;;) {
        const askedMs = performance.now();
        const next = await unlessAborted(batches.next(), this.#ends, () => undefined);
        if (next === undefined) break;
        if (next.done === true) {
          await this.flush();
          return 'whole';
        }
        const replayed = next.value.map((datagram) => selection.take(datagram));
        // Answers are made known before the requests that were read together with them are sent.
        for (const { role, data } of replayed) if (role === 'answer') this.#replay.answers?.expect(data);
        for (const datagram of replayed) {
          if (datagram.role !== 'request') continue;
          if (!(await this.#take(datagram, askedMs))) return await this.#endEarly();
        }
      }
      return await this.#endEarly();
    } finally {
      // An open file, or a pipe, would keep the process from ending.
      void batches.return(undefined).catch(() => undefined);
      reading.abort();
    }
  }

  #chunks(signal: AbortSignal): AsyncIterable<Uint8Array> {
    const { path } = this.#replay;
    return path === STDIN ? readStdin(this.#context.stdin) : readChunks(path, signal);
  }

  async #endEarly(): Promise<Ending> {
    const { interruption, exchange } = this.#conversation;
    if (interruption.signal.aborted) return 'interrupted';
    if (exchange.enough.aborted) return 'enough';
    // What is due was due before the end.
    await this.flush();
    return 'time over';
  }

  /** Sends a datagram at its moment, or has it sent with the next; false if the run is over before. */
  async #take(datagram: Replayed, askedMs: number): Promise<boolean> {
    this.#check(datagram);
    const dueMs = this.#clock.dueMs(datagram.timeMs, askedMs);
    const nowMs = performance.now();
    if (dueMs >= this.#endMs || nowMs >= this.#endMs + MAX_LATE_MS) return false;
    if (dueMs > nowMs) {
      await this.flush();
      this.#announceWait(dueMs - performance.now());
      await waitUntil(dueMs, this.#over);
    }
    const { interruption, exchange, measurement } = this.#conversation;
    if (interruption.signal.aborted || exchange.enough.aborted) return false;
    if (this.#plan.senders === 'each' && this.#sender !== datagram.sender) {
      await this.flush();
      this.#sender = datagram.sender;
    }
    this.#due.push(datagram.data);
    this.#taken += 1;
    if (this.#passes === 0) this.#note(datagram);
    // The round-trip time of datagrams that are sent together is that of the first.
    if (measurement !== undefined || this.#due.length >= MAX_BURST) await this.flush();
    return true;
  }

  /** Notes what there is to tell of a datagram that is sent. */
  #note({ timeMs, data, mayBeJoined }: Replayed): void {
    if (Number.isNaN(timeMs) && this.#clock.usesTimes) this.#untimed += 1;
    if (!mayBeJoined) return;
    this.#joined.count += 1;
    this.#joined.largestBytes = Math.max(this.#joined.largestBytes, data.length);
  }

  /** @throws {LocalFailure} for a datagram that cannot be sent */
  #check({ data, number, sender }: Replayed): void {
    const { name, limitBytes, answers } = this.#replay;
    if (data.length > limitBytes) {
      throw new LocalFailure(
        `datagram ${number} of ${name} has ${data.length} bytes, and the limit there is ${limitBytes}`,
      );
    }
    if (answers?.isFull === true) throw new LocalFailure(describeFull(name));
    if (this.#senders.has(sender)) return;
    if (this.#plan.senders === 'each' && this.#senders.size === MAX_SENDERS) {
      throw new LocalFailure(
        `datagram ${number} of ${name} is from ${sender}, and ${MAX_SENDERS} senders have a socket each already: that is the limit of --senders each; --replay-filter 'src ADDRESS' takes fewer`,
      );
    }
    if (this.#senders.size < MAX_COUNTED_SENDERS) this.#senders.add(sender);
  }

  /** Sends what is due. */
  async flush(): Promise<void> {
    const { exchange, interruption } = this.#conversation;
    const payloads = this.#due;
    this.#due = [];
    if (payloads.length > 0) await interruption.orThrow(exchange.send(payloads, this.#sender));
  }

  #announceWait(waitMs: number): void {
    if (waitMs < LONG_WAIT_MS || !this.#clock.usesTimes) return;
    this.#context.log.info(
      `the next datagram of ${this.#replay.name} is due in ${formatLongDuration(waitMs)}; --speed shortens that`,
    );
  }

  get #leftOut(): LeftOut | undefined {
    if (this.#selection === undefined) return undefined;
    const { unselected } = this.#selection;
    return { unselected, tally: this.#tally, comparesAnswers: this.#replay.answers !== undefined };
  }

  /** Tells what was not sent, and what was not sent as it was recorded. */
  tell(): void {
    const { log } = this.#context;
    const { name } = this.#replay;
    if (this.#leftOut !== undefined) tellNotSent(this.#leftOut, name, this.#plan.replayFilter, log);
    tellJoined(this.#joined.count, this.#joined.largestBytes, name, log);
    const untimed = this.#untimed;
    if (untimed > 0) {
      const were = untimed === 1 ? '1 datagram was' : `${formatCount(untimed)} datagrams were`;
      log.warn(`${were} sent at once: ${name} does not say when`, { untimed });
    }
    const { size } = this.#senders;
    if (size > 1 && this.#plan.senders !== 'each') {
      const senders = `${size === MAX_COUNTED_SENDERS ? 'at least ' : ''}${formatCount(size)} senders`;
      log.info(`the ${senders} of ${name} were replayed from one socket (--senders each gives each its own)`);
    }
  }

  /** Tells what the run came to. @throws {LocalFailure} where that is nothing */
  conclude(): void {
    const { log } = this.#context;
    const { answers, name } = this.#replay;
    const isWhole = this.#ending === 'whole';
    if (isWhole && this.#taken === 0) throw new LocalFailure(this.#describeNothing());
    if (this.#ending !== 'interrupted') this.tell();
    if (isWhole && answers !== undefined) {
      if (answers.count === 0) throw new LocalFailure(`${name} holds no answers to compare with`);
      if (answers.isFull) throw new LocalFailure(describeFull(name));
      answers.end();
    }
    if (this.#ending === 'enough' && this.#conversation.exchange.failure === undefined) {
      log.info('enough replies came: the rest of the recording was not sent');
    }
    if (this.#ending === 'time over' && this.#passes === 1) {
      log.info('the time of --duration was over: the rest of the recording was not sent');
    }
  }

  #describeNothing(): string {
    const { name } = this.#replay;
    const takes = this.#plan.replayFilter === undefined ? 'to send' : 'that --replay-filter takes';
    const held = this.#leftOut === undefined ? '' : describeHeld(this.#leftOut);
    return `${name} holds no datagram ${takes}${held === '' ? '' : `: it holds ${held}`}`;
  }

  /** The run is over, however it ended: counts what was not sent, and reads no more. */
  stop(): void {
    this.#duration.stop();
    // An open stdin would keep the process from ending.
    if (this.#replay.path === STDIN) this.#context.stdin.destroy();
    if (this.#leftOut !== undefined) this.#replay.totals.notSent = listNotSent(this.#leftOut);
  }
}

function createClock({ speed = 1, rate, interval }: ReplayPlan): ReplayClock {
  if (rate !== undefined) return new EvenClock({ kind: 'rate', perSecond: rate });
  if (interval !== undefined) return new EvenClock({ kind: 'rounds', intervalMs: interval, size: 1 });
  return new RecordedClock(speed);
}

function describeReadError(name: string, error: unknown): unknown {
  if (error instanceof CaptureError)
    return new LocalFailure(`cannot replay ${name}: ${error.message}`, { cause: error });
  if (systemCode(error) === undefined || error instanceof LocalFailure || error instanceof DatagramError) return error;
  return new LocalFailure(`cannot read ${name}: ${describeSystemError(error)}`, { cause: error });
}

function describeFull(name: string): string {
  return `more replies than can be kept came before their answers were read in ${name}: they cannot be compared`;
}
