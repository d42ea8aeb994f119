import type { CliCommand, Example } from '../cli/command.js';
import { respondEach } from '../responders/responder.js';
import type { Context, Io } from '../run/context.js';
import type { ExitCode } from '../run/exit-code.js';
import { addOptions, type ValuesOf } from '../cli/options.js';
import { planOutput } from './options/plan.js';
import { planLocal } from './options/local.js';
import { servingOptions } from './options/serving.js';
import type { ServicePlan } from '../service/plan.js';
import { runService } from '../service/service.js';

function echoOptions() {
  return servingOptions('none');
}

/** The parsed command line of `udpcat echo`. */
export type EchoPlan = ServicePlan;

const EXAMPLES: readonly Example[] = [
  { line: 'udpcat echo 7000', says: 'send everything back' },
  { line: "udpcat echo '*:7000' --allow 192.0.2.0/24", says: 'all interfaces, one network' },
  { line: 'udpcat echo 7000 --rate-limit 100/s -o dump', says: 'show what arrives' },
  { line: 'udpcat echo 7000 --loss 5% --delay 40ms', says: 'act as a bad network' },
];

/** Declares `udpcat echo [address]`. Its action calls `run` with the plan. */
export function declareEcho(command: CliCommand, io: Io, run: (plan: EchoPlan) => Promise<void>): void {
  command
    .description(
      'Binds a UDP socket and sends every datagram back to its sender. Without an address it binds a free port of the loopback.',
    )
    .argument('[address]', '7000 (loopback), [::1]:7000, *:7000 (all interfaces)')
    .allowExcessArguments();
  command.examples = EXAMPLES;
  addOptions(command, echoOptions(), command.words);
  command.action(async (_address: string | undefined, values: ValuesOf<ReturnType<typeof echoOptions>>) => {
    const output = planOutput(command, values);
    await run({ ...values, output, ...(await planLocal(command.args, values, io)) });
  });
}

/** Echoes until an option or a signal ends it. Resolves to the exit status. */
export function runEcho(plan: EchoPlan, context: Context): Promise<ExitCode> {
  return runService(plan, context, { meta: false, responder: { ...respondEach((data) => data), echoes: true } });
}
