import { formatHead, formatLabels, formatSample, type Metric, METRICS_TYPE } from '../../http/metrics-text.js';
import type { ProcessMetrics } from '../../http/process-metrics.js';
import type { Reply } from '../../http/reply.js';
import { inSlices } from '../../http/slices.js';
import type { Turns } from '../../timing/turns.js';
import type { HookResult } from '../events.js';
import { BUCKETS_S } from '../round-trip-histogram.js';
import type { TargetPlan } from '../plan.js';
import type { TargetWatch } from '../target-watch.js';
import { VERDICTS } from '../verdict.js';
import type { WatchedRun } from '../watcher.js';

/** One of the samples that a metric has for each target: the text of its line before the labels of the target, and behind them. */
interface Series {
  readonly before: string;
  readonly behind: string;
}

/** @param label the label that tells this sample from the others of the metric: `le="0.1"`. Default: it is the only one. */
function seriesOf(name: string, label?: string): Series {
  return { before: `${name}{`, behind: label === undefined ? '} ' : `,${label}} ` };
}

/** A metric that every target has. */
interface TargetMetric extends Metric {
  readonly series: readonly Series[];
  /** The values of the series for one target. */
  readonly values: (target: TargetWatch) => readonly number[];
}

/** A metric with one sample for each target. */
function single(
  type: Metric['type'],
  name: string,
  help: string,
  valueOf: (target: TargetWatch) => number,
): TargetMetric {
  return { type, name, help, series: [seriesOf(name)], values: (target) => [valueOf(target)] };
}

const CHECKS = 'udpcat_checks_total';
const ROUND_TRIP = 'udpcat_round_trip_seconds';
const HOOKS = 'udpcat_hooks_total';
const HOOK_RESULTS: readonly HookResult[] = ['ok', 'failed', 'timeout', 'superseded'];

const METRICS: readonly TargetMetric[] = [
  single('gauge', 'udpcat_target_up', 'Whether the target is up: 1, or 0 while it is down or unknown.', ({ health }) =>
    health.state === 'up' ? 1 : 0,
  ),
  single('counter', 'udpcat_target_changes_total', 'Changes of the state.', ({ health }) => health.changes),
  single(
    'gauge',
    'udpcat_target_last_change_timestamp_seconds',
    'When the state began, in seconds since the epoch.',
    ({ changedMs }) => Math.round(changedMs) / 1000,
  ),
  {
    type: 'counter',
    name: CHECKS,
    help: 'Checks by verdict.',
    series: VERDICTS.map((verdict) => seriesOf(CHECKS, `verdict="${verdict}"`)),
    values: ({ history }) => VERDICTS.map((verdict) => history.count(verdict)),
  },
  single(
    'counter',
    'udpcat_checks_skipped_total',
    'Checks that were not made, because this process was held up.',
    ({ skipped }) => skipped,
  ),
  single('counter', 'udpcat_requests_total', 'Requests that were sent.', ({ history }) => history.sent),
  single(
    'counter',
    'udpcat_requests_lost_total',
    'Requests without a matching reply in time.',
    ({ history }) => history.lost,
  ),
  {
    type: 'histogram',
    name: ROUND_TRIP,
    help: 'Round-trip times of checks; of several datagrams in a check their median.',
    series: [
      ...[...BUCKETS_S, '+Inf'].map((bound) => seriesOf(`${ROUND_TRIP}_bucket`, `le="${bound}"`)),
      seriesOf(`${ROUND_TRIP}_sum`),
      seriesOf(`${ROUND_TRIP}_count`),
    ],
    values: ({ history: { histogram } }) => {
      const counts = histogram.cumulative();
      return [...counts, histogram.sum, counts.at(-1) ?? 0];
    },
  },
  {
    type: 'counter',
    name: HOOKS,
    help: 'Programs of --on-change by result.',
    series: HOOK_RESULTS.map((result) => seriesOf(HOOKS, `result="${result}"`)),
    values: ({ hooks }) => HOOK_RESULTS.map((result) => hooks[result]),
  },
];

/** The labels of each plan. A scrape has dozens of lines for each. */
const labelsOfPlans = new WeakMap<TargetPlan, string>();

function labelsOf({ plan }: TargetWatch): string {
  const known = labelsOfPlans.get(plan);
  if (known !== undefined) return known;
  const labels = formatLabels({ target: plan.name, address: plan.address, ...plan.labels });
  labelsOfPlans.set(plan, labels);
  return labels;
}

/** Replies with the metrics of all targets, of the run and of the process. */
export function replyWithMetrics(run: WatchedRun, turns: Turns, processMetrics: ProcessMetrics): Reply {
  return { status: 200, type: METRICS_TYPE, body: inSlices(writeMetrics(run, processMetrics), turns) };
}

function* writeMetrics(
  { targets, context, isConfigRight }: WatchedRun,
  processMetrics: ProcessMetrics,
): Generator<string | Promise<string>> {
  for (const metric of METRICS) {
    yield formatHead(metric);
    for (const target of targets) yield formatSamples(metric.series, labelsOf(target), metric.values(target));
  }
  yield writeGauge(
    'udpcat_config_last_reload_successful',
    'Whether the file of targets was right when it was read last.',
    isConfigRight ? 1 : 0,
  );
  yield writeGauge('udpcat_build_info', 'The version of udpcat.', 1, formatLabels({ version: context.version }));
  yield* processMetrics();
}

function formatSamples(series: readonly Series[], labels: string, values: readonly number[]): string {
  let lines = '';
  for (const [nth, { before, behind }] of series.entries()) lines += `${before}${labels}${behind}${values[nth]}\n`;
  return lines;
}

/** The lines before the samples of each gauge, by its name: `/probe` writes the same ones again and again. */
const headsOfGauges = new Map<string, string>();

/** Writes a gauge with one sample. @param labels as `formatLabels` writes them. Default: none. */
export function writeGauge(name: string, help: string, value: number, labels = ''): string {
  const head = headsOfGauges.get(name) ?? formatHead({ name, help, type: 'gauge' });
  headsOfGauges.set(name, head);
  return head + formatSample(name, labels, value);
}
