import { UsageError } from '../../cli/usage-error.js';
import { randomSeed } from '../../faults/random.js';
import { checkDestination } from '../../net/address/address.js';
import { parseSourceAddress } from '../../net/address/parse.js';
import { DatagramError, type Address, familyOf, parseAddress } from '../../net/index.js';
import { refuseLoopbackSource } from '../../net/engines/own-address.js';
import { endpointOf } from '../../net/address/resolve.js';
import type { ControlPlan, RelayEnds, RelayPlan } from '../../relay/plan.js';
import { isLoopback } from '../../net/address/endpoint.js';
import { checkControl } from '../../relay/control-check.js';
import type { Io } from '../../run/context.js';
import { directedSettings } from './faults.js';
import { checkGroup, checkSharing } from './groups.js';
import { checkJoins, checkShared, readBind, readLocalAddress, socketOptions } from './plan.js';
import { type RelayValues, sessionTimeoutOf } from './relay.js';
import { familyOption } from './socket.js';

/** Makes the plan of `udpcat relay`. @throws {UsageError} */
export function planRelay(args: readonly string[], values: RelayValues, io: Io): RelayPlan {
  checkShared(values, io);
  const first = readEnds(args, values);
  const http = planControl(values, io);
  const source = readSource(values, first?.target);
  const socket = socketOptions(values, { pays: true });
  const { ttl, dscp, dontFragment, broadcast, recvBufferBytes, sendBufferBytes, exactDrops } = socket;
  return {
    ...values,
    sessionTimeout: sessionTimeoutOf(values),
    first,
    http,
    source,
    socket,
    sessionSocket: { ttl, dscp, dontFragment, broadcast, recvBufferBytes, sendBufferBytes, exactDrops },
    faults: directedSettings(values),
    seed: values.seed ?? randomSeed(),
  };
}

function readEnds(args: readonly string[], values: RelayValues): RelayEnds | undefined {
  const [listen, target, ...more] = args;
  if (listen === undefined && values.http !== undefined) return undefined;
  if (listen === undefined || target === undefined) {
    throw new UsageError(
      `two addresses are what the command takes: where clients come to, and the target, for example: udpcat relay ${listen ?? '5353'} 192.0.2.1:53`,
    );
  }
  if (more.length > 0) {
    throw new UsageError(`two addresses are what the command takes: "${target}" is followed by "${more.join(' ')}"`);
  }
  const address = readLocalAddress(listen, parseAddress, values);
  checkGroup(address, values);
  checkSharing(address, values);
  checkJoins(address, familyOption(values), values);
  return { listen: address, target: readTarget(target) };
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
function readSource(values: RelayValues, target: Address | undefined): string | undefined {
  if (values.bind === undefined) return undefined;
  const parse = (text: string): Address => parseSourceAddress(text);
  const { host, port } = readBind(values.bind, parse, { ...values, ipv4: undefined, ipv6: undefined });
  const what = `option '-b, --bind': "${values.bind}"`;
  if (port !== 0)
    throw new UsageError(`${what} has a port, and each session needs one of its own: give an address only`);
  if (host.kind !== 'literal')
    throw new UsageError(`${what} is no address: it is the source of sessions, for example 192.0.2.1`);
  const to = target && endpointOf(target, target.host.kind === 'literal' ? undefined : familyOption(values));
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

/** Makes the plan of `--http`. @throws {UsageError} */
function planControl(values: RelayValues, { env }: Io): ControlPlan | undefined {
  const { http: listen, httpToken: variable, httpAllow: allow, httpOpen, count } = values;
  if (listen === undefined) {
    const about = { 'http-token': variable, 'http-allow': allow, 'http-open': httpOpen };
    const [lone] = Object.entries(about).find(([, value]) => value !== undefined) ?? [];
    if (lone === undefined) return undefined;
    throw new UsageError(`option '--${lone}' is about the server of --http: add --http`);
  }
  if (count !== undefined) {
    throw new UsageError("options '--http' and '--count' cannot be used together: --http has relays without end");
  }
  const open = httpOpen === true;
  if (open && (variable !== undefined || allow !== undefined)) {
    const other = variable === undefined ? '--http-allow' : '--http-token';
    throw new UsageError(`options '--http-open' and '${other}' contradict each other`);
  }
  const token = variable === undefined ? undefined : env[variable];
  if (variable !== undefined && (token === undefined || token === '')) {
    throw new UsageError(`option '--http-token' names the environment variable ${variable}, which is not set`);
  }
  const plan = { listen, token, allow, open };
  const endpoint = endpointOf(listen);
  if (endpoint !== undefined) checkControl(plan, isLoopback(endpoint.address));
  return plan;
}
