import { Command, CommanderError } from 'commander';
import { createLog, type LogFormat } from '../output/log.js';
import { wantsColor } from '../output/palette.js';
import { type Context, createContext, type Ending, type Io } from '../run/context.js';
import { EXIT_STATUSES, ExitCode, type Numbering, numberingOf, pluginState, statusIn } from '../run/exit-code.js';
import { describeFailure } from '../text/failure.js';
import { COMMANDS, type Running } from './index.js';
import { formatPluginLine } from '../run/plugin-line.js';
import { UsageError } from '../cli/usage-error.js';

/** The longest line of the text after the commands, in characters. */
const HELP_COLUMNS = 100;

const HELP = `
Addresses: 127.0.0.1:8000, [::1]:8000, name:8000; 8000 is the loopback, *:8000 every interface.

${describeStatuses()}

Examples:
  udpcat serve 8000                              print what arrives
  udpcat send 127.0.0.1:8000 hello               send one datagram
  udpcat send 127.0.0.1:7000 ping --expect ping  check a service; the exit status is the verdict
  udpcat send 192.0.2.1:53 --probe dns:example.com   the same for a known protocol; --probe list shows which
  udpcat echo 7000                               answer everybody with their own bytes

udpcat <command> --help tells more.
`;

/** The exit statuses for the help, as many on a line as fit. */
function describeStatuses(): string {
  const numbers = EXIT_STATUSES.flatMap(({ status, brief }) => (/^\d$/.test(status) ? [`${status} ${brief}`] : []));
  const signals = EXIT_STATUSES.flatMap(({ status, brief }) => (/^\d$/.test(status) ? [] : [brief]));
  const items = [...numbers.slice(0, -1).map((item) => `${item},`), `${numbers.at(-1) ?? ''};`];
  const lines = ['Exit status:'];
  for (const item of items) {
    const line = `${lines.at(-1) ?? ''} ${item}`;
    if (line.length <= HELP_COLUMNS) lines[lines.length - 1] = line;
    else lines.push(item);
  }
  return `${lines.join('\n')} ${signals.join(', ')}.`;
}

/** Runs the command line; resolves to how the process is to end. Whatever goes wrong is told in one line on stderr. */
export async function runCommandLine(args: readonly string[], io: Io): Promise<Ending> {
  let ending: Ending = ExitCode.ok;
  let context: Context | undefined;
  const running: Running = (run) => async (plan) => {
    context = await createContext(io, plan);
    ending = await run(plan, context);
  };

  const program = createProgram(io);
  program.hook('preSubcommand', async (_, chosen) => {
    await COMMANDS.find(({ name }) => name === chosen.name())?.declare(chosen, io, running, () => declareProgram(io));
  });
  try {
    if (args.length === 0) throw new UsageError('which command? serve, send or echo; udpcat --help tells more');
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return ExitCode.ok;
    const log = context?.log ?? earlyLog(args, io);
    ending = end(tell(error, log), numberingOf(args), io);
    await log.flush();
  }
  await context?.log.flush();
  return ending;
}

/** The program with every command and option that it has, to be described rather than run. */
export async function declareProgram(io: Io): Promise<Command> {
  const program = createProgram(io);
  const running: Running = () => () => Promise.resolve();
  for (const command of program.commands) {
    await COMMANDS.find(({ name }) => name === command.name())?.declare(command, io, running, () => declareProgram(io));
  }
  return program;
}

function createProgram(io: Io): Command {
  const program = new Command('udpcat')
    .description('netcat for datagrams: serve, send and echo UDP, with a verdict for an exit status')
    .version(io.version, '-V, --version')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        // Help that goes to a pager may be left half read.
        io.stdout.on('error', () => undefined);
        io.stdout.write(text);
      },
      // Errors are told in one place, whatever they are.
      writeErr: () => undefined,
    })
    .addHelpText('after', HELP);
  for (const { name, summary } of COMMANDS) program.command(name).summary(summary);
  return program;
}

/** For what is wrong before the options are known: it obeys the format and the colour that stand on the command line. */
function earlyLog(args: readonly string[], io: Io) {
  const at = args.indexOf('--log-format');
  const json = args[at + 1] === 'json' ? at >= 0 : args.includes('--log-format=json');
  const color = args.includes('--no-color') ? false : args.includes('--color') || undefined;
  const format: LogFormat = json ? 'json' : 'pretty';
  return createLog(() => io.stderr, {
    level: 'error',
    format,
    colored: wantsColor(color, io.env, io.terminals.stderr),
  });
}

/** The status of what went wrong, in the numbering that was asked for, and, where that wants it, the line that says so. */
function end({ code, says }: Failed, numbering: Numbering, io: Io): number {
  // A check has an end, though nobody reads what it says.
  if (numbering !== 'udpcat') io.leaveBy(performance.now() + LAST_WORDS_MS);
  if (numbering === 'nagios') {
    // Who closed stdout reads no line.
    io.stdout.on('error', () => undefined);
    io.stdout.write(formatPluginLine(pluginState(code), says));
  }
  return statusIn(numbering, code);
}

/** How long a check that cannot be carried out waits for what it says to be read. */
const LAST_WORDS_MS = 1000;

interface Failed {
  readonly code: ExitCode;
  readonly says: string;
}

function tell(error: unknown, log: Context['log']): Failed {
  if (error instanceof CommanderError || error instanceof UsageError) {
    const says = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
    log.error(says, { code: 'USAGE' });
    return { code: ExitCode.usage, says };
  }
  const failure = describeFailure(error);
  if (failure !== undefined) {
    log.error(failure.message, { code: failure.code });
    return { code: ExitCode.failure, says: failure.message };
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  const says = `this is a mistake in udpcat itself: ${message}`;
  log.error(says, { stack });
  log.debug(stack ?? '');
  return { code: ExitCode.failure, says };
}
