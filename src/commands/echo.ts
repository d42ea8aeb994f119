import type { Command } from 'commander';
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

/** What `udpcat echo` was asked to do, parsed and complete. */
export type EchoPlan = ServicePlan;

const EXAMPLES = `
Examples:
  udpcat echo 7000                                 answer everybody on 127.0.0.1:7000 with their own bytes
  udpcat echo '*:7000' --allow 192.0.2.0/24        every interface, but only for one network
  udpcat echo 7000 --rate-limit 100/s -o dump      and show what arrives
  udpcat echo 7000 --loss 5% --delay 40ms          as a bad network would; --seed has the same faults again
`;

/** Declares `udpcat echo [address]`; `run` receives the plan. */
export function declareEcho(command: Command, io: Io, run: (plan: EchoPlan) => Promise<void>): void {
  command
    .description('Binds a UDP socket and sends every datagram back to its sender.')
    .argument('[address]', 'where to bind: 7000, 127.0.0.1:7000, [::1]:7000, *:7000')
    .allowExcessArguments()
    .addHelpText('after', EXAMPLES);
  addOptions(command, echoOptions());
  command.action(async (_address: string | undefined, values: ValuesOf<ReturnType<typeof echoOptions>>) => {
    const output = planOutput(command, values);
    await run({ ...values, output, ...(await planLocal(command.args, values, io)) });
  });
}

/** Echoes until told to end; resolves to the exit status. */
export function runEcho(plan: EchoPlan, context: Context): Promise<ExitCode> {
  return runService(plan, context, { meta: false, responder: respondEach((data) => data) });
}
