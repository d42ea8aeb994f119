import type { FaultSettings } from '../faults/table.js';
import type { Cidr } from '../guard/access-list.js';
import type { GatePlan } from '../http/gate.js';
import type { Address, DatagramSocketOptions, SocketOptions } from '../net/index.js';
import type { RunPlan } from '../run/plan.js';

/** The way of datagrams: `up` from the clients to the target, `down` from the target to the clients. */
export type Way = 'up' | 'down';
export const WAYS = ['up', 'down'] as const;

/** The faults of both ways. */
export type RelayFaults = Readonly<Record<Way, FaultSettings>>;

/** The two addresses of a relay. */
export interface RelayEnds {
  /** The address to bind for clients; port 0 lets the kernel choose. */
  readonly listen: Address;
  /** The address that the datagrams of clients go to. */
  readonly target: Address;
}

/** One relay: where it listens, where it passes datagrams on to, and how. */
export interface RelaySettings extends RelayEnds, RelayOptions {}

/** How a relay passes datagrams on. */
export interface RelayOptions {
  /** The options of the socket for clients. */
  readonly socket: DatagramSocketOptions;
  /** The options of the sockets of sessions. */
  readonly sessionSocket: SocketOptions;
  /** The literal address that sessions come from. Default: the system chooses it. */
  readonly source: string | undefined;
  /** A session ends when nothing has gone either way for this time, in milliseconds. */
  readonly sessionTimeout: number;
  /** A session ends after this number of answers. Default: no limit. */
  readonly responses: number | undefined;
  /** The maximum number of sessions that are open at a time. Default: 10000. */
  readonly maxSessions: number | undefined;
  /** Each session gets a new source port after this time again and again, in milliseconds. Default: never. */
  readonly rebind: number | undefined;
  /** Whether answers may come from every port of the target's host. */
  readonly anyPort: true | undefined;
  /** Datagrams of clients are taken from these addresses only. Default: from all. */
  readonly allow: readonly Cidr[] | undefined;
  /** Datagrams of clients are not taken from these addresses. */
  readonly deny: readonly Cidr[] | undefined;
  /** The maximum number of datagrams that are taken from each client in a second. Default, and Infinity: no limit. */
  readonly rateLimit: number | undefined;
  /** Whether a client gets more than 3 times the bytes that it sent, before it has answered an answer. */
  readonly amplify: true | undefined;
  readonly faults: RelayFaults;
  /** Decides all random faults: a whole number from 0 to 2^32 - 1. */
  readonly seed: number;
  /** The number of datagrams that are taken from clients. Default: no limit. */
  readonly count: number | undefined;
}

/** The options of `udpcat relay`. */
export interface RelayPlan extends RunPlan, RelayOptions {
  /** The relay of the command line. Undefined: there is none at first. */
  readonly first: RelayEnds | undefined;
  /** The name of the relay of the command line. */
  readonly name: string;
  /** The server that changes relays while they run. Undefined: there is none. */
  readonly http: ControlPlan | undefined;
  /** The target is looked up again after this time, in milliseconds. Default: never. */
  readonly resolve: number | undefined;
  /** The side whose datagrams are written to stdout. */
  readonly side: Side;
  /** The run ends after this time, in milliseconds. Default: never. */
  readonly duration: number | undefined;
  /** The run ends after this time without a datagram, in milliseconds. Default: never. */
  readonly idle: number | undefined;
}

/** The server of `--http`. */
export interface ControlPlan extends GatePlan {
  readonly listen: Address;
  /** Whether everybody may ask, wherever the server listens. */
  readonly open: boolean;
}

export const SIDES = ['client', 'server', 'both'] as const;
export type Side = (typeof SIDES)[number];
