import { UsageError } from '../../cli/usage-error.js';
import { explain } from '../../exchange/observers/explanation.js';
import { formatLabels, METRICS_TYPE } from '../../http/metrics-text.js';
import { HttpError, type Reply, textReply } from '../../http/reply.js';
import type { HttpRequest } from '../../http/router.js';
import { type Family, familyOf, type Lookup } from '../../net/index.js';
import { parseAddress } from '../../net/address/parse.js';
import { endpointOf } from '../../net/address/resolve.js';
import type { Abortable } from '../../timing/once-signal.js';
import type { AllowedTargets } from '../allowed-targets.js';
import { check, type Outcome } from '../check.js';
import type { PlanProbe, TargetPlan } from '../plan.js';
import { passes } from '../verdict.js';
import type { WatchedRun } from '../watcher.js';
import { writeGauge } from './metrics.js';

/** Checks at a time. */
const MAX_PROBES = 64;
/** How much sooner than Prometheus a check gives up, so that the reply comes in time, in milliseconds. */
const TIMEOUT_OFFSET_MS = 500;
/** Plans that are kept. */
const MAX_PLANS = 1000;
/** Lines of `debug=true` about one check. A flood of replies has a line for each. */
const MAX_LINES = 1000;

/** One check, and the facts about it that are not part of its outcome. */
interface Probed {
  readonly outcome: Outcome;
  readonly deadlineMs: number;
  readonly durationMs: number;
  readonly lookupMs: number;
}

/** Answers `/probe`: one check of the address that the request names. */
export class Prober {
  readonly #run: WatchedRun;
  readonly #allowed: AllowedTargets;
  readonly #plans = new PlanCache();
  #running = 0;

  constructor(run: WatchedRun, allowed: AllowedTargets) {
    this.#run = run;
    this.#allowed = allowed;
  }

  /** @throws {HttpError} 400, 403 for an address that is not allowed, 503 if too many checks are under way */
  async reply({ query, headers, signal }: HttpRequest): Promise<Reply> {
    const { target, module, debug } = readQuery(query);
    const limitMs = readLimit(headers['x-prometheus-scrape-timeout-seconds']);
    if (this.#running >= MAX_PROBES) {
      throw new HttpError(503, `${MAX_PROBES} checks are under way: ask again later`, { 'Retry-After': '1' });
    }
    this.#running += 1;
    try {
      const plan = await this.#plan(target, module);
      const lines: string[] = [];
      const probed = await this.#probe(plan, limitMs, signal, debug ? lines : undefined);
      const metrics = writeProbe(probed, plan);
      if (!debug) return { status: 200, type: METRICS_TYPE, body: metrics };
      const { verdict, says } = probed.outcome;
      return textReply(200, [...lines, `${verdict}: ${says}`, '', metrics].join('\n'));
    } finally {
      this.#running -= 1;
    }
  }

  async #plan(target: string, module: string | undefined): Promise<TargetPlan> {
    try {
      return await this.#plans.get(this.#run.planProbe, target, module);
    } catch (error) {
      if (error instanceof UsageError) throw new HttpError(400, error.message);
      throw error;
    }
  }

  async #probe(plan: TargetPlan, limitMs: number, signal: Abortable, lines: string[] | undefined): Promise<Probed> {
    const startMs = performance.now();
    const deadlineMs = Math.min(plan.deadlineMs, limitMs);
    const waitMs = Math.min(plan.exchange.waitMs, deadlineMs);
    const lookup = this.#lookupFor(plan);
    const outcome = await check(
      { ...plan, deadlineMs, exchange: { ...plan.exchange, waitMs } },
      {
        io: this.#run.context,
        lookup: () => lookup.look,
        signal,
        observer: lines && explainTo(lines, { judged: plan.exchange.judged, waitMs, deadline: deadlineMs, startMs }),
      },
    );
    if (lookup.forbidden !== undefined) throw notAllowed(`${plan.address} is ${lookup.forbidden}, which`);
    if (outcome === undefined) throw new HttpError(503, 'the check was given up');
    return { outcome, deadlineMs, durationMs: performance.now() - startMs, lookupMs: lookup.tookMs };
  }

  /**
   * Returns the look-up for a check. The addresses that are allowed are the ones that are asked, because the name is looked up
   * only once.
   *
   * @throws {HttpError} 403 if the target is not allowed, whatever its name resolves to
   */
  #lookupFor({ address, exchange: { destination, socket } }: TargetPlan): ProbeLookup {
    const isAllowed = this.#allowed.includes(address, this.#run.targets);
    const endpoint = endpointOf(destination, socket.family);
    const mayResolve = destination.host.kind === 'name' && this.#allowed.hasBlocks;
    if (!isAllowed && !mayResolve && (endpoint === undefined || !this.#allowed.admits(endpoint.address))) {
      throw notAllowed(address);
    }
    const name = destination.host.kind === 'name' ? destination.host.name : undefined;
    return new ProbeLookup(this.#run.lookup, name, isAllowed ? undefined : (each) => this.#allowed.admits(each));
  }
}

/** Keeps the plans of checks, because Prometheus asks for the same ones again and again. */
class PlanCache {
  readonly #plans = new Map<string, TargetPlan>();
  #planProbe: PlanProbe | undefined;

  /** @param planProbe plans a check. If it is another one than before, the file was read again. */
  async get(planProbe: PlanProbe, target: string, module: string | undefined): Promise<TargetPlan> {
    if (planProbe !== this.#planProbe || this.#plans.size >= MAX_PLANS) this.#plans.clear();
    this.#planProbe = planProbe;
    const key = JSON.stringify([target, module]);
    const known = this.#plans.get(key);
    if (known !== undefined) return known;
    const plan = await planProbe(target, module);
    // The file may have been read again meanwhile.
    if (planProbe === this.#planProbe) this.#plans.set(key, plan);
    return plan;
  }
}

/** Looks a name up for one check, and lets it ask only addresses that are allowed. */
class ProbeLookup {
  readonly #lookup: Lookup;
  readonly #name: string | undefined;
  readonly #admits: ((address: string) => boolean) | undefined;
  /** How long the look-up took. */
  tookMs = 0;
  /** An address of the name that is not allowed. */
  forbidden: string | undefined;

  /** @param admits whether an address is allowed. Default: every address is. */
  constructor(lookup: Lookup, name: string | undefined, admits: ((address: string) => boolean) | undefined) {
    this.#lookup = lookup;
    this.#name = name;
    this.#admits = admits;
  }

  readonly look = async (name: string, family: Family | 0): ReturnType<Lookup> => {
    const startMs = performance.now();
    const found = await this.#lookup(name, family);
    this.tookMs = performance.now() - startMs;
    const admits = this.#admits;
    if (admits !== undefined && name === this.#name) {
      this.forbidden = found.find(({ address }) => !admits(address))?.address;
      if (this.forbidden !== undefined) throw new Error('one of its addresses is not allowed');
    }
    return found;
  };
}

function notAllowed(what: string): HttpError {
  return new HttpError(403, `${what} is neither a target nor in --allow-target`);
}

/** Reads the query of `/probe`. @throws {HttpError} 400 */
function readQuery(query: URLSearchParams): {
  readonly target: string;
  readonly module: string | undefined;
  readonly debug: boolean;
} {
  const only = (name: string): string | undefined => {
    const [value, ...others] = query.getAll(name);
    if (others.length > 0) throw new HttpError(400, `the parameter ${name} stands once only`);
    return value;
  };
  const target = only('target');
  if (target === undefined || target === '') {
    throw new HttpError(400, 'the parameter target is missing: /probe?target=192.0.2.1:53');
  }
  const debug = only('debug') ?? 'false';
  if (debug !== 'true' && debug !== 'false') throw new HttpError(400, 'the parameter debug is true or false');
  return { target, module: only('module') || undefined, debug: debug === 'true' };
}

/** Returns the time that Prometheus leaves for a check, in milliseconds. @throws {HttpError} 400 */
function readLimit(seconds: string | string[] | undefined): number {
  if (seconds === undefined) return Infinity;
  const ms = typeof seconds === 'string' && /^\d+(\.\d+)?$/.test(seconds) ? Number(seconds) * 1000 : NaN;
  if (!(ms > 0))
    throw new HttpError(400, 'the header X-Prometheus-Scrape-Timeout-Seconds is a number of seconds above 0');
  return ms > TIMEOUT_OFFSET_MS ? ms - TIMEOUT_OFFSET_MS : ms / 2;
}

/** Collects the lines of `--explain`. */
function explainTo(lines: string[], plan: Parameters<typeof explain>[0]): ReturnType<typeof explain> {
  const report = (line: string): void => {
    if (lines.length < MAX_LINES) lines.push(line);
    else if (lines.length === MAX_LINES) lines.push('…');
  };
  return explain({ ...plan, explain: true }, { log: { report, debug: () => undefined, writes: () => false } });
}

/** Writes the metrics of one check. The names are those of blackbox_exporter where the meaning is the same. */
function writeProbe({ outcome, deadlineMs, durationMs, lookupMs }: Probed, plan: TargetPlan): string {
  const { verdict, rttMs } = outcome;
  return [
    writeGauge('probe_success', 'Whether the check passed.', passes(verdict) ? 1 : 0),
    writeGauge('probe_duration_seconds', 'How long the check took.', toSeconds(durationMs)),
    writeGauge('probe_timeout_seconds', 'How long the check could take at most.', toSeconds(deadlineMs)),
    writeGauge('probe_dns_lookup_time_seconds', 'How long the name was looked up.', toSeconds(lookupMs)),
    writeGauge('probe_ip_protocol', 'The version of IP: 4 or 6, or 0 without an address.', protocolOf(outcome, plan)),
    writeGauge('probe_failed_due_to_regex', 'Whether a reply failed an expectation.', verdict === 'mismatch' ? 1 : 0),
    ...(rttMs === undefined
      ? []
      : [writeGauge('probe_udp_round_trip_seconds', 'The round-trip time.', toSeconds(rttMs))]),
    writeGauge('probe_udp_verdict_info', 'The verdict of the check.', 1, formatLabels({ verdict })),
  ].join('');
}

/** To the nearest microsecond. */
function toSeconds(ms: number): number {
  return Math.round(ms * 1000) / 1_000_000;
}

function protocolOf({ address }: Outcome, { exchange }: TargetPlan): number {
  const isName = exchange.destination.host.kind === 'name';
  const asked = isName && address !== undefined ? parseAddress(address) : exchange.destination;
  const endpoint = endpointOf(asked, exchange.socket.family);
  return endpoint === undefined ? 0 : familyOf(endpoint.address);
}
