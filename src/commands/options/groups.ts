import { UsageError } from '../../cli/usage-error.js';
import { formatAddress } from '../../net/address/address.js';
import { isBroadcast, isMulticast } from '../../net/address/endpoint.js';
import { isLinkLocalGroup } from '../../net/address/group.js';
import { anyInterface } from '../../net/address/interfaces.js';
import { splitZone } from '../../net/address/literal.js';
import type { Address } from '../../net/index.js';
import type { SharedValues } from './shared.js';
import { familyOption } from './socket.js';

/**
 * Checks that a link-local group has an interface, and that a group has only one. Other addresses pass.
 *
 * @param source the local address of `send`, whose zone counts too
 * @throws {UsageError}
 */
export function checkGroup(address: Address, values: SharedValues, source?: Address): void {
  const { host, port } = address;
  if (host.kind !== 'literal' || !isMulticast(host.address)) return;
  const { bare, zone } = splitZone(host.address);
  const { interface: name, bindDevice, join = [] } = values;
  const written = formatAddress(address);
  if (zone !== undefined && name !== undefined && zone !== name) {
    throw new UsageError(
      `two interfaces: "${zone}" in "${written}", and "${name}" by option '--interface'; give one of them`,
    );
  }
  const joined = join.some((membership) => membership.group === bare && membership.interface !== undefined);
  const fromZone = source?.host.kind === 'literal' && splitZone(source.host.address).zone !== undefined;
  if (!isLinkLocalGroup(host.address) || name !== undefined || bindDevice !== undefined || joined || fromZone) return;
  const example = anyInterface();
  const remedy = `write [${bare}%${example}]:${port}, or add --interface ${example}`;
  throw new UsageError(`invalid address "${written}": a link-local group needs its interface; ${remedy}`);
}

/**
 * Checks that `--reuse-address` of `serve` or `echo` is for groups or broadcasts.
 *
 * @param local the address to bind
 * @throws {UsageError} which says what would happen
 */
export function checkSharing(local: Address, values: SharedValues): void {
  // Only the option asks for the interfaces of the host, which the system may refuse.
  if (values.reuseAddress === undefined) return;
  const { host } = local;
  const isEverywhere = host.kind === 'any' || (host.kind === 'literal' && host.address === '0.0.0.0');
  const hearsBroadcasts = isEverywhere && familyOption(values) !== 6;
  const hears = hearsBroadcasts || (isEverywhere && values.join !== undefined) || isForMany(local);
  checkReuse(local, hears);
}

/**
 * Checks that `--reuse-address` of `send` is for groups or broadcasts.
 *
 * @param source the address of `--bind`; undefined if the system chooses it
 * @throws {UsageError} which says what would happen
 */
export function checkSharedSource(source: Address | undefined, destination: Address, values: SharedValues): void {
  if (values.reuseAddress === undefined) return;
  const local: Address = source ?? { host: { kind: 'any' }, port: 0 };
  checkReuse(local, isForMany(destination) || values.join !== undefined);
}

function checkReuse(local: Address, isForMany: boolean): void {
  if (local.port === 0) {
    throw new UsageError("option '--reuse-address' shares a port, and the system chooses a free one: name the port");
  }
  if (isForMany) return;
  throw new UsageError(
    `option '--reuse-address' is for groups and broadcasts: of several sockets on ${formatAddress(local)}, only the one bound last would get the datagrams; leave it out`,
  );
}

/** Whether an address is a group or a broadcast address. A name is not known yet, and counts as one host. */
function isForMany({ host }: Address): boolean {
  return host.kind === 'literal' && (isMulticast(host.address) || isBroadcast(host.address));
}
