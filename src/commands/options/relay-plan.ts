import { randomInt } from 'node:crypto';
import { UsageError } from '../../cli/usage-error.js';
import { checkDestination } from '../../net/address/address.js';
import { parseSourceAddress } from '../../net/address/parse.js';
import { DatagramError, type Address, familyOf, parseAddress } from '../../net/index.js';
import { refuseLoopbackSource } from '../../net/engines/own-address.js';
import { endpointOf } from '../../net/address/resolve.js';
import type { RelayPlan } from '../../relay/plan.js';
import type { Io } from '../../run/context.js';
import { checkLine, settingsOf, type Way } from './faults.js';
import { checkGroup, checkSharing } from './groups.js';
import { checkJoins, checkShared, readBind, readLocalAddress, socketOptions } from './plan.js';
import { type RelayValues, sessionTimeoutOf } from './relay.js';
import { familyOption } from './socket.js';

/** Makes the plan of `udpcat relay`. @throws {UsageError} */
export function planRelay(args: readonly string[], values: RelayValues, io: Io): RelayPlan {
  checkShared(values, io);
  const [listen, target] = readAddresses(args, values);
  checkGroup(listen, values);
  checkSharing(listen, values);
  checkJoins(listen, familyOption(values), values);
  const source = readSource(values, target);
  const socket = socketOptions(values, { pays: true });
  const { ttl, dscp, dontFragment, broadcast, recvBufferBytes, sendBufferBytes, exactDrops } = socket;
  return {
    ...values,
    sessionTimeout: sessionTimeoutOf(values),
    listen,
    target,
    source,
    socket,
    sessionSocket: { ttl, dscp, dontFragment, broadcast, recvBufferBytes, sendBufferBytes, exactDrops },
    faults: { up: faultsOf('up', values), down: faultsOf('down', values) },
    seed: values.seed ?? randomInt(0x1_0000_0000),
  };
}

function faultsOf(way: Way, values: RelayValues) {
  const settings = settingsOf(way, values);
  checkLine(settings, values.lineQueue === undefined ? `${way}-` : '');
  return settings;
}

function readAddresses(args: readonly string[], values: RelayValues): [listen: Address, target: Address] {
  const [listen, target, ...more] = args;
  if (listen === undefined || target === undefined) {
    throw new UsageError(
      `two addresses are what the command takes: where clients come to, and the target, for example: udpcat relay ${listen ?? '5353'} 192.0.2.1:53`,
    );
  }
  if (more.length > 0) {
    throw new UsageError(`two addresses are what the command takes: "${target}" is followed by "${more.join(' ')}"`);
  }
  return [readLocalAddress(listen, parseAddress, values), readTarget(target)];
}

/** Reads the target. `-4` and `-6` do not forbid a literal of the other family: both sides of a relay may differ. */
function readTarget(text: string): Address {
  try {
    return checkDestination(parseAddress(text));
  } catch (error) {
    if (error instanceof DatagramError) throw new UsageError(error.message);
    throw error;
  }
}

/** Reads the address of `--bind`, which sessions come from. */
function readSource(values: RelayValues, target: Address): string | undefined {
  if (values.bind === undefined) return undefined;
  const parse = (text: string): Address => parseSourceAddress(text);
  const { host, port } = readBind(values.bind, parse, { ...values, ipv4: undefined, ipv6: undefined });
  const what = `option '-b, --bind': "${values.bind}"`;
  if (port !== 0)
    throw new UsageError(`${what} has a port, and each session needs one of its own: give an address only`);
  if (host.kind !== 'literal')
    throw new UsageError(`${what} is no address: it is the source of sessions, for example 192.0.2.1`);
  const to = endpointOf(target, target.host.kind === 'literal' ? undefined : familyOption(values));
  if (to === undefined) return host.address;
  if (familyOf(host.address) !== familyOf(to.address)) {
    throw new UsageError(`option '-b, --bind': ${host.address} is not of the family of ${to.address}`);
  }
  try {
    refuseLoopbackSource({ address: host.address, port: 0 }, to, { multicastInterface: values.interface });
  } catch (error) {
    if (error instanceof DatagramError) throw new UsageError(`option '-b, --bind': ${error.message}`);
    throw error;
  }
  return host.address;
}
