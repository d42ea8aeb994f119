import { isIP, SocketAddress } from 'node:net';
import { checkText, isRecord, wrongArgument } from '../arguments.js';
import { familyOf, isMulticast, isWildcard } from './endpoint.js';
import { interfaceExists } from './interfaces.js';
import type { Endpoint } from '../datagram.js';
import { DatagramError } from '../errors.js';

/** A multicast group that a socket joins: it hears what anybody sends there, or only what one source does (RFC 4607). */
export interface Membership {
  /** A literal multicast address without a zone, such as `239.1.2.3` or `ff02::4242`. */
  readonly group: string;
  /** The literal address, without a zone, of the only host to be heard. Default: any. */
  readonly source?: string | undefined;
  /** Name of the interface to join on. Default: `multicastInterface`, and without that the one that the system chooses. */
  readonly interface?: string | undefined;
}

/** The socket options that say which groups are joined, see `SocketOptions`. */
export interface JoinOptions {
  readonly join?: readonly Membership[] | undefined;
  readonly multicastInterface?: string | undefined;
}

/** A socket that is to join groups. */
export interface JoiningSocket {
  /** Where it is bound. */
  readonly local: Endpoint;
  /** Whether a socket on `::` takes IPv4 too. */
  readonly dualStack: boolean;
  readonly options: JoinOptions;
}

/**
 * Reads `239.1.2.3`, `ff02::4242%eth0` (on that interface) or `192.0.2.1@232.1.2.3` (from that source).
 *
 * @throws {DatagramError} `INVALID_OPTION` for what is no group, or no source for it; whether there is such an interface is
 * not asked.
 */
export function parseMembership(text: string): Membership {
  if (typeof text !== 'string') throw wrongArgument('a membership', 'text', text);
  const [, source, group = '', name] = /^(?:([^@]*)@)?([^@%]*)(?:%(.*))?$/s.exec(text) ?? [];
  return canonicalMembership({ group, source, interface: name }, text);
}

/** Writes a membership so that it can be parsed again. */
export function formatMembership({ group, source, interface: name }: Membership): string {
  return `${source === undefined ? '' : `${source}@`}${group}${name === undefined ? '' : `%${name}`}`;
}

function canonicalMembership(membership: Membership, written = formatMembership(membership)): Membership {
  const group = canonicalLiteral(membership.group);
  if (group === undefined || !isMulticast(group)) {
    throw cannotJoin(
      written,
      `"${membership.group}" is no multicast address, which are 224.0.0.0 to 239.255.255.255 and ff00::/8`,
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

/** What is to be joined, in canonical form, each with its interface where one is named. */
export function membershipsOf({ join = [], multicastInterface }: JoinOptions): readonly Membership[] {
  return join.map((membership) => ({
    ...canonicalMembership(membership),
    interface: membership.interface ?? multicastInterface,
  }));
}

/**
 * Checks what is to be joined, whatever the socket.
 *
 * @throws {DatagramError} `INVALID_OPTION` for what is no group, no source or no interface of this host, and for one that
 * stands twice
 */
export function checkMemberships(options: JoinOptions): void {
  checkShape(options.join);
  const memberships = membershipsOf(options);
  for (const [index, membership] of memberships.entries()) {
    const { group, source, interface: name } = membership;
    if (name !== undefined && !interfaceExists(name)) {
      throw cannotJoin(formatMembership(membership), `this host has no interface "${name}"`);
    }
    const before = memberships.slice(0, index).filter((other) => other.group === group && other.interface === name);
    if (before.some((other) => other.source === source)) {
      throw cannotJoin(formatMembership(membership), 'it stands twice');
    }
    if (before.some((other) => (other.source === undefined) !== (source === undefined))) {
      throw cannotJoin(formatMembership(membership), 'one socket hears there either anybody, or the sources named');
    }
  }
}

function checkShape(join: unknown): void {
  if (join === undefined) return;
  if (!Array.isArray(join)) throw wrongArgument('join', 'an array of { group, source, interface }', join);
  for (const membership of Array.from<unknown>(join)) {
    if (!isRecord(membership) || typeof membership.group !== 'string') {
      throw wrongArgument('each of join', '{ group, source, interface }, all of them text', membership);
    }
    checkText('source of join', membership.source);
    checkText('interface of join', membership.interface);
  }
}

/**
 * Checks that a socket hears what it is to join.
 *
 * @throws {DatagramError} `INVALID_OPTION` for a group of another family, and where the socket is bound to one address
 */
export function checkJoinable({ local, dualStack, options }: JoiningSocket): void {
  const { address, port } = local;
  const [bare = ''] = address.split('%');
  for (const membership of membershipsOf(options)) {
    const { group } = membership;
    if (!dualStack && familyOf(group) !== familyOf(address)) {
      throw cannotJoin(formatMembership(membership), `the socket on ${address} is one of IPv${familyOf(address)} only`);
    }
    if (isWildcard(address) || bare === group) continue;
    const remedy = `bind every interface, *:${port}, or the group itself`;
    throw cannotJoin(formatMembership(membership), `a socket that is bound to ${address} does not hear it; ${remedy}`);
  }
}

function cannotJoin(written: string, why: string): DatagramError {
  return new DatagramError('INVALID_OPTION', `cannot join ${written}: ${why}`);
}
