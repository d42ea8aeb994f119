import type { CliCommand, Example } from '../cli/command.js';
import { addOptions } from '../cli/options.js';
import type { RelayPlan } from '../relay/plan.js';
import { runRelays } from '../relay/run.js';
import type { Context, Io } from '../run/context.js';
import type { ExitCode } from '../run/exit-code.js';
import { planOutput } from './options/plan.js';
import { planRelay } from './options/relay-plan.js';
import { relayOptions, type RelayValues } from './options/relay.js';

const EXAMPLES: readonly Example[] = [
  { line: 'udpcat relay 5353 192.0.2.1:53 -o dump', says: 'watch a resolver and its server' },
  { line: 'udpcat relay 5353 192.0.2.1:53 --record dns.pcap', says: 'keep what they say' },
  { line: 'udpcat relay 4433 8443 --loss 5% --delay 40ms', says: 'a bad network, both ways' },
  { line: 'udpcat relay 4433 8443 --http 8474', says: 'faults by clients of toxiproxy' },
];

/** Declares `udpcat relay <listen> <target>`. Its action calls `run` with the plan. */
export function declareRelay(command: CliCommand, io: Io, run: (plan: RelayPlan) => Promise<void>): void {
  command
    .description(
      'Passes datagrams of clients on to a target, and its answers back. Each client has a session: a source port of its own.',
    )
    .usage('[options] <listen> <target>')
    .argument('[listen]', '5353 (loopback), [::1]:5353, *:5353 (all interfaces)')
    .argument('[target]', '192.0.2.1:53, [2001:db8::1]:53, name:53, 53 (loopback)')
    .allowExcessArguments();
  command.examples = EXAMPLES;
  addOptions(command, relayOptions());
  command.action(async (_listen: string | undefined, _target: string | undefined, values: RelayValues) => {
    const output = planOutput(command, values);
    await run(planRelay(command.args, { ...values, output }, io));
  });
}

/** Relays until an option or a signal ends it. Resolves to the exit status. */
export function runRelay(plan: RelayPlan, context: Context): Promise<ExitCode> {
  return runRelays(plan, context, async (http, control) => {
    const { openControl } = await import('../relay/http/server.js');
    return openControl(http, control);
  });
}
