import { Gate } from '../../http/gate.js';
import { openProcessMetrics } from '../../http/process-metrics.js';
import { serveHttp } from '../../http/server.js';
import { REST_MS } from '../../http/slices.js';
import { lookupInChild } from '../../run/name-lookup.js';
import { Turns } from '../../timing/turns.js';
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
  const turns = new Turns(REST_MS);
  return serveHttp({
    listen: plan.listen,
    gate: new Gate(plan),
    maxBodyBytes: MAX_BODY_BYTES,
    turns,
    refusal: writeError,
    lookup: lookupInChild(context, context.stop),
    routes: (isLoopback) => {
      checkControl(plan, isLoopback);
      return routesOf(control, processMetrics, turns);
    },
    failed: (error) => {
      control.failed(error);
    },
  });
}
