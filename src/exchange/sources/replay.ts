import { readChunks } from '../../input/file-chunks.js';
import { describeSystemError, systemCode } from '../../net/errors.js';
import { DatagramError } from '../../net/index.js';
import { CaptureError } from '../../record/capture-error.js';
import { readCapture } from '../../record/reader.js';
import type { Replayed } from '../../record/replay.js';
import { LocalFailure } from '../../text/failure.js';
import { unlessAborted } from '../../run/interruption.js';
import { formatLongDuration } from '../../text/time.js';
import { Alarm, waitUntil } from '../../timing/alarm.js';
import { EvenClock, RecordedClock, type ReplayClock } from '../../timing/replay-clock.js';
import type { Exchange } from '../exchange.js';
import { type ReplayPlan, STDIN } from '../plan.js';
import { repeats } from './pacing.js';
import { ReplayAccount } from './replay-account.js';
import type { Pace, Source, SourceOptions } from './source.js';
import { readStdin } from './stdin.js';

/** The maximum number of datagrams in one send. */
const MAX_BURST = 64;
/** The user is told of a wait of at least this length. */
const LONG_WAIT_MS = 60_000;
/** A datagram that was due before the end of `--duration` is sent at most this much after the end. */
const MAX_LATE_MS = 250;

/**
 * The datagrams of a recording. Each is sent at its recorded time, or by `--rate` or `--interval`. A datagram with an earlier
 * time than the one before it is sent without a pause.
 */
export class ReplaySource implements Source {
  readonly rounds = undefined;
  readonly measures = true;
  readonly #path: string;
  readonly #plan: ReplayPlan;
  readonly #options: SourceOptions;

  /** @param path the file of the recording; `-` is stdin */
  constructor(path: string, plan: ReplayPlan, options: SourceOptions) {
    this.#path = path;
    this.#plan = plan;
    this.#options = options;
  }

  /**
   * Sends the recording.
   *
   * @throws {LocalFailure} for a recording that cannot be read, or has no datagram to send. Datagrams before the error were sent.
   */
  async send(exchange: Exchange, pace: Pace): Promise<void> {
    const name = this.#path === STDIN ? 'stdin' : this.#path;
    const { expected } = this.#options;
    const account = new ReplayAccount(name, this.#plan, expected);
    const recording = { ...this.#options, path: this.#path, name, senders: this.#plan.senders };
    const run = new ReplayRun(recording, createClock(this.#plan), exchange, pace, account);
    let ending: Ending;
    try {
      ending = await run.send();
    } catch (error) {
      if (error === pace.interruption) throw error;
      await run.flush();
      account.tell(pace.notes);
      throw describeReadError(name, error);
    } finally {
      run.stop();
      if (account.notSent !== undefined) this.#options.notSent(account.notSent);
    }
    run.conclude(ending);
  }
}

/** A recording that is being sent. */
interface OpenRecording extends SourceOptions {
  /** The file; `-` is stdin. */
  readonly path: string;
  /** The name of the recording in messages. */
  readonly name: string;
  readonly senders: ReplayPlan['senders'];
}

/** How one pass through a recording ended: at its end, by a signal, by enough replies, or by `--duration`. */
type Ending = 'whole' | 'interrupted' | 'enough' | 'time over';

/** One replay of a recording, with all its passes. */
class ReplayRun {
  readonly #recording: OpenRecording;
  readonly #clock: ReplayClock;
  readonly #exchange: Exchange;
  readonly #pace: Pace;
  readonly #account: ReplayAccount;
  readonly #endMs: number;
  readonly #duration: Alarm;
  /** The signals that end reading. */
  readonly #ends: readonly AbortSignal[];
  /** The signal that ends a wait for the next datagram. */
  readonly #over: AbortSignal;
  /** Datagrams to send next. `sender` is set if each sender has a socket. */
  #due: { readonly payloads: Uint8Array[]; readonly sender: string | undefined } = { payloads: [], sender: undefined };
  #passes = 0;
  #taken = 0;

  constructor(recording: OpenRecording, clock: ReplayClock, exchange: Exchange, pace: Pace, account: ReplayAccount) {
    this.#recording = recording;
    this.#clock = clock;
    this.#exchange = exchange;
    this.#pace = pace;
    this.#account = account;
    this.#endMs = performance.now() + (pace.duration ?? Infinity);
    const timeOver = new AbortController();
    this.#duration = new Alarm(() => {
      timeOver.abort('over');
    });
    if (pace.duration !== undefined) this.#duration.set(pace.duration);
    this.#ends = [pace.interruption.signal, exchange.enough, timeOver.signal];
    this.#over = AbortSignal.any([...this.#ends]);
  }

  /** Sends the recording as often as the plan says, unless it is ended before. */
  async send(): Promise<Ending> {
    const passes = repeats(this.#pace);
    let ending: Ending = 'whole';
    for (let takenBefore = -1; ending === 'whole' && this.#passes < passes && takenBefore < this.#taken;) {
      takenBefore = this.#taken;
      this.#clock.begin();
      ending = await this.#sendOnce();
      this.#passes += 1;
    }
    return ending;
  }

  async #sendOnce(): Promise<Ending> {
    const { selection, tally } = this.#account.beginPass();
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
        // Expected replies are made known before the requests that were read together with them are sent.
        for (const { role, data } of replayed) if (role === 'response') this.#recording.expected?.expect(data);
        for (const datagram of replayed) {
          if (datagram.role !== 'request') continue;
          if (!(await this.#take(datagram, askedMs))) return await this.#endEarly();
        }
        // A pipe may be silent from now on.
        await this.flush();
      }
      return await this.#endEarly();
    } finally {
      // An open file or pipe would keep the process from ending.
      void batches.return(undefined).catch(() => undefined);
      reading.abort();
    }
  }

  #chunks(signal: AbortSignal): AsyncIterable<Uint8Array> {
    const { path, io } = this.#recording;
    return path === STDIN ? readStdin(io.stdin) : readChunks(path, signal);
  }

  async #endEarly(): Promise<Ending> {
    if (this.#pace.interruption.signal.aborted) return 'interrupted';
    if (this.#exchange.enough.aborted) return 'enough';
    // These datagrams were due before the end: they are still sent.
    await this.flush();
    return 'time over';
  }

  /** Sends a datagram at its time, alone or together with the next ones. Resolves to false if the replay ended before. */
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
    const { interruption, measurement } = this.#pace;
    if (interruption.signal.aborted || this.#exchange.enough.aborted) return false;
    if (this.#recording.senders === 'each' && this.#due.sender !== datagram.sender) {
      await this.flush();
      this.#due = { payloads: [], sender: datagram.sender };
    }
    this.#due.payloads.push(datagram.data);
    this.#taken += 1;
    if (this.#passes === 0) this.#account.add(datagram, this.#clock.usesTimes);
    // Datagrams in one send share its time. To measure round trips, each datagram is sent alone.
    if (measurement !== undefined || this.#due.payloads.length >= MAX_BURST) await this.flush();
    return true;
  }

  /** Checks the next datagram. @throws {LocalFailure} if it cannot be sent, or the replies cannot be compared any more */
  #check(datagram: Replayed): void {
    const { data, number } = datagram;
    const { name, limitBytes, expected } = this.#recording;
    if (data.length > limitBytes) {
      throw new LocalFailure(
        `datagram ${number} of ${name} has ${data.length} bytes, more than the limit of ${limitBytes} to that address`,
      );
    }
    if (expected?.isFull === true) throw new LocalFailure(describeFull(name));
    this.#account.addSender(datagram);
  }

  /** Sends the datagrams that are due. */
  async flush(): Promise<void> {
    const { payloads, sender } = this.#due;
    this.#due = { payloads: [], sender };
    if (payloads.length > 0) await this.#pace.interruption.orThrow(this.#exchange.send(payloads, sender));
  }

  #announceWait(waitMs: number): void {
    if (waitMs < LONG_WAIT_MS || !this.#clock.usesTimes) return;
    this.#pace.notes.info(
      `the next datagram of ${this.#recording.name} is due in ${formatLongDuration(waitMs)}; --speed shortens that`,
    );
  }

  /** Tells the user the result. @throws {LocalFailure} if nothing was sent, or the replies cannot be compared */
  conclude(ending: Ending): void {
    const { expected, name } = this.#recording;
    const { notes } = this.#pace;
    const isWhole = ending === 'whole';
    if (isWhole && this.#taken === 0) throw new LocalFailure(this.#account.describeNothing());
    if (ending !== 'interrupted') this.#account.tell(notes);
    if (isWhole && expected !== undefined) {
      if (expected.count === 0) throw new LocalFailure(`${name} holds no answers to compare the replies with`);
      if (expected.isFull) throw new LocalFailure(describeFull(name));
      expected.end();
    }
    if (ending === 'enough' && this.#exchange.failure === undefined) {
      notes.info('enough replies came: the rest of the recording was not sent');
    }
    if (ending === 'time over' && this.#passes === 1) {
      notes.info('the time of --duration was over: the rest of the recording was not sent');
    }
  }

  /** Stops the clock and the reading, after success and failure alike. */
  stop(): void {
    this.#duration.stop();
    // An open stdin would keep the process from ending.
    if (this.#recording.path === STDIN) this.#recording.io.stdin.destroy();
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
  return `too many replies came before their answers were read in ${name}: they cannot be compared`;
}
