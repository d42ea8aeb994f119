import { openProcessMetrics, type ProcessMetrics } from '../../http/process-metrics.js';
import { HttpError, textReply } from '../../http/reply.js';
import type { Route } from '../../http/router.js';
import { inSlices, REST_MS } from '../../http/slices.js';
import { Turns } from '../../timing/turns.js';
import { AllowedTargets } from '../allowed-targets.js';
import type { HttpPlan } from '../plan.js';
import type { WatchedRun } from '../watcher.js';
import { replyWithHealth, replyWithLiveness } from './health-replies.js';
import { replyWithMetrics } from './metrics.js';
import { createPage } from './page.js';
import { Prober } from './prober.js';
import { describeTargets } from './targets-json.js';

/** Returns a function that makes the paths of `watch --http`. It takes whether the server listens on the loopback only. */
export async function openRoutes(run: WatchedRun, plan: HttpPlan): Promise<(isLoopback: boolean) => readonly Route[]> {
  const processMetrics = await openProcessMetrics();
  return (isLoopback) => routesOf(run, processMetrics, new AllowedTargets(plan, isLoopback));
}

function routesOf(run: WatchedRun, processMetrics: ProcessMetrics, allowed: AllowedTargets): readonly Route[] {
  const turns = new Turns(REST_MS);
  const page = createPage();
  const prober = new Prober(run, allowed);
  return [
    { method: 'GET', path: '/', reply: () => page },
    { method: 'GET', path: '/metrics', reply: () => replyWithMetrics(run, turns, processMetrics) },
    { method: 'GET', path: '/probe', guarded: true, reply: (request) => prober.reply(request) },
    {
      method: 'GET',
      path: '/health',
      reply: ({ headers }) =>
        replyWithHealth(
          run.targets.filter(({ plan: { health } }) => health),
          headers.accept,
        ),
    },
    {
      method: 'GET',
      path: '/health/*',
      reply: ({ params, headers }) => {
        const target = run.targets.find(({ plan: { name } }) => name === params.rest);
        if (target === undefined) throw new HttpError(404, 'there is no target of this name');
        return replyWithHealth([target], headers.accept);
      },
    },
    { method: 'GET', path: '/live', reply: () => replyWithLiveness(run.targets, performance.now()) },
    {
      method: 'GET',
      path: '/targets',
      reply: () => ({ status: 200, type: 'application/json', body: inSlices(describeTargets(run), turns) }),
    },
    {
      method: 'POST',
      path: '/-/reload',
      guarded: true,
      reply: async () => {
        if (run.reload === undefined)
          throw new HttpError(404, 'there is no file: the targets are those of the command line');
        const why = await run.reload();
        if (why !== undefined) throw new HttpError(500, why);
        return textReply(200, `the file was read again: ${run.targets.length} targets\n`);
      },
    },
  ];
}
