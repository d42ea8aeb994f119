import type { Effect, Fault } from './fault.js';
import type { Random } from './random.js';
import { type FaultName, FAULTS, type FaultSettings } from './table.js';

/** A fault that acts on datagrams. The object stands for the state of the fault: its bursts, its line. */
export interface ActiveFault {
  /** The name in the table of faults, or of a fault that no option has. */
  readonly name: string;
  readonly setting: unknown;
  /** The number of its stream of random numbers. Undefined: it draws none. */
  readonly stream?: number | undefined;
  /** @param random the stream with that number; faults with the same number draw from it in turn */
  readonly create: (random: Random | undefined) => Effect;
  /** Whether it acts on a conversation. Default: it acts on all. */
  readonly actsOn?: ((conversation: number) => boolean) | undefined;
}

/** Makes a fault of the table act. */
export function activeFault<Name extends FaultName>(
  name: Name,
  setting: Exclude<FaultSettings[Name], undefined>,
): ActiveFault {
  // The compiler does not see that the setting and the fault of one name belong together.
  const { stream, create } = FAULTS[name] as Fault<unknown>;
  return { name, setting, stream, create: (random) => create(setting, random as Random) };
}

/** Makes the faults of settings act, in the order of the table. */
export function activeFaults(settings: FaultSettings): readonly ActiveFault[] {
  return (Object.keys(FAULTS) as FaultName[]).flatMap((name) => {
    const setting = settings[name];
    return setting === undefined ? [] : [activeFault(name, setting)];
  });
}
