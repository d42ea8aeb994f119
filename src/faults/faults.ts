import { wallClockMs } from '../net/clock.js';
import { type Endpoint, type Outgoing } from '../net/index.js';
import { DelayLine } from '../timing/delay-line.js';
import type { ActiveFault } from './active-fault.js';
import type { Fate, Flow, LossName } from './fault.js';
import { Fates } from './fates.js';
import { Numbering } from './numbering.js';

/** How long ago a datagram arrived at most, in milliseconds. More means that the clock of the system was set. */
const MOST_READING_MS = 100;

/** A datagram that the faults act on. */
export interface Grouped extends Outgoing {
  /** The same object for all responses to one request and for their copies. Undefined: the datagram is the only response. */
  readonly together?: object | undefined;
  /**
   * The conversation of the datagram, and its number in it, from 1. Its fate then depends on these numbers only. Undefined: the
   * fate depends on the number of datagrams before it.
   */
  readonly place?: Place | undefined;
  /**
   * When it arrived, in milliseconds since the epoch. Its line and its delay count from then, at most {@link MOST_READING_MS} ago.
   * Undefined: they count from now.
   */
  readonly arrivedMs?: number | undefined;
}

/** The place of a datagram among all datagrams of a direction. */
export interface Place {
  /** The conversation. Only datagrams of one conversation overtake each other by `--reorder`. */
  readonly flow: Flow;
  readonly nth: number;
}

/** What takes a datagram away: a fault, or the bound on the datagrams that wait. */
export type LossCause = LossName | 'overflow';

/**
 * Counts of the faults so far, as they stand in the summary's JSON. Each response and each copy is sent once, or counted once
 * as `lost`, `tooLarge`, `lineFull`, `blackholed`, `overflowed` or `unsent`.
 */
export interface FaultFields {
  /** The same seed gives the same responses the same faults. */
  readonly seed: number;
  /** Responses that the faults were given. */
  readonly answers: number;
  /** Responses lost by `--loss`, `--burst-loss` or `--lose`. */
  readonly lost: number;
  readonly blackholed: number;
  /** Responses lost by `--max-size`. Only if there are any. */
  readonly tooLarge?: number;
  /** Responses and copies lost by `--line-queue`. Only if there are any. */
  readonly lineFull?: number;
  /** Copies made by `--duplicate`. */
  readonly duplicated: number;
  /** Responses that were held back for the next one, even if no next one came. */
  readonly reordered: number;
  /** Responses and copies that waited because of `--delay`, `--jitter` or `--bandwidth`. */
  readonly delayed: number;
  readonly corrupted: number;
  readonly truncated: number;
  /** Responses and copies that were dropped because too many were waiting. */
  readonly overflowed: number;
  /** Responses and copies that still waited at the end, and were given up. */
  readonly unsent: number;
}

/** Functions that {@link Faults} calls. */
export interface FaultEvents<Item> {
  /**
   * Delayed datagrams are due. The promise must not reject. The next call comes after it has settled. Undefined: all of them
   * have left.
   */
  readonly onDue: (due: readonly Item[]) => Promise<void> | undefined;
  /** Bits of a datagram to this peer were flipped. */
  readonly onCorrupted?: (remote: Endpoint) => void;
  /** A datagram was dropped because too many are waiting. Only the first such datagram is told. */
  readonly onOverflow: () => void;
  /** A datagram was lost, or a copy of it. */
  readonly onLost?: (lost: Item, cause: LossCause, isCopy: boolean) => void;
  /** A copy of a datagram was made. */
  readonly onCopied?: (copied: Item) => void;
  /** A datagram that was waiting was given up. */
  readonly onGivenUp?: (unsent: Item) => void;
}

/** Loses, delays, copies and damages datagrams as a bad network does. The same seed gives the same faults. */
export class Faults<Item extends Grouped = Grouped> {
  readonly seed: number;
  readonly #fates: Fates;
  /** Counts responses by peer, if a fault depends on that number. */
  readonly #numbering = new Numbering();
  #numbers: boolean;
  readonly #line = new DelayLine<Item>((due) => this.#events?.onDue(due), {
    flowOf: ({ place }) => place?.flow,
    onGivenUp: (outgoing) => this.#events?.onGivenUp?.(outgoing),
  });
  #events: FaultEvents<Item> | undefined;
  #startMs = performance.now();
  readonly #lost: Record<LossCause, number> = {
    loss: 0,
    burstLoss: 0,
    lose: 0,
    maxSize: 0,
    lineQueue: 0,
    limitData: 0,
    blackhole: 0,
    overflow: 0,
  };
  readonly #counts = { answers: 0, duplicated: 0, reordered: 0, delayed: 0, corrupted: 0, truncated: 0, unsent: 0 };

  /** @param seed a whole number from 0 to 2^32 - 1 */
  constructor(faults: readonly ActiveFault[], seed: number) {
    this.seed = seed;
    this.#fates = new Fates(faults, seed);
    this.#numbers = faults.some(({ name }) => name === 'lose');
  }

  /** Starts the clock of the blackholes. Call it before {@link apply}. @param startMs by `performance.now()` */
  begin(events: FaultEvents<Item>, startMs = performance.now()): void {
    this.#events = events;
    this.#startMs = startMs;
  }

  /** Replaces the faults. Datagrams that wait keep their moments, and faults that acted before keep their state. */
  change(faults: readonly ActiveFault[]): void {
    this.#fates.change(faults);
    this.#numbers = faults.some(({ name }) => name === 'lose');
  }

  /**
   * Decides the fate of datagrams that are ready. Returns the ones to send now. Delayed ones come by `onDue` later. A damaged
   * datagram has a new payload: the given payloads stay as they are.
   *
   * @param nowMs by `performance.now()`
   */
  apply(ready: readonly Item[], nowMs = performance.now()): Item[] {
    const now: Item[] = [];
    const sinceStartMs = nowMs - this.#startMs;
    // What passes between the two readings lets a datagram leave later, not earlier.
    const wallMs = ready[0]?.arrivedMs === undefined ? 0 : wallClockMs();
    const originMs = performance.now() - wallMs;
    for (const outgoing of ready) {
      this.#counts.answers += 1;
      // A datagram in a blackhole draws its random numbers too: so the blackhole does not change the fates after it.
      const fate = this.#fateOf(outgoing, sinceStartMs);
      if (fate.lostBy !== undefined) this.#lose(outgoing, fate.lostBy, false);
      else {
        const { arrivedMs } = outgoing;
        const fromMs =
          arrivedMs === undefined ? nowMs : Math.min(Math.max(arrivedMs + originMs, nowMs - MOST_READING_MS), nowMs);
        this.#send(this.#change(outgoing, fate), fate, fromMs, now);
      }
    }
    return now;
  }

  #fateOf({ data: { length: bytes }, remote, place }: Item, sinceStartMs: number): Fate {
    if (place !== undefined) return this.#fates.at({ bytes, sinceStartMs, nth: place.nth, flow: place.flow });
    return this.#fates.next(bytes, sinceStartMs, this.#numbers ? this.#numbering.next(remote) : 0);
  }

  #lose(outgoing: Item, cause: LossCause, isCopy: boolean): void {
    this.#lost[cause] += 1;
    this.#events?.onLost?.(outgoing, cause, isCopy);
    if (cause === 'overflow' && this.#lost.overflow === 1) this.#events?.onOverflow();
  }

  #change(outgoing: Item, fate: Fate): Item {
    const { data, remote } = outgoing;
    const { keptBytes, flippedBits } = fate;
    if (keptBytes === undefined && flippedBits.length === 0) return outgoing;
    const changed = new Uint8Array(data.subarray(0, keptBytes));
    if (keptBytes !== undefined) this.#counts.truncated += 1;
    for (const bit of flippedBits) changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    if (flippedBits.length > 0) {
      this.#counts.corrupted += 1;
      this.#events?.onCorrupted?.(remote);
    }
    return { ...outgoing, data: changed };
  }

  #send(changed: Item, fate: Fate, fromMs: number, now: Item[]): void {
    const { duplicated, reordered, delaysMs } = fate;
    const outgoing = duplicated ? { ...changed, together: changed.together ?? {} } : changed;
    if (duplicated) {
      this.#counts.duplicated += 1;
      this.#events?.onCopied?.(outgoing);
    }
    if (reordered) this.#counts.reordered += 1;
    this.#leave(outgoing, fate, false, fromMs, now);
    if (duplicated) this.#leave(outgoing, fate, true, fromMs, now);
    if (reordered) return;
    const [firstDelayMs] = delaysMs;
    for (const { outgoing: overtaken, dueMs } of this.#line.overtake(outgoing)) {
      this.#leaveAt(overtaken, Math.max(dueMs, fromMs + firstDelayMs), false, fromMs, now);
    }
  }

  /** Sends a datagram, or its copy, by the line and with its delay. */
  #leave(
    outgoing: Item,
    { line, mostQueueMs, delaysMs, reordered }: Fate,
    isCopy: boolean,
    fromMs: number,
    now: Item[],
  ) {
    const { data, remote } = outgoing;
    const passedMs = line === undefined ? fromMs : line.pass(data.length, remote, fromMs, mostQueueMs);
    if (passedMs === undefined) {
      this.#lose(outgoing, 'lineQueue', isCopy);
      return;
    }
    const dueMs = passedMs + delaysMs[isCopy ? 1 : 0];
    if (dueMs > fromMs) this.#counts.delayed += 1;
    if (!reordered) this.#leaveAt(outgoing, dueMs, isCopy, fromMs, now);
    else if (!this.#line.holdBack(outgoing, dueMs)) this.#lose(outgoing, 'overflow', isCopy);
  }

  #leaveAt(outgoing: Item, dueMs: number, isCopy: boolean, fromMs: number, now: Item[]): void {
    // A datagram whose moment has passed meanwhile waits, too: others that wait may be due before it.
    if (dueMs <= fromMs) now.push(outgoing);
    else if (!this.#line.add(outgoing, dueMs)) this.#lose(outgoing, 'overflow', isCopy);
  }

  /** Resolves once no datagram is waiting. */
  empty(): Promise<void> {
    return this.#line.empty();
  }

  /** Sends all waiting datagrams now, by `onDue`. */
  hurry(): void {
    this.#line.hurry();
  }

  /** Gives up the datagrams that are due after `untilMs`, by `performance.now()`. They count as unsent. */
  cut(untilMs: number): void {
    this.#counts.unsent += this.#line.cut(untilMs);
  }

  /** Ends the faults: `onDue` is not called any more, and waiting datagrams count as unsent. */
  stop(): void {
    this.#counts.unsent += this.#line.stop();
  }

  /** How many datagrams wait. */
  get waiting(): number {
    return this.#line.size;
  }

  /** The counts for JSON. */
  fields(): FaultFields {
    const { answers, duplicated, reordered, delayed, corrupted, truncated, unsent } = this.#counts;
    const { loss, burstLoss, lose, maxSize, lineQueue, blackhole, overflow } = this.#lost;
    return {
      seed: this.seed,
      answers,
      lost: loss + burstLoss + lose,
      blackholed: blackhole,
      ...(maxSize > 0 && { tooLarge: maxSize }),
      ...(lineQueue > 0 && { lineFull: lineQueue }),
      duplicated,
      reordered,
      delayed,
      corrupted,
      truncated,
      overflowed: overflow,
      unsent,
    };
  }

  /** The counts in one line: the responses, and every other count above 0. */
  describe(): string {
    const { seed, ...counts } = this.fields();
    const said = Object.entries(counts).filter(([name, count]) => name === 'answers' || count > 0);
    const inWords = said.map(
      ([name, count]) => `${count} ${name === 'answers' && count === 1 ? 'answer' : wordsOf(name)}`,
    );
    return `faults (--seed ${seed}): ${inWords.join(', ')}`;
  }
}

/** Writes the name of a count in words: `tooLarge` as `too large`. */
function wordsOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
