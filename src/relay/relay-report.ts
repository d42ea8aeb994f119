import { formatEndpoint } from '../net/index.js';
import type { LogFields } from '../output/log.js';
import type { Context } from '../run/context.js';
import { countPart, type LivePart, troublePart } from '../run/live-line.js';
import type { Details, Report } from '../run/report.js';
import { showTraffic } from '../run/traffic-line.js';
import { describeCounts } from '../stats/counts-in-words.js';
import { formatCount, formatRate } from '../text/quantity.js';
import type { RelayPlan } from './plan.js';
import type { Account } from './account.js';
import type { Relays } from './relays.js';
import type { Session } from './session.js';

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
  readonly #relays: Relays;
  readonly #endReports: () => void;
  readonly #removeLine: (() => void) | undefined;

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
    this.#relays = relays;
    this.#endReports = context.onReport(() => {
      beforeReport();
      summary.progress(this.#sessions());
    });
    if (!live) return;
    this.#removeLine = showTraffic(context, end, {
      sample: () => trafficOf(relays),
      parts: (now, earlier, timeLeft) => describeTraffic(now, earlier, end.count, timeLeft),
    });
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

  /** Ends the reports, and removes the live line. */
  stop(): void {
    this.#endReports();
    this.#removeLine?.();
  }
}

/** The traffic of all relays until now. */
function trafficOf(relays: Relays) {
  const { counts, open } = relays.sum();
  const { up, down } = counts;
  const lost = up.lost + down.lost + up.notSent + down.notSent;
  return { timeMs: performance.now(), received: up.received, answers: down.received, sessions: open, lost };
}

type RelayTraffic = ReturnType<typeof trafficOf>;

function describeTraffic(
  now: RelayTraffic,
  earlier: RelayTraffic,
  count: number | undefined,
  timeLeft: readonly LivePart[],
): readonly LivePart[] {
  const seconds = (now.timeMs - earlier.timeMs) / 1000;
  const ratePart = (more: number): LivePart => ({
    text: `(${formatRate(seconds > 0 ? more / seconds : 0)})`,
    color: 'dim',
    joint: ' ',
    isMinor: true,
  });
  return [
    countPart(now.received, count, 'up'),
    ratePart(now.received - earlier.received),
    countPart(now.answers, undefined, 'down'),
    ratePart(now.answers - earlier.answers),
    ...timeLeft,
    { text: `${formatCount(now.sessions)} ${now.sessions === 1 ? 'session' : 'sessions'}` },
    troublePart(now.lost, 'lost'),
  ];
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
