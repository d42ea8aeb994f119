import { type Finding, type Judge, onceSettled } from './judge.js';
import type { NumberedPayloads, PayloadHeader } from '../input/numbered-payload.js';
import type { Datagram } from '../net/index.js';
import { Requests } from './requests.js';
import { type Bucket, type RoundTripSummary, RoundTrips } from './round-trips.js';

const IS_CORRUPTED = 'is corrupted: the check that it carries does not hold';

/** What a run that measures adds to its summary. */
export interface MeasuredFields {
  /** Requests without an answer, whatever the reason: those refused are among them. */
  readonly lost: number;
  /** By order: replies beyond one for each request. */
  readonly duplicated: number;
  /** Null where it cannot be known, by order. */
  readonly reordered: number | null;
  readonly corrupted: number | null;
  readonly late: number;
  readonly refused: number;
  readonly matchedBy: 'content' | 'order';
  /** Null without a reply. */
  readonly rtt: RoundTripSummary | null;
  readonly histogram: readonly Bucket[];
}

/**
 * Matches replies to requests, and keeps the counts and round-trip times that come of it; everything can be read at any
 * moment.
 *
 * Replies that echo generated payloads are matched by content: a reply that was changed on the way does not match, and a
 * second one to the same request, or one to another run's, is none. Any other reply is matched by order: each that meets the
 * expectations answers the oldest request that has no answer. That is so only until the first payload of this run comes back
 * whole: this peer echoes then, and all that was matched by order before, as all that is no echo from then on, answers nothing.
 */
export class Measurement {
  readonly roundTrips = new RoundTrips();
  readonly #requests = new Requests();
  readonly #numbered: NumberedPayloads | undefined;
  readonly #lateMs: number;
  /** Whether a payload of this run came back whole. */
  #echoes = false;
  /** Replies that were taken for a service's own. */
  #byOrder = 0;
  #answered = 0;
  #duplicated = 0;
  #reordered = 0;
  #corrupted = 0;
  #late = 0;
  #mismatched = 0;
  #unmatched = 0;
  /** The largest sequence number that was answered. */
  #largest = -1;
  /** ICMP errors that came back. */
  refused = 0;

  /**
   * @param options.numbered where the requests come from, if they carry a header
   * @param options.lateMs a reply that takes longer is late; Infinity for none
   */
  constructor(options: { readonly numbered?: NumberedPayloads | undefined; readonly lateMs: number }) {
    this.#numbered = options.numbered;
    this.#lateMs = options.lateMs;
  }

  get requests(): number {
    return this.#requests.count;
  }

  /** Requests that were answered, each once however many replies it had. */
  get answered(): number {
    return this.#answered;
  }

  /** Requests that have no answer, yet or at all. */
  get lost(): number {
    return this.requests - this.#answered;
  }

  get duplicated(): number {
    return this.#duplicated;
  }

  /** Answers to a request sent before one that was answered already (RFC 4737 section 3.3). */
  get reordered(): number {
    return this.#reordered;
  }

  /** Replies in which a check shows that bytes were changed, added or cut off. */
  get corrupted(): number {
    return this.#corrupted;
  }

  /** Answers that took longer than replies are waited for. */
  get late(): number {
    return this.#late;
  }

  /** Replies that failed an expectation. */
  get mismatched(): number {
    return this.#mismatched;
  }

  /** Replies to no request of this run, or to one given up long ago; where the peer echoes, all that are no echo, too. */
  get unmatched(): number {
    return this.#unmatched;
  }

  get matchedBy(): 'content' | 'order' {
    return this.#numbered?.run === undefined || this.#byOrder > 0 ? 'order' : 'content';
  }

  /** The next requests are being given to the kernel; wall clock. */
  sending(count: number, timeMs: number): void {
    for (let index = 0; index < count; index += 1) this.#requests.add(timeMs);
  }

  /** The kernel did not take the last requests. */
  notTaken(count: number): void {
    this.#requests.withdraw(count);
  }

  /** Everything that has no answer was sent again, to another address. */
  sentAgain(timeMs: number): void {
    this.#requests.sentAgain(timeMs);
  }

  /** Finds what a reply answers, and has it judged if it is an answer. */
  reply(reply: Datagram, judge: Judge): Finding {
    const numbered = this.#numbered;
    if (numbered?.run === undefined) return this.#matchByOrder(reply, judge);
    const header = numbered.read(reply.data);
    if (header?.intact === true) {
      if (header.run === numbered.run) this.#settleForContent(judge);
      return this.#matchByContent(reply, header, judge);
    }
    if (numbered.resembles(reply.data)) {
      this.#corrupted += 1;
      return judge.reject(IS_CORRUPTED);
    }
    if (!this.#echoes) return this.#matchByOrder(reply, judge);
    this.#unmatched += 1;
    return judge.surplus('is no echo of a request');
  }

  /** Takes back whatever was made of replies that were no echoes. */
  #settleForContent(judge: Judge): void {
    if (this.#echoes) return;
    this.#echoes = true;
    this.#unmatched += this.#byOrder;
    this.#byOrder = this.#answered = this.#duplicated = this.#late = this.#mismatched = 0;
    this.#requests.reopen();
    this.roundTrips.clear();
    judge.forget();
    if (this.#corrupted > 0) judge.reject(IS_CORRUPTED);
  }

  #matchByContent({ data, timeMs }: Datagram, { run, sequence }: PayloadHeader, judge: Judge): Finding {
    const sentMs = run === this.#numbered?.run ? this.#requests.answer(sequence) : 'unknown';
    if (sentMs === 'unknown') {
      this.#unmatched += 1;
      return judge.surplus('answers no request of this run');
    }
    if (sentMs === 'answered') {
      this.#duplicated += 1;
      return judge.surplus('is a duplicate');
    }
    if (sequence < this.#largest) this.#reordered += 1;
    this.#largest = Math.max(this.#largest, sequence);
    this.#answer(sentMs, timeMs);
    return this.#judge(data, judge);
  }

  #matchByOrder({ data, timeMs }: Datagram, judge: Judge): Finding {
    this.#byOrder += 1;
    return onceSettled(this.#judge(data, judge), ({ outcome }) => {
      if (outcome !== 'match') return;
      const sentMs = this.#requests.answerOldest();
      if (sentMs === undefined) this.#duplicated += 1;
      else this.#answer(sentMs, timeMs);
    });
  }

  #judge(data: Uint8Array, judge: Judge): Finding {
    return onceSettled(judge.reply(data), ({ outcome }) => {
      if (outcome === 'mismatch') this.#mismatched += 1;
    });
  }

  #answer(sentMs: number, timeMs: number): void {
    this.#answered += 1;
    // The system's clock may have been set meanwhile.
    const ms = Math.max(0, timeMs - sentMs);
    if (ms > this.#lateMs) this.#late += 1;
    this.roundTrips.record(ms);
  }

  /** The counts in words; what is lost always, the others only if there were any. */
  describe(): readonly string[] {
    const counts = {
      duplicated: this.#duplicated,
      reordered: this.#reordered,
      corrupted: this.#corrupted,
      late: this.#late,
      refused: this.refused,
      mismatched: this.#mismatched,
      unmatched: this.#unmatched,
    };
    const others = Object.entries(counts).filter(([, count]) => count > 0);
    return [`${this.lost} lost`, ...others.map(([what, count]) => `${count} ${what}`)];
  }

  /** All of it as it stands in the summary's JSON; counts beyond those always given only if they are not zero. */
  fields(): MeasuredFields & Readonly<Record<string, unknown>> {
    const byContent = this.matchedBy === 'content';
    return {
      lost: this.lost,
      duplicated: this.#duplicated,
      reordered: byContent ? this.#reordered : null,
      corrupted: byContent ? this.#corrupted : null,
      late: this.#late,
      refused: this.refused,
      ...(this.#mismatched > 0 && { mismatched: this.#mismatched }),
      ...(this.#unmatched > 0 && { unmatched: this.#unmatched }),
      matchedBy: this.matchedBy,
      rtt: this.roundTrips.summary() ?? null,
      histogram: this.roundTrips.buckets(),
    };
  }
}
