import type { CliCommand, Example } from '../cli/command.js';
import { type Datagram, type DatagramServer, formatEndpoint } from '../net/index.js';
import { LoadedResponder } from '../responders/load.js';
import type { Responder } from '../responders/responder.js';
import type { ResponsePlan } from '../responders/plan.js';
import { adviseShell, planResponse, responseOptions } from './options/responses.js';
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
import { ReadingTime } from '../input/reading-time.js';
import { readTypedLines, type TypedLineHandlers } from '../input/typed-lines.js';
import { readTyping } from '../run/typing.js';

function serveOptions() {
  return {
    ...responseOptions(),
    ...servingOptions('utf8'),
  };
}

/** The parsed command line of `udpcat serve`. */
export interface ServePlan extends ServicePlan {
  /** How the service responds. Undefined: it does not. */
  readonly response?: ResponsePlan | undefined;
  /** A warning about the command line. */
  readonly advice?: string | undefined;
  /** The encoding of typed lines. */
  readonly encoding: Encoding;
  /** Whether typed lines go to the peer that sent the last datagram. */
  readonly typing: boolean;
  /** Whether the user chose `typing`. Undefined: the terminal decided. */
  readonly interactive?: boolean | undefined;
}

const EXAMPLES: readonly Example[] = [
  { line: 'udpcat serve 8000', says: 'print what arrives' },
  { line: "udpcat serve '*:8000' -o json > log.jsonl", says: 'all interfaces, JSON lines' },
  { line: 'udpcat serve 8000 --count 1 --duration 5s', says: 'status 3 if none comes in 5 s' },
  { line: 'udpcat serve 8000 --reply pong', says: 'answer every datagram' },
  { line: "udpcat serve 8000 --exec 'tr a-z A-Z'", says: 'answer by a program' },
];

/** Declares `udpcat serve [address]`. Its action calls `run` with the plan. */
export function declareServe(command: CliCommand, io: Io, run: (plan: ServePlan) => Promise<void>): void {
  command
    .description(
      'Binds a UDP socket and prints the datagrams that arrive. Without an address it binds a free port of the loopback.',
    )
    .argument('[address]', '8000 (loopback), [::1]:8000, *:8000 (all interfaces)')
    .allowExcessArguments();
  command.examples = EXAMPLES;
  addOptions(command, serveOptions(), command.words);
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
  const advice = adviseShell(values.exec, values.shell);
  return { ...values, ...socket, typing, advice, response: await planResponse(values, socket.local, io) };
}

/** Serves until an option or a signal ends it. Resolves to the exit status. */
export async function runServe(plan: ServePlan, context: Context): Promise<ExitCode> {
  if (plan.advice !== undefined) context.log.warn(plan.advice);
  using served = new LoadedResponder(plan.response, context);
  const loaded = await load(served, plan, context.stop);
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

/** Loads the responder. Undefined: the run was stopped meanwhile. */
async function load(
  served: LoadedResponder,
  plan: ServePlan,
  stop: AbortSignal,
): Promise<{ readonly responder: Responder | undefined } | undefined> {
  using time = new ReadingTime(plan, 'nothing was bound');
  const loading = served.load(time.signal).then((responder) => ({ responder }));
  return await unlessAborted(loading, [stop], () => undefined);
}

/** Sends typed lines to the peer that sent the last datagram. */
class Typing {
  readonly #plan: ServePlan;
  readonly #context: Context;
  /** The last datagram. */
  #last: Datagram | undefined;

  constructor(plan: ServePlan, context: Context) {
    this.#plan = plan;
    this.#context = context;
  }

  heard(batch: readonly Datagram[]): void {
    this.#last = batch.at(-1);
  }

  /** Begins to read stdin if the plan has typing. Returns a function that stops it. */
  start(server: DatagramServer, parts: ServiceParts): () => void {
    if (!this.#plan.typing) return () => undefined;
    const { stdin, terminals, log } = this.#context;
    const { encoding, interactive } = this.#plan;
    const handlers: TypedLineHandlers = {
      line: (payload) => {
        void this.#send(server, parts, payload);
      },
      bad: (error) => {
        log.warn(`not sent: ${error.message}`);
      },
      end: () => undefined,
    };
    // Without -i the terminal stays calm: most users of serve only read.
    if (interactive !== true) return readTypedLines(stdin, encoding, handlers).stop;
    if (terminals.stdin) log.info('each typed line goes to the peer that spoke last; Ctrl-D ends the typing');
    const reading = readTyping(this.#context, encoding, handlers);
    return () => {
      void reading.then(({ stop }) => {
        stop();
      });
    };
  }

  async #send(server: DatagramServer, { report, tap }: ServiceParts, payload: Uint8Array): Promise<void> {
    const { log } = this.#context;
    // The run is about to end, and the failure of the recording is reported then.
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
