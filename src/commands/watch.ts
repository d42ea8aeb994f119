import type { CliCommand, Example } from '../cli/command.js';
import { addOptions } from '../cli/options.js';
import type { Context, Ending, Io } from '../run/context.js';
import type { WatchPlan } from '../watch/plan.js';
import { watch } from '../watch/watcher.js';
import { describeProbes } from './options/send-plan.js';
import { planWatch } from './options/watch-plan.js';
import { watchOptions, type WatchValues } from './options/watch.js';

const EXAMPLES: readonly Example[] = [
  { line: 'udpcat watch 8000', says: 'check again and again, as ping' },
  { line: 'udpcat watch a.example b.example --probe ntp', says: 'two time servers' },
  { line: 'udpcat watch --until up 8000 && ./deploy', says: 'wait for a service' },
  { line: 'udpcat watch --config targets.yaml -o json', says: 'targets from a file' },
  { line: 'udpcat watch 8000 --on-change ./notify', says: 'tell changes' },
  { line: 'udpcat watch 8000 --http 9000', says: 'a page, /health, /metrics' },
];

/** Declares `udpcat watch <address>...`. Its action calls `run` with the plan. */
export function declareWatch(command: CliCommand, io: Io, run: (plan: WatchPlan) => Promise<void>): void {
  command
    .description('Repeats a check against each address, and tells when a target goes up or down.')
    .usage('[options] <address>...')
    .argument('[address...]', '127.0.0.1:8000, [::1]:8000, name:8000, 8000 (loopback)');
  command.examples = EXAMPLES;
  addOptions(command, watchOptions(), command.words);
  command.action(async (addresses: string[], values: WatchValues) => {
    const description = await describeProbes(values.probe);
    if (description !== undefined) {
      command.configureOutput().writeOut?.(description);
      return;
    }
    await run(await planWatch(addresses, values, io));
  });
}

/** Checks until an option or a signal ends it. Resolves to the exit status, or to the signal that ends the process. */
export async function runWatch(plan: WatchPlan, context: Context): Promise<Ending> {
  if (plan.http === undefined) return watch(plan, context);
  const { openServer } = await import('../watch/http/server.js');
  return watch(plan, context, openServer(plan.http));
}
