import { activeFaults } from './active-fault.js';
import { Faults } from './faults.js';
import { randomSeed } from './random.js';
import type { FaultSettings } from './table.js';

/** The options about faults. An undefined fault does not happen. */
export interface FaultPlan extends FaultSettings {
  /** Decides all random faults: a whole number from 0 to 2^32 - 1. Default: a random one. */
  readonly seed: number | undefined;
}

/** The faults of a plan; undefined if it has none, even if it has a seed. */
export function createFaults(plan: FaultPlan): Faults | undefined {
  const faults = activeFaults(plan);
  if (faults.length === 0) return undefined;
  return new Faults(faults, plan.seed ?? randomSeed());
}
