import { UsageError } from '../../cli/usage-error.js';
import { ReadingTime } from '../../input/reading-time.js';
import type { Io } from '../../run/context.js';
import type { HttpPlan, PlanProbe, TargetPlan, WatchedPlan, WatchPlan } from '../../watch/plan.js';
import { isAddress, planCheck, planTarget, SOME_ADDRESS, type Surroundings } from './watch-target.js';
import { refuseIdle } from './responses.js';
import { DEFAULTS, type RunValues, type TargetValues, type WatchValues } from './watch.js';

/** Reads the command line of `udpcat watch`. @throws {UsageError} */
export async function planWatch(addresses: readonly string[], values: WatchValues, io: Io): Promise<WatchPlan> {
  const { config } = values;
  if (config !== undefined) {
    if (addresses.length > 0) {
      throw new UsageError(`targets come from one source only: ${addresses[0] ?? ''}, or the file of --config`);
    }
    return planConfig(config, values, io);
  }
  if (addresses.length === 0 && values.http === undefined) {
    throw new UsageError('no target: give an address, such as 127.0.0.1:8000, or --config, or --http');
  }
  if (values.onChange === undefined) refuseIdle(values, '--on-change');
  const surroundings = { io, isAlone: addresses.length === 1, until: values.until };
  const targets = await Promise.all(addresses.map((address) => planOperand(address, values, surroundings)));
  const twice = findTwice(targets);
  if (twice !== undefined) throw new UsageError(`two targets are called "${twice}": leave one out`);
  const planProbe: PlanProbe = async (address, module) => {
    if (module === undefined) return planCheck(address, values, io);
    throw new UsageError(`there is no module ${JSON.stringify(module)}: modules are in the file of --config`);
  };
  if (targets.length === 0) await planProbe(SOME_ADDRESS, undefined);
  return planRun({ targets, planProbe }, values, undefined);
}

async function planConfig(path: string, values: WatchValues, io: Io): Promise<WatchPlan> {
  const { planFile } = await import('./watch-file.js');
  const file = { path, read: (signal: AbortSignal) => planFile(path, values, io, signal) };
  using time = new ReadingTime({ duration: values.duration }, 'nothing was checked');
  try {
    const { run, ...watched } = await file.read(AbortSignal.any([io.stop, time.signal]));
    return planRun(watched, run, file);
  } catch (error) {
    if (!io.stop.aborted) throw error;
    // The user stopped the reading of a pipe: the run begins without targets, and ends at once.
    const planProbe: PlanProbe = () => Promise.reject(new UsageError('the run is over'));
    return { ...values, targets: [], planProbe, output: 'states', hookConcurrency: 1, http: undefined, file };
  }
}

/** Returns the first name that two targets have. Undefined: all names differ. */
function findTwice(targets: readonly Pick<TargetPlan, 'name'>[]): string | undefined {
  const seen = new Set<string>();
  return targets.find(({ name }) => seen.size === seen.add(name).size)?.name;
}

function planRun(watched: WatchedPlan, values: RunValues, file: WatchPlan['file']): WatchPlan {
  const { targets } = watched;
  const { output = targets.length === 1 ? 'checks' : 'states', execConcurrency = DEFAULTS.execConcurrency } = values;
  const awaited = values.until !== undefined ? '--until' : values.checks !== undefined ? '--checks' : undefined;
  if (targets.length === 0 && awaited !== undefined) {
    throw new UsageError(`option '${awaited}' needs a target`);
  }
  return { ...values, ...watched, output, hookConcurrency: execConcurrency, http: planHttp(values), file };
}

function planHttp({ http, allowTarget }: RunValues): HttpPlan | undefined {
  if (http !== undefined) return { listen: http, allowed: allowTarget };
  if (allowTarget === undefined) return undefined;
  throw new UsageError("option '--allow-target' is for /probe of --http: add --http");
}

/** Plans a target of the command line. If it cannot be an address, the error also says how a message is written. */
async function planOperand(text: string, values: TargetValues, surroundings: Surroundings): Promise<TargetPlan> {
  try {
    return await planTarget({ address: text }, values, surroundings);
  } catch (error) {
    if (!(error instanceof UsageError) || values.probe !== undefined || isAddress(text)) throw error;
    throw new UsageError(`${error.message}; a message is written --message`);
  }
}
