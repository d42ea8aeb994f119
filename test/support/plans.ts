/** Plans in which nothing is asked for, for tests of runs and services in one process. */
import { parseAddress } from '../../src/net/index.js';
import type { RunPlan } from '../../src/run/plan.js';
import type { ServicePlan } from '../../src/service/plan.js';

/** The plan of a run whose stdout is JSON, and whose log is quiet. */
export const RUN_PLAN: RunPlan = {
  output: 'json',
  meta: undefined,
  stats: false,
  queueSize: 1024,
  failOnDrop: undefined,
  logLevel: undefined,
  logFormat: 'pretty',
  verbose: undefined,
  quiet: undefined,
  color: undefined,
  recvBuffer: undefined,
  sendBuffer: undefined,
  record: undefined,
  rotateSize: undefined,
  rotateTime: undefined,
  keep: undefined,
  recordReplace: undefined,
};

/** The plan of a service on a port of the kernel's choice, which ends only when it is told to. */
export function servicePlan(local: string, changes: Partial<ServicePlan> = {}): ServicePlan {
  return {
    ...RUN_PLAN,
    local: parseAddress(local),
    socket: {},
    count: undefined,
    duration: undefined,
    idle: undefined,
    allow: undefined,
    deny: undefined,
    rateLimit: undefined,
    loopGuard: true,
    answerServicePorts: undefined,
    amplify: undefined,
    maxPeers: undefined,
    seed: undefined,
    ...changes,
  };
}
