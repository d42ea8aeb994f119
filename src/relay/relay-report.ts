import { formatEndpoint } from '../net/index.js';
import type { LogFields } from '../output/log.js';
import type { Context } from '../run/context.js';
import { countPart, type LivePart, shareOf, showLiveLine, timeLeftPart, troublePart } from '../run/live-line.js';
import type { Details, Report } from '../run/report.js';
import { describeCounts } from '../stats/counts-in-words.js';
import { formatCount, formatRate } from '../text/quantity.js';
import type { RelayPlan } from './plan.js';
import type { Account } from './account.js';
import type { Relays } from './relays.js';
import type { Session } from './session.js';

/** How often the live line is updated, in milliseconds. */
const TICK_MS = 250;
/** The rates of the live line are those of this number of ticks. */
const TICKS_OF_RATE = 4;
/** How many sessions a report on a signal tells, the last used ones first. */
const SESSIONS_IN_WORDS = 10;
const SESSIONS_IN_JSON = 100;

/** What the summary says of the relays. With `--http` also what it says of each. */
export function detailsOf(relays: Relays, { seed, http }: Pick<RelayPlan, 'seed' | 'http'>): Details {
  const { counts, opened, peak, refusals, denied, rateLimited } = relays.sum();
  const { up, down } = counts;
  return {
    fields: {
      seed,
      sessions: { opened, peak, full: up.lostBy('full') },
      refusals,
      ...(denied > 0 && { denied }),
      ...(rateLimited > 0 && { rateLimited }),
      up: up.fields(),
      down: down.fields(),
      ...(http && { relays: [...relays.accounts].map(([name, account]) => accountFields(name, account)) }),
    },
    lines: [
      [
        `${opened} ${opened === 1 ? 'session' : 'sessions'}, at most ${peak} at a time`,
        ...describeCounts([
          { count: refusals, says: refusals === 1 ? 'refusal' : 'refusals' },
          { count: rateLimited, says: 'above the rate limit' },
        ]),
      ].join(', '),
      `up: ${up.describe()}`,
      `down: ${down.describe()}`,
    ],
  };
}

function accountFields(relay: string, account: Account) {
  const { up, down } = account.counts();
  const sessions = { opened: account.opened, full: up.lostBy('full') };
  return { relay, sessions, refusals: account.refusals, up: up.fields(), down: down.fields() };
}

/** Tells the traffic of a running relay: a report when the user asks by a signal, and a live line at a terminal. */
export class RelayReport {
  readonly #context: Context;
  readonly #relays: Relays;
  readonly #end: Pick<RelayPlan, 'count' | 'duration'>;
  readonly #endReports: () => void;
  readonly #startMs = performance.now();
  readonly #ticks: { readonly timeMs: number; readonly up: number; readonly down: number }[] = [];
  #ticker: NodeJS.Timeout | undefined;

  /** @param beforeReport brings the totals of the summary up to date */
  constructor(
    context: Context,
    summary: Report,
    relays: Relays,
    {
      end,
      live,
      beforeReport,
    }: { end: Pick<RelayPlan, 'count' | 'duration'>; live: boolean; beforeReport: () => void },
  ) {
    this.#context = context;
    this.#relays = relays;
    this.#end = end;
    this.#endReports = context.onReport(() => {
      beforeReport();
      summary.progress(this.#sessions());
    });
    if (!live) return;
    this.#tick();
    this.#ticker = setInterval(() => {
      this.#tick();
    }, TICK_MS).unref();
  }

  #sessions(): Details {
    const latest = this.#relays.running
      .flatMap(({ sessions }) => [...sessions.table.latest()])
      .sort((one, other) => other.usedMs - one.usedMs);
    const lines = latest.slice(0, SESSIONS_IN_WORDS).map(describe);
    const others = latest.length - lines.length;
    const fields: LogFields = { openSessions: latest.slice(0, SESSIONS_IN_JSON).map(fieldsOf) };
    return { fields, lines: others > 0 ? [...lines, `and ${formatCount(others)} other sessions`] : lines };
  }

  #tick(): void {
    const { counts, open } = this.#relays.sum();
    const { up, down } = counts;
    const timeMs = performance.now();
    this.#ticks.push({ timeMs, up: up.received, down: down.received });
    if (this.#ticks.length > TICKS_OF_RATE + 1) this.#ticks.shift();
    const [first = { timeMs, up: 0, down: 0 }] = this.#ticks;
    const seconds = (timeMs - first.timeMs) / 1000;
    const rate = (now: number, before: number): string => formatRate(seconds > 0 ? (now - before) / seconds : 0);
    const { count, duration } = this.#end;
    const elapsedMs = timeMs - this.#startMs;
    const parts: LivePart[] = [
      countPart(up.received, count, 'up'),
      { text: `(${rate(up.received, first.up)})`, color: 'dim', joint: ' ', isMinor: true },
      countPart(down.received, undefined, 'down'),
      { text: `(${rate(down.received, first.down)})`, color: 'dim', joint: ' ', isMinor: true },
      ...(duration === undefined ? [] : [timeLeftPart(duration - elapsedMs)]),
      { text: `${formatCount(open)} ${open === 1 ? 'session' : 'sessions'}` },
      troublePart(up.lost + down.lost + up.notSent + down.notSent, 'lost'),
    ];
    const done = shareOf({
      count: count === undefined ? undefined : { now: up.received, all: count },
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

function describe({ number, client, counts }: Session): string {
  return `session ${number} of ${formatEndpoint(client)}: up ${counts.up.describe()}; down ${counts.down.describe()}`;
}

/** A session in JSON: the fields of the event `session`, and its counts. */
export function fieldsOf(session: Session) {
  const { number, client, source, target } = session;
  return {
    session: number,
    client: formatEndpoint(client),
    source: source === undefined ? null : formatEndpoint(source),
    target: formatEndpoint(target),
    ...session.countFields(),
  };
}
