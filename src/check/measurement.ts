import { type Finding, onceSettled } from './finding.js';
import type { Judge } from './judge.js';
import { percentOf } from './percent.js';
import type { PayloadHeader } from '../input/numbered-header.js';
import type { NumberedPayloads } from '../input/numbered-payload.js';
import type { Datagram } from '../net/index.js';
import { Requests } from './requests.js';
import { type Bucket, type RoundTripSummary, RoundTrips } from './round-trips.js';

const IS_CORRUPTED = 'is corrupted: the check that it carries does not hold';

/** The fields that a measurement adds to the summary's JSON. Each is described at the getter of its name. */
export interface MeasuredFields {
  readonly lost: number;
  /** The lost requests in percent. */
  readonly lossPercent: number;
  readonly duplicated: number;
  /** Null if replies were matched by order, because it cannot be known then. */
  readonly reordered: number | null;
  /** Null if replies were matched by order, because it cannot be known then. */
  readonly corrupted: number | null;
  readonly late: number;
  readonly refused: number;
  readonly matchedBy: 'content' | 'order';
  /** Null without a reply. */
  readonly rtt: RoundTripSummary | null;
  readonly histogram: readonly Bucket[];
}

/**
 * Matches replies to requests, counts them, and measures round-trip times. All results can be read at any moment.
 *
 * A reply that echoes a generated payload is matched by content, because the payload carries the number of its request. Any
 * other reply is matched by order: if it meets the expectations, it belongs to the oldest request without a reply. Once a
 * reply came in time, requests whose time is over are passed over: they are lost.
 *
 * Once a payload of this run comes back unchanged, the peer is known to echo. From then on only echoes count. Replies that
 * were matched by order before are taken back, and count as unmatched.
 */
export class Measurement {
  readonly roundTrips = new RoundTrips();
  readonly #requests = new Requests();
  readonly #numbered: NumberedPayloads | undefined;
  readonly #lateMs: number;
  /** Whether a payload of this run came back unchanged. */
  #echoes = false;
  /** Replies that were matched by order. */
  #byOrder = 0;
  /** See the getters of the same names. */
  readonly #counts = {
    replied: 0,
    duplicated: 0,
    reordered: 0,
    corrupted: 0,
    late: 0,
    mismatched: 0,
    unmatched: 0,
    answered: 0,
  };
  #lastRttMs: number | undefined;
  /** The largest number of a request that got an echo. */
  #largest = -1;
  /** ICMP errors that said that a request was refused. */
  refused = 0;

  /**
   * @param options.numbered the generator of the requests, if their payloads carry numbers
   * @param options.lateMs a reply that takes longer is late; Infinity: no reply is
   */
  constructor(options: { readonly numbered?: NumberedPayloads | undefined; readonly lateMs: number }) {
    this.#numbered = options.numbered;
    this.#lateMs = options.lateMs;
  }

  /** Requests that were sent. */
  get requests(): number {
    return this.#requests.count;
  }

  /** Requests that got a reply. Further replies to the same request do not count. */
  get replied(): number {
    return this.#counts.replied;
  }

  /** Requests without a reply so far. Refused requests are among them. */
  get lost(): number {
    return this.requests - this.#counts.replied;
  }

  /** Replies beyond the first to each request. */
  get duplicated(): number {
    return this.#counts.duplicated;
  }

  /** First replies that came after the reply to a later request (RFC 4737 section 3.3). */
  get reordered(): number {
    return this.#counts.reordered;
  }

  /** Echoes whose checksum shows that bytes were changed, added or cut off. */
  get corrupted(): number {
    return this.#counts.corrupted;
  }

  /** First replies that took longer than `lateMs`. */
  get late(): number {
    return this.#counts.late;
  }

  /** Requests whose first reply came in time, and met the expectations. */
  get answered(): number {
    return this.#counts.answered;
  }

  /** Replies that failed an expectation. */
  get mismatched(): number {
    return this.#counts.mismatched;
  }

  /**
   * Replies that belong to no remembered request of this run. If the peer echoes, these are also all replies that are no
   * echoes.
   */
  get unmatched(): number {
    return this.#counts.unmatched;
  }

  /** How replies were matched to requests: see {@link Measurement}. */
  get matchedBy(): 'content' | 'order' {
    return this.#numbered?.run === undefined || this.#byOrder > 0 ? 'order' : 'content';
  }

  /** The next requests are being given to the kernel. `timeMs` is now, by the wall clock. */
  sending(count: number, timeMs: number): void {
    for (let index = 0; index < count; index += 1) this.#requests.add(timeMs);
  }

  /** The kernel took the last requests, except for `refused` of them. @param timesMs when it took each, by the wall clock */
  taken(refused: number, timesMs: Float64Array): void {
    this.#requests.withdraw(refused);
    this.#requests.sentAt(timesMs);
  }

  /** All requests without a reply were sent again, to another address. `timeMs` is now, by the wall clock. */
  sentAgain(timeMs: number): void {
    this.#requests.sentAgain(timeMs);
  }

  /** The round-trip time of the reply that was given last, in milliseconds. Undefined if it is no first reply to a request. */
  get lastRttMs(): number | undefined {
    return this.#lastRttMs;
  }

  /** Matches a reply to a request, and has `judge` judge it. A reply that belongs to no open request is not judged. */
  reply(reply: Datagram, judge: Judge): Finding {
    const numbered = this.#numbered;
    this.#lastRttMs = undefined;
    if (numbered?.run === undefined) return this.#matchByOrder(reply, judge);
    const header = numbered.read(reply.data);
    if (header?.intact === true) {
      if (header.run === numbered.run) this.#settleForContent(judge);
      return this.#matchByContent(reply, header, judge);
    }
    if (numbered.resembles(reply.data)) {
      this.#counts.corrupted += 1;
      return judge.reject(IS_CORRUPTED);
    }
    if (!this.#echoes) return this.#matchByOrder(reply, judge);
    this.#counts.unmatched += 1;
    return judge.surplus('is no echo of a request');
  }

  /** The peer echoes: takes back everything that replies matched by order have changed. */
  #settleForContent(judge: Judge): void {
    if (this.#echoes) return;
    this.#echoes = true;
    const counts = this.#counts;
    counts.unmatched += this.#byOrder;
    counts.replied = counts.duplicated = counts.late = counts.mismatched = counts.answered = 0;
    this.#byOrder = 0;
    this.#requests.reopen();
    this.roundTrips.clear();
    judge.forget();
    if (counts.corrupted > 0) judge.reject(IS_CORRUPTED);
  }

  #matchByContent({ data, timeMs }: Datagram, { run, sequence }: PayloadHeader, judge: Judge): Finding {
    const counts = this.#counts;
    const sentMs = run === this.#numbered?.run ? this.#requests.reply(sequence) : 'unknown';
    if (sentMs === 'unknown') {
      counts.unmatched += 1;
      return judge.surplus('answers no request of this run');
    }
    if (sentMs === 'replied') {
      counts.duplicated += 1;
      return judge.surplus('is a duplicate');
    }
    if (sequence < this.#largest) counts.reordered += 1;
    this.#largest = Math.max(this.#largest, sequence);
    const inTime = this.#countFirst(sentMs, timeMs);
    return onceSettled(this.#judge(data, judge), ({ outcome }) => {
      if (inTime && outcome === 'match') counts.answered += 1;
    });
  }

  #matchByOrder({ data, timeMs }: Datagram, judge: Judge): Finding {
    this.#byOrder += 1;
    return onceSettled(this.#judge(data, judge), ({ outcome }) => {
      if (outcome !== 'match') return;
      const inTimeSinceMs = this.#counts.answered > 0 ? timeMs - this.#lateMs : -Infinity;
      const sentMs = this.#requests.replyToOldest(inTimeSinceMs);
      if (sentMs === undefined) this.#counts.duplicated += 1;
      else if (this.#countFirst(sentMs, timeMs)) this.#counts.answered += 1;
    });
  }

  #judge(data: Uint8Array, judge: Judge): Finding {
    return onceSettled(judge.reply(data), ({ outcome }) => {
      if (outcome === 'mismatch') this.#counts.mismatched += 1;
    });
  }

  /** Counts the first reply to a request. Returns whether it came in time. */
  #countFirst(sentMs: number, timeMs: number): boolean {
    this.#counts.replied += 1;
    // The system clock may have been set back between request and reply.
    const ms = Math.max(0, timeMs - sentMs);
    this.#lastRttMs = ms;
    const isLate = ms > this.#lateMs;
    if (isLate) this.#counts.late += 1;
    this.roundTrips.record(ms);
    return !isLate;
  }

  /** The counts in words: the lost requests, and every other count above 0. */
  describe(): readonly string[] {
    const { duplicated, reordered, corrupted, late, refused, mismatched, unmatched } = this;
    const counts = { duplicated, reordered, corrupted, late, refused, mismatched, unmatched };
    const others = Object.entries(counts).filter(([, count]) => count > 0);
    return [
      `${this.lost} lost (${percentOf(this.lost, this.requests)}%)`,
      ...others.map(([what, count]) => `${count} ${what}`),
    ];
  }

  /** The measurement as it stands in the summary's JSON. `mismatched` and `unmatched` stand only if they are above 0. */
  fields(): MeasuredFields & Readonly<Record<string, unknown>> {
    const { lost, duplicated, reordered, corrupted, late, refused, mismatched, unmatched, matchedBy } = this;
    const byContent = matchedBy === 'content';
    return {
      lost,
      lossPercent: percentOf(lost, this.requests),
      duplicated,
      reordered: byContent ? reordered : null,
      corrupted: byContent ? corrupted : null,
      late,
      refused,
      ...(mismatched > 0 && { mismatched }),
      ...(unmatched > 0 && { unmatched }),
      matchedBy,
      rtt: this.roundTrips.summary() ?? null,
      histogram: this.roundTrips.buckets(),
    };
  }
}
