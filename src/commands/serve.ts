import type { Command } from 'commander';
import { type Datagram, type DatagramServer, formatEndpoint } from '../net/index.js';
import { LoadedResponder } from '../responders/load.js';
import type { ResponsePlan } from '../responders/plan.js';
import { planResponse, responseOptions } from './options/responses.js';
import type { Context, Io } from '../run/context.js';
import { ExitCode } from '../run/exit-code.js';
import { describeFailure } from '../text/failure.js';
import { unlessAborted } from '../run/interruption.js';
import { addOptions, type ValuesOf } from '../cli/options.js';
import { planOutput } from './options/plan.js';
import { planLocal } from './options/local.js';
import { servingOptions } from './options/serving.js';
import type { ServicePlan } from '../service/plan.js';
import { runService, type ServiceParts } from '../service/service.js';
import type { Encoding } from '../text/encoding.js';
import { readTypedLines } from '../input/typed-lines.js';

function serveOptions() {
  return {
    ...responseOptions(),
    ...servingOptions('utf8'),
  };
}

/** What `udpcat serve` was asked to do, parsed and complete. */
export interface ServePlan extends ServicePlan {
  /** How the service responds; undefined for not at all. */
  readonly response?: ResponsePlan | undefined;
  /** The encoding of typed lines. */
  readonly encoding: Encoding;
  /** Whether typed lines are sent to the peer that spoke last. */
  readonly typing: boolean;
  /** Whether the user said so; undefined where the terminal decided. */
  readonly interactive?: boolean | undefined;
}

const EXAMPLES = `
Examples:
  udpcat serve 8000                          print what arrives on 127.0.0.1:8000
  udpcat serve '*:8000' -o json > log.jsonl  every interface, IPv4 and IPv6, one JSON object a line
  udpcat serve 8000 --count 1 --duration 5s  status 0 if a datagram comes within 5 s, else 3
  udpcat serve 8000 --reply pong             answer everybody
  udpcat serve 8000 --exec 'tr a-z A-Z'      answer with what a program makes of each datagram
`;

/** Declares `udpcat serve [address]`; `run` receives the plan. */
export function declareServe(command: Command, io: Io, run: (plan: ServePlan) => Promise<void>): void {
  command
    .description('Binds a UDP socket and prints what arrives; without an address, on a free port of the loopback.')
    .argument('[address]', 'where to bind: 8000, 127.0.0.1:8000, [::1]:8000, *:8000')
    .allowExcessArguments()
    .addHelpText('after', EXAMPLES);
  addOptions(command, serveOptions());
  command.action(async (_address: string | undefined, values: ValuesOf<ReturnType<typeof serveOptions>>) => {
    const output = planOutput(command, values);
    await run(await planServe(command.args, { ...values, output }, io));
  });
}

async function planServe(
  args: readonly string[],
  values: ValuesOf<ReturnType<typeof serveOptions>>,
  io: Io,
): Promise<ServePlan> {
  const socket = await planLocal(args, values, io);
  const typing = values.interactive ?? (io.terminals.stdin && io.isForeground());
  return { ...values, ...socket, typing, response: await planResponse(values, socket.local, io) };
}

/** Serves until told to end; resolves to the exit status. */
export async function runServe(plan: ServePlan, context: Context): Promise<ExitCode> {
  using served = new LoadedResponder(plan.response, context);
  const loading = served.load().then((responder) => ({ responder }));
  const loaded = await unlessAborted(loading, [context.stop], () => undefined);
  if (loaded === undefined) return ExitCode.ok;
  const typing = new Typing(plan, context);
  return await runService(plan, context, {
    meta: context.terminals.stdout,
    typing: plan.interactive === true,
    responder: loaded.responder,
    start: (server, parts) => typing.start(server, parts),
    taken: plan.typing
      ? (batch) => {
          typing.heard(batch);
        }
      : undefined,
  });
}

/** Typed lines go to whoever spoke last. */
class Typing {
  readonly #plan: ServePlan;
  readonly #context: Context;
  /** What came last. */
  #last: Datagram | undefined;

  constructor(plan: ServePlan, context: Context) {
    this.#plan = plan;
    this.#context = context;
  }

  heard(batch: readonly Datagram[]): void {
    this.#last = batch.at(-1);
  }

  /** Begins to read, if there is typing; returns what ends it. */
  start(server: DatagramServer, parts: ServiceParts): () => void {
    if (!this.#plan.typing) return () => undefined;
    const { stdin, log } = this.#context;
    const reader = readTypedLines(stdin, this.#plan.encoding, {
      line: (payload) => {
        void this.#send(server, parts, payload);
      },
      bad: (error) => {
        log.warn(`not sent: ${error.message}`);
      },
      end: () => undefined,
    });
    return () => {
      reader.stop();
    };
  }

  async #send(server: DatagramServer, { report, tap }: ServiceParts, payload: Uint8Array): Promise<void> {
    const { log } = this.#context;
    // The run is over, which the failure tells.
    if (tap.recordingFailed) return;
    if (this.#last === undefined) {
      log.warn('not sent: nobody has spoken yet');
      return;
    }
    const { remote, local } = this.#last;
    const batch = [{ data: payload, remote, local }];
    const timesMs = new Float64Array(batch.length);
    try {
      const [failure] = await server.sendBatch(batch, { timesMs });
      if (failure !== undefined) throw failure.error;
      report.totals.sent += 1;
      await tap.recordSent(batch, timesMs);
      log.debug(`sent ${payload.length} bytes to ${formatEndpoint(remote)}`);
    } catch (error) {
      const failure = describeFailure(error);
      if (failure === undefined) throw error;
      log.warn(failure.message);
    }
  }
}
