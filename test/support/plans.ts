/** Plans with the default of each option, for tests of runs and services in the process of the test. */
import { parseAddress } from '../../src/net/index.js';
import type { RunPlan } from '../../src/run/plan.js';
import type { ServicePlan } from '../../src/service/plan.js';

/** The plan of a run with JSON on stdout and a quiet log. */
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

/** Returns the plan of a service without limits: it runs until it is stopped. `changes` replaces single options. */
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
