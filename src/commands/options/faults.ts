import { common, grouped, option, type OptionSpec, repeatable } from '../../cli/options.js';
import type { Fault } from '../../faults/fault.js';
import { parseSeed } from '../../faults/random.js';
import { type FaultName, FAULTS, type FaultSettings } from '../../faults/table.js';

type FaultOptions = { readonly [Name in FaultName]: OptionSpec<FaultSettings[Name]> };

/** One option for each fault of the table, and the seed. */
export function faultOptions() {
  const rows = Object.entries(FAULTS).map(([name, fault]) => [name, faultOption(fault as Fault<unknown>)] as const);
  return grouped('Faults in the answers:', {
    ...(Object.fromEntries(rows) as FaultOptions),
    seed: option(
      '--seed <n>',
      'repeat the faults of the run with this seed (default: a new one, which is printed)',
      parseSeed,
    ),
  });
}

function faultOption({ flags, help, read, isRepeatable, isCommon }: Fault<unknown>): OptionSpec<unknown> {
  const spec = isRepeatable === true ? repeatable(flags, help, read) : option(flags, help, read);
  return isCommon === true ? common<unknown>(spec) : spec;
}
