import type { FaultPlan } from '../faults/fault-plan.js';
import type { Cidr } from '../guard/access-list.js';
import type { Address, DatagramSocketOptions } from '../net/index.js';
import type { RunPlan } from '../run/plan.js';

/** The options that every service needs. */
export interface ServicePlan extends RunPlan, GuardPlan, FaultPlan {
  /** Address to bind; port 0 lets the kernel choose. */
  readonly local: Address;
  /** The file descriptor of a socket that is bound to this address already. Default: a new socket is bound. */
  readonly fd?: number | undefined;
  readonly socket: DatagramSocketOptions;
  /** The service ends after this number of datagrams. Default: never. */
  readonly count: number | undefined;
  /** The service ends after this time, in milliseconds. Default: never. */
  readonly duration: number | undefined;
  /** The service ends after this time without a datagram, in milliseconds. Default: never. */
  readonly idle: number | undefined;
}

/** The options about the peers that a service hears and responds to. */
export interface GuardPlan {
  /** Datagrams are taken from these addresses only. Default: from all. */
  readonly allow: readonly Cidr[] | undefined;
  /** Datagrams are not taken from these addresses. */
  readonly deny: readonly Cidr[] | undefined;
  /** The maximum number of responses to each peer in a second. Default, and Infinity: no limit. */
  readonly rateLimit: number | undefined;
  /** Whether a peer gets no more than 100 responses a second to identical datagrams. */
  readonly loopGuard: boolean;
  /** Whether source ports below 1024 get responses. Default: they do not. */
  readonly answerServicePorts: true | undefined;
  /** Whether responses may be larger than 3 times the request, without `allow` too. Default: they may not. */
  readonly amplify: true | undefined;
  /** How many peers are remembered. Default: 1024 in the summary, 65536 in the guards. */
  readonly maxPeers: number | undefined;
}
