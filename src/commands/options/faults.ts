import { grouped, option, type OptionSpec, repeatable } from '../../cli/options.js';
import type { Fault } from '../../faults/fault.js';
import { parseSeed } from '../../faults/random.js';
import { type FaultName, FAULTS, type FaultSettings } from '../../faults/table.js';

type FaultOptions = { readonly [Name in FaultName]: OptionSpec<FaultSettings[Name]> };

/** The options that have answers lost, late or damaged: one for each row of the table, and the seed. */
export function faultOptions() {
  const rows = Object.entries(FAULTS).map(([name, fault]) => [name, faultOption(fault as Fault<unknown>)] as const);
  return grouped('Faults of the answers:', {
    ...(Object.fromEntries(rows) as FaultOptions),
    seed: option('--seed <n>', 'have the same faults again (default: another one each time, which is told)', parseSeed),
  });
}

function faultOption({ flags, help, read, isRepeatable }: Fault<unknown>): OptionSpec<unknown> {
  return isRepeatable === true ? repeatable(flags, help, read) : option(flags, help, read);
}
