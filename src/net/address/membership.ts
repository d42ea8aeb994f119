import { isIP, SocketAddress } from 'node:net';
import { checkText, isRecord, wrongArgument } from '../arguments.js';
import { familyOf, isMulticast, isWildcard } from './endpoint.js';
import { interfaceExists, noInterface } from './interfaces.js';
import type { Endpoint } from '../datagram.js';
import { DatagramError } from '../errors.js';

/** A multicast group that a socket joins. The socket then receives datagrams that are sent to the group. */
export interface Membership {
  /** The group, a multicast address without a zone, for example `239.1.2.3` or `ff02::4242`. */
  readonly group: string;
  /**
   * The only sender to receive from (source-specific multicast, RFC 4607), an address without a zone. Default: every
   * sender.
   */
  readonly source?: string | undefined;
  /** Name of the interface to join on. Default: the option `multicastInterface`; without it, the system chooses. */
  readonly interface?: string | undefined;
}

/** The socket options about multicast groups, see `SocketOptions`. */
export interface JoinOptions {
  readonly join?: readonly Membership[] | undefined;
  readonly multicastInterface?: string | undefined;
}

/** A socket that will join groups. */
export interface JoiningSocket {
  /** The address to which it is bound. */
  readonly local: Endpoint;
  /** Whether a socket bound to `::` also receives IPv4. */
  readonly dualStack: boolean;
  readonly options: JoinOptions;
}

/**
 * Reads a membership: `239.1.2.3`, `ff02::4242%eth0` (on that interface) or `192.0.2.1@232.1.2.3` (from that source
 * only).
 *
 * Does not check that the interface exists; opening the socket does.
 *
 * @throws {DatagramError} `INVALID_OPTION` if the group is not a multicast address, or the source is not an address of
 * a host in the same family
 */
export function parseMembership(text: string): Membership {
  if (typeof text !== 'string') throw wrongArgument('a membership', 'text', text);
  const [, source, group = '', name] = /^(?:([^@]*)@)?([^@%]*)(?:%(.*))?$/s.exec(text) ?? [];
  return canonicalMembership({ group, source, interface: name }, text);
}

/** Writes a membership so that {@link parseMembership} can read it. */
export function formatMembership({ group, source, interface: name }: Membership): string {
  return `${source === undefined ? '' : `${source}@`}${group}${name === undefined ? '' : `%${name}`}`;
}

function canonicalMembership(membership: Membership, written = formatMembership(membership)): Membership {
  const group = canonicalLiteral(membership.group);
  if (group === undefined || !isMulticast(group)) {
    throw cannotJoin(
      written,
      `"${membership.group}" is not a multicast address (224.0.0.0 to 239.255.255.255, ff00::/8)`,
    );
  }
  if (membership.source === undefined) return { ...membership, group };
  const source = canonicalLiteral(membership.source);
  if (source === undefined || familyOf(source) !== familyOf(group) || isMulticast(source) || isWildcard(source)) {
    throw cannotJoin(written, `"${membership.source}" is not the IPv${familyOf(group)} address of a host`);
  }
  return { ...membership, group, source };
}

function canonicalLiteral(text: string): string | undefined {
  const version = text.includes('%') ? 0 : isIP(text);
  return version === 6
    ? new SocketAddress({ address: text, family: 'ipv6' }).address
    : version === 4
      ? text
      : undefined;
}

/** Returns the memberships in canonical form. The interface is the membership's own, else `multicastInterface`. */
export function membershipsOf({ join = [], multicastInterface }: JoinOptions): readonly Membership[] {
  return join.map((membership) => ({
    ...canonicalMembership(membership),
    interface: membership.interface ?? multicastInterface,
  }));
}

/**
 * Checks the memberships of the options. {@link checkJoinable} checks later that they fit the socket.
 *
 * @throws {DatagramError} `INVALID_OPTION` if a group, source or interface is wrong, if a membership is given twice, or
 * if one group is joined both for every sender and for one source
 */
export function checkMemberships(options: JoinOptions): void {
  checkShape(options.join);
  const memberships = membershipsOf(options);
  for (const [index, membership] of memberships.entries()) {
    const { group, source, interface: name } = membership;
    if (name !== undefined && !interfaceExists(name)) {
      throw cannotJoin(formatMembership(membership), noInterface(name));
    }
    const before = memberships.slice(0, index).filter((other) => other.group === group && other.interface === name);
    if (before.some((other) => other.source === source)) {
      throw cannotJoin(formatMembership(membership), 'it is given twice');
    }
    if (before.some((other) => (other.source === undefined) !== (source === undefined))) {
      throw cannotJoin(
        formatMembership(membership),
        'a socket receives either from every source of a group or from the sources named',
      );
    }
  }
}

function checkShape(join: unknown): void {
  if (join === undefined) return;
  if (!Array.isArray(join)) throw wrongArgument('join', 'an array of { group, source, interface }', join);
  for (const membership of Array.from<unknown>(join)) {
    if (!isRecord(membership) || typeof membership.group !== 'string') {
      throw wrongArgument('each entry of join', '{ group, source, interface }, each of them text', membership);
    }
    checkText('source of join', membership.source);
    checkText('interface of join', membership.interface);
  }
}

/**
 * Checks that a socket can receive from the groups that it will join. It must be bound to every interface or to the
 * group.
 *
 * @throws {DatagramError} `INVALID_OPTION` if a group has another family, or the socket is bound to another address
 */
export function checkJoinable({ local, dualStack, options }: JoiningSocket): void {
  const { address, port } = local;
  const [bare = ''] = address.split('%');
  for (const membership of membershipsOf(options)) {
    const { group } = membership;
    if (!dualStack && familyOf(group) !== familyOf(address)) {
      throw cannotJoin(formatMembership(membership), `the socket on ${address} is IPv${familyOf(address)} only`);
    }
    if (isWildcard(address) || bare === group) continue;
    const remedy = `bind every interface, *:${port}, or the group itself`;
    throw cannotJoin(formatMembership(membership), `a socket bound to ${address} does not receive from it; ${remedy}`);
  }
}

function cannotJoin(written: string, why: string): DatagramError {
  return new DatagramError('INVALID_OPTION', `cannot join ${written}: ${why}`);
}
