import { type Command, CommanderError } from 'commander';
import { CliCommand, type Example, HelpRequest } from '../cli/command.js';
import { createLog, type LogFormat } from '../output/log.js';
import { wantsColor } from '../output/palette.js';
import { type Context, createContext, type Ending, type Io } from '../run/context.js';
import { EXIT_STATUSES, ExitCode, type Numbering, numberingOf, pluginState, statusIn } from '../run/exit-code.js';
import { describeFailure } from '../text/failure.js';
import { COMMANDS, type Running } from './index.js';
import { formatPluginLine } from '../run/plugin-line.js';
import { UsageError } from '../cli/usage-error.js';

const EXAMPLES: readonly Example[] = [
  { line: 'udpcat serve 8000', says: 'print what arrives' },
  { line: 'udpcat send 127.0.0.1:8000 hello', says: 'send one datagram' },
  { line: 'udpcat send 127.0.0.1:7000 hi --expect hi', says: 'check a service by its status' },
  { line: 'udpcat send 192.0.2.1 --probe dns:a.example', says: 'check a name server' },
  { line: 'udpcat echo 7000', says: 'send all datagrams back' },
];

function helpNotes(): readonly string[] {
  const statuses = EXIT_STATUSES.flatMap(({ status, brief }) => (/^\d$/.test(status) ? [`${status} ${brief}`] : []));
  const signals = EXIT_STATUSES.flatMap(({ status, brief }) => (/^\d$/.test(status) ? [] : [brief]));
  return [
    'Addresses: 127.0.0.1:8000, [::1]:8000, name:8000; 8000 is the loopback, *:8000 every interface.',
    `Exit status: ${statuses.join(', ')}; ${signals.join(', ')}.`,
    'udpcat COMMAND -h shows the common options of a command, udpcat help COMMAND all options.',
  ];
}

/** Runs the command line. Resolves to the exit status or the signal that ends the process. An error is one line on stderr. */
export async function runCommandLine(args: readonly string[], io: Io): Promise<Ending> {
  let ending: Ending = ExitCode.ok;
  let context: Context | undefined;
  const running: Running = (run) => async (plan) => {
    context = await createContext(io, plan);
    ending = await run(plan, context);
  };

  try {
    await parse(args, io, running).catch((error: unknown) => {
      if (context !== undefined || !knowsAllOptions(error)) throw error;
      return parse(args, io, running, 'all');
    });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return ExitCode.ok;
    if (error instanceof HelpRequest) {
      const { writeHelp } = await import('../cli/help.js');
      writeHelp(error.command, { isShort: !args.includes('--help') });
      return ExitCode.ok;
    }
    const log = context?.log ?? earlyLog(args, io);
    ending = end(tell(await reworded(error, args, io), log), numberingOf(args), io);
    await log.flush();
  }
  await context?.log.flush();
  return ending;
}

/**
 * Parses the command line and runs its command. By default only the command and the options of the command line are declared,
 * which is faster.
 */
async function parse(args: readonly string[], io: Io, running: Running, declares?: 'all'): Promise<void> {
  const named = declares === undefined ? COMMANDS.filter(({ name }) => name === args[0]) : [];
  const program = createProgram(io, named.length > 0 ? named : COMMANDS);
  program.hook('preSubcommand', async (_, chosen) => {
    if (declares === undefined && chosen instanceof CliCommand) chosen.words = args;
    await declareCommand(chosen, io, running);
  });
  await program.parseAsync(args, { from: 'user' });
}

/** Whether an error of a command line can name any option. Help does, too. */
function knowsAllOptions(error: unknown): boolean {
  return error instanceof HelpRequest || (error instanceof CommanderError && error.exitCode !== 0);
}

/** Returns the error of a wrong command line with its remedy. Returns any other error as it is. */
async function reworded(error: unknown, args: readonly string[], io: Io): Promise<unknown> {
  if (!(error instanceof CommanderError)) return error;
  const { rewordError } = await import('./habits.js');
  const message = await rewordError(error, args, () => declareProgram(io));
  return message === undefined ? error : new UsageError(message);
}

/** Returns the program with the options of every command, for help, shell completion and the manual page. */
export async function declareProgram(io: Io): Promise<CliCommand> {
  const program = createProgram(io);
  const running: Running = () => () => Promise.resolve();
  for (const command of program.commands) await declareCommand(command, io, running);
  return program;
}

async function declareCommand(command: Command, io: Io, running: Running): Promise<void> {
  const row = COMMANDS.find(({ name }) => name === command.name());
  if (command instanceof CliCommand) await row?.declare(command, io, running, () => declareProgram(io));
}

function createProgram(io: Io, commands = COMMANDS): CliCommand {
  const program = new CliCommand('udpcat')
    .description('netcat for datagrams: serve, send and echo UDP, with a verdict for an exit status')
    .version(io.version, '-V, --version', 'print the version')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        io.stdout.write(text);
      },
      // runCommandLine() tells every error.
      writeErr: () => undefined,
    });
  program.examples = EXAMPLES;
  program.notes = helpNotes;
  for (const { name, summary } of commands) program.command(name).summary(summary);
  return program;
}

/** Returns a log for errors before the options are read. It looks for the format and the colour in the arguments. */
function earlyLog(args: readonly string[], io: Io) {
  const at = args.indexOf('--log-format');
  const json = args[at + 1] === 'json' ? at >= 0 : args.includes('--log-format=json');
  const color = args.includes('--no-color') ? false : args.includes('--color') || undefined;
  const format: LogFormat = json ? 'json' : 'pretty';
  const options = args.slice(0, args.includes('--') ? args.indexOf('--') : undefined);
  const asksForDetails = options.some((word) => /^(-v|--verbose|--explain)$/.test(word));
  return createLog(() => io.stderr, {
    isSilent: numberingOf(args) === 'nagios' && !asksForDetails,
    level: 'error',
    format,
    colored: wantsColor(color, io.env, io.terminals.stderr),
  });
}

/** Returns the exit status of a failure in the numbering of `--exit-code`. For `nagios` it writes the plugin line, too. */
function end({ code, says }: Failed, numbering: Numbering, io: Io): number {
  // A check ends even if nobody reads its output.
  if (numbering !== 'udpcat') io.leaveBy(performance.now() + LAST_WORDS_MS);
  if (numbering === 'nagios') {
    io.stdout.write(formatPluginLine(pluginState(code), says));
  }
  return statusIn(numbering, code);
}

/** How long a failed check waits until its output is read. */
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
