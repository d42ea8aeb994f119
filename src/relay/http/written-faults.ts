import type { FaultSettings } from '../../faults/table.js';
import { type Way, WAYS } from '../plan.js';
import type { RelaySettings } from '../plan.js';
import { createToxic, STREAMS, type Toxic } from './toxic.js';
import type { Attributes } from './toxic-types.js';

/** Makes toxics of the faults of a command line. Their names are `TYPE_STREAM`. */
export function toxicsOf({ faults, rebind, seed }: Pick<RelaySettings, 'faults' | 'rebind' | 'seed'>): Toxic[] {
  const make = (way: Way, type: string, attributes: Attributes): Toxic => {
    const stream = STREAMS[way];
    return createToxic({ attributes, name: `${type}_${stream}`, type, stream, toxicity: 1 }, seed);
  };
  const made = WAYS.flatMap((way) => written(faults[way]).map(([type, attributes]) => make(way, type, attributes)));
  return rebind === undefined ? made : [...made, make('down', 'rebind', { rebind })];
}

/** Writes settings as types of toxics with their attributes, in the order in which the faults act. */
function written(settings: FaultSettings): readonly (readonly [type: string, attributes: Attributes])[] {
  const { delay, jitter, loss, burstLoss, lose, bandwidth, blackhole } = settings;
  const { maxSize, lineQueue, duplicate, reorder, corrupt, truncate } = settings;
  const attributes: Record<string, Attributes | undefined> = {
    latency:
      delay === undefined && jitter === undefined ? undefined : { latency: delay ?? 0, jitter: writeJitter(jitter) },
    packet_loss: loss === undefined ? undefined : { loss_rate: loss },
    burst_loss: burstLoss && { burst_loss: writeBurstLoss(burstLoss) },
    lose: lose && { lose: lose.map(({ from, to }) => (from === to ? from : `${from}..${to}`)) },
    max_size: maxSize === undefined ? undefined : { max_size: maxSize },
    bandwidth: bandwidth === undefined ? undefined : { bandwidth: `${bandwidth}bit` },
    line_queue: lineQueue === undefined ? undefined : { line_queue: lineQueue },
    duplicate: duplicate === undefined ? undefined : { duplicate },
    reorder: reorder === undefined ? undefined : { reorder },
    corrupt: corrupt === undefined ? undefined : { corrupt },
    truncate: truncate === undefined ? undefined : { truncate },
    blackhole: blackhole && { blackhole: blackhole.map(writeBlackhole) },
  };
  return Object.entries(attributes).flatMap(([type, each]) => (each === undefined ? [] : [[type, each] as const]));
}

function writeJitter(jitter: FaultSettings['jitter']): number | string {
  if (jitter === undefined) return 0;
  return jitter.distribution === 'uniform' ? jitter.ms : `${jitter.ms}ms:${jitter.distribution}`;
}

function writeBurstLoss({ p, r, k, h }: NonNullable<FaultSettings['burstLoss']>): string {
  return [p, r, k, h].map((share) => `${Number((share * 100).toPrecision(12))}%`).join(':');
}

function writeBlackhole({ fromMs, toMs }: NonNullable<FaultSettings['blackhole']>[number]): string {
  return `${fromMs}ms..${toMs === Infinity ? '' : `${toMs}ms`}`;
}
