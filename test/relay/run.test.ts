/** The end of a run of relays after an error, while datagrams wait for their delay. */
import { getEventListeners } from 'node:events';
import { expect, test } from '@jest/globals';
import { CliCommand } from '../../src/cli/command.js';
import { declareRelay } from '../../src/commands/relay.js';
import { DatagramError, formatEndpoint, openUdpConnection, startUdpServer } from '../../src/net/index.js';
import type { RelayPlan } from '../../src/relay/plan.js';
import { type ControlServer, type RelayControl, runRelays } from '../../src/relay/run.js';
import { createContext } from '../../src/run/context.js';
import { ExitCode } from '../../src/run/exit-code.js';
import { openIo } from '../support/in-process.js';
import { canBind, jsonLines } from '../support/service.js';
import { until } from './relaying.js';

const FAILURE = new DatagramError('RECEIVE_FAILED', 'the test makes it fail');

/** The plan that a command line of `relay` becomes. */
async function relayPlan(args: readonly string[]): Promise<RelayPlan> {
  const program = new CliCommand().exitOverride();
  let planned: RelayPlan | undefined;
  declareRelay(program.command('relay'), openIo({}, args).io, (plan) => {
    planned = plan;
    return Promise.resolve();
  });
  await program.parseAsync(['relay', ...args], { from: 'user' });
  if (planned === undefined) throw new Error('the command line asks for no run');
  return planned;
}

test.each([
  {
    what: 'an error of a part of it',
    provoke: (control: RelayControl) => {
      control.failed(FAILURE);
    },
    dispose: () => Promise.resolve(),
  },
  {
    what: 'an error at the close of its HTTP server',
    provoke: (_: RelayControl, stop: AbortController) => {
      stop.abort('SIGTERM');
    },
    dispose: () => Promise.reject(FAILURE),
  },
])(
  'ends by $what: gives up datagrams that wait for their delay, counts them and closes all',
  async ({ provoke, dispose }) => {
    await using server = await startUdpServer('127.0.0.1:0');
    const args = [
      '127.0.0.1:0',
      formatEndpoint(server.local),
      '--http',
      '127.0.0.1:0',
      '--up-delay',
      '1m',
      '-o',
      'json',
    ];
    const plan = await relayPlan(args);
    const [stop, force] = [new AbortController(), new AbortController()];
    const { io, stdout, stderr } = openIo({ stop: stop.signal, force: force.signal }, args);
    const context = await createContext(io, plan);
    let ended!: Promise<ExitCode>;
    const control = await new Promise<RelayControl>((resolve, reject) => {
      ended = runRelays(plan, context, (_, opened) => {
        resolve(opened);
        const opening: ControlServer = { local: server.local, [Symbol.asyncDispose]: dispose };
        return Promise.resolve(opening);
      });
      ended.catch(reject);
    });
    const [relay] = control.relays.running;
    await using client = await openUdpConnection(relay!.server.local);
    await client.sendBatch(['a', 'b', 'c']);
    await until(() => relay!.lanes.up.counts.received === 3);
    provoke(control, stop);
    expect(await ended).toBe(ExitCode.failure);
    expect(stderr.text).toContain(FAILURE.message);
    expect(jsonLines(stdout.text).at(-1)).toMatchObject({
      type: 'summary',
      sessions: { opened: 1 },
      up: { received: 3, sent: 0, notSent: 3 },
    });
    expect(control.relays.running).toEqual([]);
    expect(await canBind('127.0.0.1', relay!.server.local.port)).toBe(true);
    expect(getEventListeners(force.signal, 'abort')).toEqual([]);
  },
);
