import { isIPv6 } from 'node:net';
import { UsageError } from '../../cli/usage-error.js';
import { type Address, parseAddress } from '../../net/index.js';
import type { Io } from '../../run/context.js';
import { countInherited, findInherited } from '../../service/inherited-socket.js';
import type { ServicePlan } from '../../service/plan.js';
import { checkLine } from './faults.js';
import { checkGroup, checkSharing } from './groups.js';
import { familyOption } from './socket.js';
import { checkJoins, checkShared, readAddress, readBind, readLocalAddress, socketOptions } from './plan.js';
import type { ServingValues } from './serving.js';

/** The part of a {@link ServicePlan} about the socket. */
export type LocalPlan = Pick<ServicePlan, 'local' | 'fd' | 'socket'>;

/**
 * Reads the address to bind: the argument or `--bind`. Without them it is the address of the socket that a service manager
 * passed. Without such a socket it is the loopback, and the kernel chooses the port.
 *
 * @throws {UsageError}
 * @throws {LocalFailure} for a passed socket that cannot be used
 */
export async function planLocal(args: readonly string[], values: ServingValues, io: Io): Promise<LocalPlan> {
  checkShared(values, io);
  checkLine(values);
  const found = await readLocal(args, values, io);
  checkGroup(found.local, values);
  checkSharing(found.local, values);
  checkJoins(found.local, familyOption(values), values);
  return { ...found, socket: socketOptions(values, { pays: true }) };
}

async function readLocal(
  args: readonly string[],
  values: ServingValues,
  io: Io,
): Promise<{ readonly local: Address; readonly fd?: number }> {
  const [argument, ...more] = args;
  if (argument !== undefined && more.length > 0) throw new UsageError(describeExcess(argument, more));
  if (argument !== undefined && values.bind !== undefined) {
    throw new UsageError(`two addresses: "${argument}", and "${values.bind}" by option '-b, --bind'; give one of them`);
  }
  const inherited = countInherited(io);
  const written = values.bind ?? argument;
  if (inherited > 0 && written !== undefined) {
    throw new UsageError(
      `two addresses: "${written}", and that of the socket which the service manager passed (LISTEN_FDS); leave out one`,
    );
  }
  if (inherited > 0) {
    const { fd, written: bound } = await findInherited(inherited, io);
    return { fd, local: readAddress(bound, parseAddress, values) };
  }
  if (values.bind !== undefined) return { local: readBind(values.bind, parseAddress, values) };
  return { local: readLocalAddress(argument ?? '0', parseAddress, values) };
}

/** Explains excess arguments. Users of netcat write the port as an argument of its own. */
function describeExcess(argument: string, more: readonly string[]): string {
  const [port = ''] = more;
  const said = `one address is what the command takes: "${argument}" is followed by "${more.join(' ')}"`;
  if (more.length > 1 || !/^\d{1,5}$/.test(port) || /^\d+$/.test(argument)) return said;
  return `${said}; write ${isIPv6(argument) ? `[${argument}]` : argument}:${port}`;
}
