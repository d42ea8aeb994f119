import type { Endpoint } from '../datagram.js';
import { DatagramError } from '../errors.js';
import { formatEndpoint, isMulticast } from './endpoint.js';
import { anyInterface } from './interfaces.js';
import { needsZone, splitZone } from './literal.js';
import { type JoinOptions, membershipsOf } from './membership.js';

/** Whether an address is an IPv6 group of one link without its interface: `ff02::1`. */
export function isLinkLocalGroup(address: string): boolean {
  return isMulticast(address) && needsZone(address) && !address.includes('%');
}

/** Says that a link-local group needs its interface, with an example. */
export function needsInterface(group: string): string {
  return `a link-local group needs its interface: ${group}%${anyInterface()}`;
}

/**
 * Returns options with the zone of a group as `multicastInterface`. The kernel ignores the zone of a group whose scope is wider
 * than one link (RFC 4007), so the option decides by which interface the datagrams leave. Returns the same options for another
 * address.
 *
 * @throws {DatagramError} `INVALID_OPTION` if zone and `multicastInterface` are two interfaces
 */
export function withInterfaceOf<Options extends JoinOptions>(remote: Endpoint, options: Options): Options {
  const { zone } = splitZone(remote.address);
  if (zone === undefined || !isMulticast(remote.address)) return options;
  const { multicastInterface = zone } = options;
  if (multicastInterface === zone) return { ...options, multicastInterface };
  const what = `cannot send to ${formatEndpoint(remote)} by the interface "${multicastInterface}"`;
  throw new DatagramError('INVALID_OPTION', `${what}: its zone is another interface`);
}

/**
 * Refuses a group with a zone that the kernel would ignore, because its scope is wider than one link. `multicastInterface` of the
 * socket decides by which interface such a datagram leaves.
 *
 * @throws {DatagramError} `INVALID_ADDRESS`
 */
export function refuseOtherInterface(remote: Endpoint, multicastInterface: string | undefined): void {
  const { bare, zone } = splitZone(remote.address);
  if (zone === undefined || zone === multicastInterface || !isMulticast(bare) || needsZone(bare)) return;
  const remedy = `open the server with multicastInterface "${zone}"`;
  throw new DatagramError('INVALID_ADDRESS', `cannot send to ${formatEndpoint(remote)} by its zone: ${remedy}`);
}

/**
 * Returns the address and the options with which a server is bound to a group. The server joins the group on the interface of
 * its zone, of `multicastInterface`, or the system's choice, unless `join` names the group already. Returns the same address and
 * options for another address.
 */
export function joiningItself<Options extends JoinOptions>(
  local: Endpoint,
  options: Options,
): { readonly local: Endpoint; readonly options: Options } {
  const { bare: group, zone } = splitZone(local.address);
  if (!isMulticast(group)) return { local, options };
  const named = membershipsOf(options).find((membership) => membership.group === group);
  const { interface: name } = named ?? { interface: options.multicastInterface };
  const joined = named === undefined ? [{ group, interface: zone ?? name }] : [];
  const bound = zone === undefined && name !== undefined && needsZone(group) ? `${group}%${name}` : local.address;
  return {
    local: { ...local, address: bound },
    options: { ...options, join: [...(options.join ?? []), ...joined] },
  };
}
