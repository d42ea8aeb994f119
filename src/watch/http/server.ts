import { serveHttp } from '../../http/server.js';
import type { HttpPlan } from '../plan.js';
import type { OpenServer } from '../watcher.js';
import { openRoutes } from './routes.js';

/** Opens the server of `--http`. */
export function openServer(plan: HttpPlan): OpenServer {
  return async (run) => {
    const routes = await openRoutes(run, plan);
    return serveHttp({ listen: plan.listen, routes, lookup: run.lookup, failed: run.failed });
  };
}
