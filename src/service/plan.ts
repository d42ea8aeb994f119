import type { FaultPlan } from '../faults/fault-plan.js';
import type { Cidr } from '../guard/access-list.js';
import type { Address, DatagramSocketOptions } from '../net/index.js';
import type { RunPlan } from '../run/plan.js';

/** The options that every service needs. */
export interface ServicePlan extends RunPlan, GuardPlan, FaultPlan {
  /** Address to bind; port 0 lets the kernel choose. */
  readonly local: Address;
  /** A socket that is bound there already. Default: a new one is bound. */
  readonly fd?: number | undefined;
  readonly socket: DatagramSocketOptions;
  /** The service ends after so many datagrams. */
  readonly count: number | undefined;
  /** The service ends after that time, in milliseconds. */
  readonly duration: number | undefined;
  /** The service ends when nothing has arrived for that time, in milliseconds. */
  readonly idle: number | undefined;
}

/** The options about the peers that a service hears and responds to. */
export interface GuardPlan {
  /** Datagrams are taken from these addresses only. Default: from all. */
  readonly allow: readonly Cidr[] | undefined;
  /** Datagrams are not taken from these addresses. */
  readonly deny: readonly Cidr[] | undefined;
  /** Responses to each peer a second; Infinity for no limit, which is the default. */
  readonly rateLimit: number | undefined;
  /** Whether a peer gets no more than 100 responses a second to identical datagrams. */
  readonly loopGuard: boolean;
  /** Whether source ports below 1024 get responses, too. */
  readonly answerServicePorts: true | undefined;
  /** Whether responses may be larger than 3 times the request, whoever sent it. */
  readonly amplify: true | undefined;
  /** Peers that are remembered at once. Default: 1024 in the summary, 65536 in the guards. */
  readonly maxPeers: number | undefined;
}
