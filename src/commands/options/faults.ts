import { randomInt } from 'node:crypto';
import { Faults } from '../../faults/faults.js';
import { grouped, option, repeatable, type ValuesOf } from '../../cli/options.js';
import { parseBlackhole } from '../../faults/blackhole.js';
import { parseBurstLoss } from '../../faults/burst-loss.js';
import { parseJitter } from '../../faults/jitter.js';
import { parseSeed } from '../../faults/random.js';
import { parseDuration } from '../../text/duration.js';
import { parsePercentage } from '../../text/number.js';

/** The options that have answers lost, late or damaged. */
export function faultOptions() {
  return grouped('Faults of the answers:', {
    delay: option('--delay <d>', 'send them so much later', parseDuration),
    jitter: option(
      '--jitter <d>',
      'vary the delay: up to d less or more; d:normal for d as the standard deviation',
      parseJitter,
    ),
    loss: option('--loss <p>', 'lose them with this probability, such as 5%', parsePercentage),
    burstLoss: option(
      '--burst-loss <p:r>',
      'lose them in bursts (Gilbert-Elliott): p from good to bad, r back; p:r:k:h with what passes in good and in bad',
      parseBurstLoss,
    ),
    duplicate: option('--duplicate <p>', 'send them twice', parsePercentage),
    reorder: option(
      '--reorder <p>',
      'hold them back until the next to the same peer has left, 250ms at most',
      parsePercentage,
    ),
    corrupt: option('--corrupt <p>', 'flip 1 to 4 of their bits', parsePercentage),
    truncate: option('--truncate <p>', 'cut them to any smaller size', parsePercentage),
    blackhole: repeatable('--blackhole <from..to>', 'send none in this time since the start: 2s..5s', parseBlackhole),
    seed: option('--seed <n>', 'have the same faults again (default: another one each time, which is told)', parseSeed),
  });
}

/** The values of {@link faultOptions}. */
type FaultValues = ValuesOf<ReturnType<typeof faultOptions>>;

/** The faults that were asked for; undefined if none were: a seed alone is none. */
export function createFaults(values: FaultValues): Faults | undefined {
  const { delay: delayMs, jitter, loss, burstLoss, duplicate, reorder, corrupt, truncate, blackhole, seed } = values;
  const settings = { delayMs, jitter, loss, burstLoss, duplicate, reorder, corrupt, truncate };
  if (blackhole === undefined && Object.values(settings).every((value) => value === undefined)) return undefined;
  return new Faults(settings, blackhole ?? [], seed ?? randomInt(0x1_0000_0000));
}
