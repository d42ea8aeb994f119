import { randomInt } from 'node:crypto';
import { grouped, option, type OptionSpec, repeatable, type ValuesOf } from '../../cli/options.js';
import type { Fault } from '../../faults/fault.js';
import { Faults } from '../../faults/faults.js';
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

/** The values of {@link faultOptions}. */
type FaultValues = ValuesOf<ReturnType<typeof faultOptions>>;

/** The faults that were asked for. Undefined: none were; a seed alone is no fault. */
export function createFaults(values: FaultValues): Faults | undefined {
  const names = Object.keys(FAULTS) as FaultName[];
  if (names.every((name) => values[name] === undefined)) return undefined;
  return new Faults(values, values.seed ?? randomInt(0x1_0000_0000));
}
