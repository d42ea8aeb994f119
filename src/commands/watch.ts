import type { Command } from 'commander';
import { addOptions } from '../cli/options.js';
import type { Context, Ending, Io } from '../run/context.js';
import type { WatchPlan } from '../watch/plan.js';
import { watch } from '../watch/watcher.js';
import { describeProbes } from './options/send-plan.js';
import { planWatch } from './options/watch-plan.js';
import { watchOptions, type WatchValues } from './options/watch.js';

const EXAMPLES = `
Examples:
  udpcat watch 127.0.0.1:8000                                check once a second at a terminal, as ping does
  udpcat watch 192.0.2.1 192.0.2.2 --probe dns:example.com   two name servers: a line for each change
  udpcat watch --until up --duration 30s 127.0.0.1:53 --probe dns:example.com && ./deploy
  udpcat watch --config targets.yaml -o json                 targets from a file, events as JSON
  udpcat watch 127.0.0.1:8000 --message ping --expect pong --on-change ./notify
`;

/** Declares `udpcat watch <address>...`; `run` receives the plan. */
export function declareWatch(command: Command, io: Io, run: (plan: WatchPlan) => Promise<void>): void {
  command
    .description('Repeats one check against each address, and tells when a target goes up or down.')
    .usage('[options] <address>...')
    .argument(
      '[address...]',
      'targets: 127.0.0.1:8000, [::1]:8000, name:8000, 8000; with --probe the port may be left out',
    )
    .addHelpText('after', EXAMPLES);
  addOptions(command, watchOptions());
  command.action(async (addresses: string[], values: WatchValues) => {
    const description = await describeProbes(values.probe);
    if (description !== undefined) {
      command.configureOutput().writeOut?.(description);
      return;
    }
    await run(await planWatch(addresses, values, io));
  });
}

/** Checks until told to end; resolves to the exit status, or to the signal by which to end. */
export function runWatch(plan: WatchPlan, context: Context): Promise<Ending> {
  return watch(plan, context);
}
