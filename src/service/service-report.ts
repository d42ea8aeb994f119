import type { LogFields } from '../output/log.js';
import { formatBytes, formatCount, formatRate } from '../text/quantity.js';
import { formatDuration } from '../text/time.js';
import type { PeerTable } from '../stats/peers.js';
import { type Rate, rateBetween, type Traffic } from '../stats/rate.js';
import type { Context } from '../run/context.js';
import { countPart, type LivePart, shareOf, showLiveLine, timeLeftPart, troublePart } from '../run/live-line.js';
import type { Report } from '../run/report.js';
import type { ServicePlan } from './plan.js';

/** How often the live line is updated. */
const TICK_MS = 250;
/** The live line shows the rate over this number of ticks: with fewer the number would change too fast to read. */
const TICKS_OF_RATE = 4;

/** Tells the traffic of a running service: a report when the user asks by a signal, and a live line at a terminal. */
export class ServingReport {
  readonly #context: Context;
  readonly #summary: Report;
  readonly #peers: PeerTable;
  readonly #end: Pick<ServicePlan, 'count' | 'duration'>;
  readonly #start: Traffic;
  readonly #endReports: () => void;
  /** The traffic at the last ticks, the oldest first. */
  readonly #ticks: Traffic[] = [];
  #ticker: NodeJS.Timeout | undefined;
  #lastReport: Traffic | undefined;

  /**
   * @param end when the service ends
   * @param live whether to show the live line
   */
  constructor(
    context: Context,
    summary: Report,
    peers: PeerTable,
    end: Pick<ServicePlan, 'count' | 'duration'>,
    live: boolean,
  ) {
    this.#context = context;
    this.#summary = summary;
    this.#peers = peers;
    this.#end = end;
    this.#start = this.#traffic();
    this.#endReports = context.onReport(() => {
      this.#report();
    });
    if (!live) return;
    this.#tick();
    this.#ticker = setInterval(() => {
      this.#tick();
    }, TICK_MS).unref();
  }

  #traffic(): Traffic {
    return { received: this.#summary.totals.received, bytes: this.#peers.bytes, timeMs: performance.now() };
  }

  #report(): void {
    const now = this.#traffic();
    const since = this.#lastReport;
    this.#lastReport = now;
    const whole = rateBetween(this.#start, now);
    const latest = since && { ...rateBetween(since, now), durationMs: Math.round(now.timeMs - since.timeMs) };
    const fields: LogFields = { rate: fieldsOf(whole), ...(latest && { sinceLastReport: fieldsOf(latest) }) };
    const line =
      `${describe(whole)} since the start` +
      (latest === undefined ? '' : `, ${describe(latest)} in the last ${formatDuration(latest.durationMs)}`);
    this.#summary.progress({ fields, lines: [line] });
  }

  #tick(): void {
    const now = this.#traffic();
    this.#ticks.push(now);
    if (this.#ticks.length > TICKS_OF_RATE + 1) this.#ticks.shift();
    const { perSecond, bytesPerSecond } = rateBetween(this.#ticks[0] ?? now, now);
    const { kernel, queue, output } = this.#summary.fields().dropped;
    const { size, isFull } = this.#peers;
    const { count, duration } = this.#end;
    const elapsedMs = now.timeMs - this.#start.timeMs;
    const parts: LivePart[] = [
      countPart(now.received, count, 'received'),
      {
        text: `(${formatRate(perSecond)}, ${formatBytes(bytesPerSecond)}/s)`,
        color: 'dim',
        joint: ' ',
        isMinor: true,
      },
      ...(duration === undefined ? [] : [timeLeftPart(duration - elapsedMs)]),
      { text: `${isFull ? 'more than ' : ''}${formatCount(size)} ${size === 1 ? 'peer' : 'peers'}`, isMinor: true },
      troublePart((kernel ?? 0) + queue + output, 'dropped'),
    ];
    const done = shareOf({
      count: count === undefined ? undefined : { now: now.received, all: count },
      time: duration === undefined ? undefined : { now: elapsedMs, all: duration },
    });
    showLiveLine(this.#context, { parts, done });
  }

  /** Ends the reports, and removes the live line. */
  stop(): void {
    this.#endReports();
    clearInterval(this.#ticker);
    this.#context.log.status(undefined);
  }
}

function describe({ perSecond, bytesPerSecond }: Rate): string {
  return `${formatRate(perSecond)} (${formatBytes(bytesPerSecond)}/s)`;
}

function fieldsOf({ perSecond, bytesPerSecond, ...more }: Rate): LogFields {
  return { ...more, perSecond: Math.round(perSecond * 1000) / 1000, bytesPerSecond: Math.round(bytesPerSecond) };
}
