import { isLoopback, isWildcard } from '../net/address/endpoint.js';
import { type DatagramServer, formatEndpoint } from '../net/index.js';
import type { Context } from '../run/context.js';
import { reportBuffers, reportEngine } from '../run/socket-report.js';
import type { ServicePlan } from './plan.js';

/** Tells on stderr where the service listens, and the seed of its faults if it has any. */
export function announce(server: DatagramServer, plan: ServicePlan, context: Context, seed: number | undefined): void {
  reportEngine(server, context);
  reportBuffers(plan, server.kernelBuffers, context);
  const address = formatEndpoint(server.local);
  context.log.announce(`listening on ${address}`, { address });
  if (seed !== undefined) context.log.info(`the answers have faults; --seed ${seed} has the same again`, { seed });
}

/** Warns of dangers for a service that responds, by the address that it is bound to. */
export function warnResponding(server: DatagramServer, plan: ServicePlan, { log }: Context): void {
  const { allow, rateLimit = Infinity } = plan;
  if (server.engine === 'node' && isWildcard(server.local.address)) {
    log.warn(
      'on a host with several addresses, answers may leave from another than was asked (node engine): bind the one to be asked',
    );
  }
  if (!isLoopback(server.local.address) && allow === undefined && rateLimit === Infinity) {
    const address = formatEndpoint(server.local);
    log.warn(`whoever reaches ${address} is answered, however often; --allow or --rate-limit bounds that`);
  }
}
