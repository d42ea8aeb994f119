/** Plans of `udpcat watch` in the process of the test, and peers to be checked. */
import { CliCommand } from '../../src/cli/command.js';
import { declareWatch } from '../../src/commands/watch.js';
import type { TargetPlan, WatchPlan } from '../../src/watch/plan.js';
import { openIo } from './in-process.js';

/** The plan that a command line of `watch` becomes. Rejects as the command would fail. */
export async function watchPlan(args: readonly string[]): Promise<WatchPlan> {
  const program = new CliCommand().exitOverride().configureOutput({ writeErr: () => undefined });
  let planned: WatchPlan | undefined;
  declareWatch(program.command('watch'), openIo({}, args).io, (plan) => {
    planned = plan;
    return Promise.resolve();
  });
  await program.parseAsync(['watch', ...args], { from: 'user' });
  if (planned === undefined) throw new Error('the command line asks for no run');
  return planned;
}

/** The plan of the only target. */
export async function targetPlan(args: readonly string[]): Promise<TargetPlan> {
  const { targets } = await watchPlan(args);
  const [target] = targets;
  if (target === undefined || targets.length > 1) throw new Error(`expected one target, not ${targets.length}`);
  return target;
}
