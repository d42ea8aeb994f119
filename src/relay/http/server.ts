import { Gate } from '../../http/gate.js';
import { openProcessMetrics } from '../../http/process-metrics.js';
import { serveHttp } from '../../http/server.js';
import { lookupInChild } from '../../run/name-lookup.js';
import { checkControl } from '../control-check.js';
import type { ControlPlan } from '../plan.js';
import type { ControlServer, RelayControl } from '../run.js';
import { routesOf, writeError } from './routes.js';

/** The largest body of a request, in bytes. */
const MAX_BODY_BYTES = 64 * 1024;

/**
 * Opens the server of `--http`.
 *
 * @throws {UsageError} if strangers could ask
 */
export async function openControl(plan: ControlPlan, control: RelayControl): Promise<ControlServer> {
  const processMetrics = await openProcessMetrics();
  const { context } = control;
  return serveHttp({
    listen: plan.listen,
    gate: new Gate(plan),
    maxBodyBytes: MAX_BODY_BYTES,
    refusal: writeError,
    lookup: lookupInChild(context, context.stop),
    routes: (isLoopback) => {
      checkControl(plan, isLoopback);
      return routesOf(control, processMetrics);
    },
    failed: (error) => {
      control.failed(error);
    },
  });
}
