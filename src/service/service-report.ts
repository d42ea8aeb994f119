import type { LogFields } from '../output/log.js';
import { formatBytes, formatCount, formatRate } from '../text/quantity.js';
import { formatDuration } from '../text/time.js';
import type { PeerTable } from '../stats/peers.js';
import { type Rate, rateBetween, type Traffic } from '../stats/rate.js';
import type { Context } from '../run/context.js';
import { countPart, type LivePart, troublePart } from '../run/live-line.js';
import type { Report } from '../run/report.js';
import { showTraffic } from '../run/traffic-line.js';
import type { ServicePlan } from './plan.js';

/** Tells the traffic of a running service: a report when the user asks by a signal, and a live line at a terminal. */
export class ServingReport {
  readonly #summary: Report;
  readonly #peers: PeerTable;
  /** How many datagrams end the service. */
  readonly #count: number | undefined;
  readonly #start: Traffic;
  readonly #endReports: () => void;
  readonly #removeLine: (() => void) | undefined;
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
    this.#summary = summary;
    this.#peers = peers;
    this.#count = end.count;
    this.#start = this.#traffic();
    this.#endReports = context.onReport(() => {
      this.#report();
    });
    if (!live) return;
    this.#removeLine = showTraffic(context, end, {
      sample: () => this.#traffic(),
      parts: (now, earlier, timeLeft) => this.#parts(now, earlier, timeLeft),
    });
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

  #parts(now: Traffic, earlier: Traffic, timeLeft: readonly LivePart[]): readonly LivePart[] {
    const { perSecond, bytesPerSecond } = rateBetween(earlier, now);
    const { kernel, queue, output } = this.#summary.fields().dropped;
    const { size, isFull } = this.#peers;
    return [
      countPart(now.received, this.#count, 'received'),
      {
        text: `(${formatRate(perSecond)}, ${formatBytes(bytesPerSecond)}/s)`,
        color: 'dim',
        joint: ' ',
        isMinor: true,
      },
      ...timeLeft,
      { text: `${isFull ? 'more than ' : ''}${formatCount(size)} ${size === 1 ? 'peer' : 'peers'}`, isMinor: true },
      troublePart((kernel ?? 0) + queue + output, 'dropped'),
    ];
  }

  /** Ends the reports, and removes the live line. */
  stop(): void {
    this.#endReports();
    this.#removeLine?.();
  }
}

function describe({ perSecond, bytesPerSecond }: Rate): string {
  return `${formatRate(perSecond)} (${formatBytes(bytesPerSecond)}/s)`;
}

function fieldsOf({ perSecond, bytesPerSecond, ...more }: Rate): LogFields {
  return { ...more, perSecond: Math.round(perSecond * 1000) / 1000, bytesPerSecond: Math.round(bytesPerSecond) };
}
