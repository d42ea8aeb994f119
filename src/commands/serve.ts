import type { Command } from 'commander';
import { readPayloadFile } from '../input/payload.js';
import { wallClockMs } from '../net/clock.js';
import { describeSystemError } from '../net/errors.js';
import { type Datagram, type DatagramServer, familyOf, formatEndpoint, MAX_PAYLOAD_BYTES } from '../net/index.js';
import type { Context, Io } from './context.js';
import { ExitCode } from './exit-code.js';
import { describeFailure, LocalFailure } from './failure.js';
import { unlessAborted } from './interruption.js';
import { addOptions, grouped, option, toggle, type ValuesOf } from './options.js';
import { readPayload, planOutput } from './plan.js';
import { planLocal, runService, servingOptions, type ServingPlan } from './serving.js';
import { readTypedLines } from './typed-lines.js';
import type { Output } from './output.js';
import { UsageError } from './usage-error.js';
import { parseText } from './values.js';

function serveOptions() {
  return {
    ...grouped('Answers:', {
      reply: option('--reply <message>', 'answer every datagram with this message', parseText),
      replyFile: option('--reply-file <path>', 'answer every datagram with the contents of a file', parseText),
      interactive: toggle(
        '-i, --interactive',
        '--no-interactive',
        'send typed lines to the peer that spoke last (default: at a terminal)',
        'leave stdin alone',
      ),
    }),
    ...servingOptions('utf8'),
  };
}

/** What `udpcat serve` was asked to do, parsed and complete. */
export interface ServePlan extends ServingPlan {
  /** The answer to every datagram: its bytes, or the file that holds them. */
  readonly answer?: { readonly payload: Uint8Array } | { readonly path: string };
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
    await run(planServe(command.args, { ...values, output }, io));
  });
}

function planServe(args: readonly string[], values: ValuesOf<ReturnType<typeof serveOptions>>, io: Io): ServePlan {
  const local = planLocal(args, values, io);
  if (values.reply !== undefined && values.replyFile !== undefined) {
    throw new UsageError("option '--reply' and option '--reply-file' both give the answer; give one of them");
  }
  const typing = values.interactive ?? (io.terminals.stdin && io.isForeground());
  const plan = { ...values, local, typing };
  if (values.replyFile !== undefined) return { ...plan, answer: { path: values.replyFile } };
  if (values.reply === undefined) return plan;
  const payload = readPayload(values.reply, values.encoding, "option '--reply':", io);
  checkReplySize(payload, '--reply', plan);
  return { ...plan, answer: { payload } };
}

function checkReplySize(
  { length }: Uint8Array,
  name: string,
  { local: { host }, ipv6 }: Pick<ServePlan, 'local' | 'ipv6'>,
): void {
  const onlyIpv6 = ipv6 === true || (host.kind === 'literal' && familyOf(host.address) === 6);
  const family = onlyIpv6 ? 6 : 4;
  const limit = MAX_PAYLOAD_BYTES[family];
  if (length <= limit) return;
  throw new UsageError(
    `option '${name}': a reply of ${length} bytes is more than a datagram to IPv${family} holds, ${limit}`,
  );
}

/** Serves until told to end; resolves to the exit status. */
export async function runServe(plan: ServePlan, context: Context): Promise<ExitCode> {
  const loading = loadAnswer(plan).then((payload) => ({ payload }));
  const loaded = await unlessAborted(loading, [context.stop], () => undefined);
  if (loaded === undefined) return ExitCode.ok;
  const { payload } = loaded;
  const typing = new Typing(plan, context);
  return runService(plan, context, {
    meta: context.terminals.stdout,
    typing: plan.interactive === true,
    answer: payload && (() => payload),
    start: (server, output) => typing.start(server, output),
    taken: (batch) => {
      typing.heard(batch);
    },
  });
}

async function loadAnswer(plan: ServePlan): Promise<Uint8Array | undefined> {
  const { answer } = plan;
  if (answer === undefined || 'payload' in answer) return answer?.payload;
  try {
    const payload = await readPayloadFile(answer.path, MAX_PAYLOAD_BYTES[6]);
    checkReplySize(payload, '--reply-file', plan);
    return payload;
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new LocalFailure(`cannot read ${answer.path}: ${describeSystemError(cause)}`, { cause });
  }
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
  start(server: DatagramServer, output: Output): () => void {
    if (!this.#plan.typing) return () => undefined;
    const { stdin, log } = this.#context;
    const reader = readTypedLines(stdin, this.#plan.encoding, {
      line: (payload) => {
        void this.#send(server, output, payload);
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

  async #send(server: DatagramServer, output: Output, payload: Uint8Array): Promise<void> {
    const { log } = this.#context;
    const { totals } = output;
    if (this.#last === undefined) {
      log.warn('not sent: nobody has spoken yet');
      return;
    }
    const { remote, local } = this.#last;
    const timeMs = wallClockMs();
    try {
      await server.sendto(payload, remote, { local });
      totals.sent += 1;
      await output.recordSent([{ data: payload, remote, local }], timeMs);
      log.debug(`sent ${payload.length} bytes to ${formatEndpoint(remote)}`);
    } catch (error) {
      const failure = describeFailure(error);
      if (failure === undefined) throw error;
      log.warn(failure.message);
    }
  }
}
