import { isLoopback, isWildcard } from '../net/address/endpoint.js';
import { type DatagramServer, formatEndpoint } from '../net/index.js';
import type { Context } from '../run/context.js';
import { reportBuffers, reportEngine } from '../run/socket-report.js';
import type { ServicePlan } from './plan.js';

const SHARED_PORT =
  'a datagram to one address of this host reaches only one of the programs that share the port: the one that was bound last; groups and broadcasts reach all';

/**
 * Tells on stderr where the service listens.
 *
 * @param joined the groups that it has joined, which `-v` tells
 * @param seed the seed of its faults, which is told too; undefined if it has none
 */
export function announce(
  server: DatagramServer,
  plan: ServicePlan,
  context: Context,
  { joined, seed }: { readonly joined: readonly string[]; readonly seed: number | undefined },
): void {
  reportEngine(server, context);
  reportBuffers(plan, server.kernelBuffers, context);
  const address = formatEndpoint(server.local);
  for (const group of joined) context.log.debug(`joined ${group}`, { group });
  context.log.announce(`listening on ${address}`, { address });
  const { reuseAddress, join = [] } = plan.socket;
  if (reuseAddress === true && join.length === 0 && isWildcard(server.local.address)) context.log.warn(SHARED_PORT);
  if (seed !== undefined) context.log.info(`the answers have faults; --seed ${seed} repeats them`, { seed });
}

/** Warns of dangers that a service with responses has at the address that it is bound to. */
export function warnResponding(server: DatagramServer, plan: ServicePlan, { log }: Context): void {
  const { allow, rateLimit = Infinity } = plan;
  if (!knowsLocalAddress(server) && isWildcard(server.local.address)) {
    log.warn(
      `on a host with several addresses, an answer may leave from another address than the request went to (${server.engine} engine): bind one address`,
    );
  }
  if (!isLoopback(server.local.address) && allow === undefined && rateLimit === Infinity) {
    const address = formatEndpoint(server.local);
    log.warn(`every host that reaches ${address} is answered without limit; --allow or --rate-limit sets one`);
  }
}

/** Whether a server of every interface knows to which address a datagram was sent. The answer then leaves from it. */
function knowsLocalAddress({ engine, missingFeatures }: DatagramServer): boolean {
  return engine === 'linux' && !missingFeatures.some(({ option }) => /^IP(V6)?_(RECV)?PKTINFO$/.test(option));
}
