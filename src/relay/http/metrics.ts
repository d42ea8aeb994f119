import { formatHead, formatLabels, formatSample, type Metric, METRICS_TYPE } from '../../http/metrics-text.js';
import type { ProcessMetrics } from '../../http/process-metrics.js';
import type { Reply } from '../../http/reply.js';
import { inSlices } from '../../http/slices.js';
import type { Turns } from '../../timing/turns.js';
import type { WayCounts } from '../counts.js';
import { WAYS } from '../plan.js';
import type { RelayControl } from '../run.js';
import type { Account } from '../account.js';

/** A metric that every relay has, with its samples by further labels. */
interface RelayMetric extends Metric {
  readonly samples: (account: Account) => Iterable<readonly [labels: Readonly<Record<string, string>>, value: number]>;
}

/** A metric with a sample for each way. */
function byWay(name: string, help: string, valueOf: (counts: WayCounts) => number): RelayMetric {
  return {
    type: 'counter',
    name,
    help,
    samples: (account) => {
      const counts = account.counts();
      return WAYS.map((way) => [{ way }, valueOf(counts[way])] as const);
    },
  };
}

function single(type: Metric['type'], name: string, help: string, valueOf: (account: Account) => number): RelayMetric {
  return { type, name, help, samples: (account) => [[{}, valueOf(account)]] };
}

const METRICS: readonly RelayMetric[] = [
  single('gauge', 'udpcat_relay_up', 'Whether the relay listens: 1, or 0 while it is disabled.', ({ relay }) =>
    relay === undefined ? 0 : 1,
  ),
  single('gauge', 'udpcat_relay_sessions', 'Sessions that are open.', ({ open }) => open),
  single('counter', 'udpcat_relay_sessions_total', 'Sessions that were opened.', ({ opened }) => opened),
  single('counter', 'udpcat_relay_refusals_total', 'Refusals by the target (ICMP).', ({ refusals }) => refusals),
  byWay('udpcat_relay_received_datagrams_total', 'Datagrams that were taken.', ({ received }) => received),
  byWay('udpcat_relay_received_bytes_total', 'Bytes of payload that were taken.', ({ bytes }) => bytes),
  byWay('udpcat_relay_duplicates_total', 'Copies that the fault made.', ({ duplicates }) => duplicates),
  byWay('udpcat_relay_sent_datagrams_total', 'Datagrams and copies that were sent.', ({ sent }) => sent),
  byWay(
    'udpcat_relay_not_sent_datagrams_total',
    'Datagrams and copies that could not be sent.',
    ({ notSent }) => notSent,
  ),
  {
    type: 'counter',
    name: 'udpcat_relay_lost_datagrams_total',
    help: 'Datagrams and copies that a fault or a bound took, by its name.',
    samples: (account) => {
      const counts = account.counts();
      return WAYS.flatMap((way) =>
        Object.entries(counts[way].fields().lost).map(([fate, value]) => [{ way, fate }, value] as const),
      );
    },
  },
];

/** Replies with the metrics of all relays and of the process. */
export function replyWithMetrics(control: RelayControl, turns: Turns, processMetrics: ProcessMetrics): Reply {
  return { status: 200, type: METRICS_TYPE, body: inSlices(write(control, processMetrics), turns) };
}

function* write(
  { relays, context }: RelayControl,
  processMetrics: ProcessMetrics,
): Generator<string | Promise<string>> {
  for (const metric of METRICS) {
    yield formatHead(metric);
    for (const [relay, account] of relays.accounts) {
      for (const [labels, value] of metric.samples(account)) {
        yield formatSample(metric.name, formatLabels({ relay, ...labels }), value);
      }
    }
  }
  const build = 'udpcat_build_info';
  yield formatHead({ type: 'gauge', name: build, help: 'The version of udpcat.' });
  yield formatSample(build, formatLabels({ version: context.version }), 1);
  yield* processMetrics();
}
