import { common, flag, grouped, option, toggle, type ValuesOf } from '../../cli/options.js';
import { UsageError } from '../../cli/usage-error.js';
import { type Address, type Family, familyOf } from '../../net/index.js';
import { checkReplySize, type ResponsePlan } from '../../responders/plan.js';
import type { Program } from '../../responders/program-run.js';
import type { Io } from '../../run/context.js';
import { parseDuration } from '../../text/duration.js';
import type { Encoding } from '../../text/encoding.js';
import { parseCount } from '../../text/number.js';
import { parsePath, parseText } from '../../text/value.js';
import { checkUtf8, readPayload } from './plan.js';

/** Options for the answers of `serve`. */
export function responseOptions() {
  return grouped('Answers:', {
    reply: common(option('--reply <message>', 'answer every datagram with this message', parseText)),
    replyFile: option('--reply-file <path>', 'answer every datagram with the contents of this file', parsePath),
    rules: common(option('--rules <file>', 'answer by rules (YAML or JSON file; SIGHUP reloads it)', parsePath)),
    exec: common(
      option('--exec <command>', 'run a program for each datagram: stdin is the payload, stdout the answer', parseText),
    ),
    shell: flag('--shell', 'run the command of --exec in a shell'),
    execTimeout: option('--exec-timeout <d>', 'kill a program of --exec after this time (default: 5s)', parseDuration),
    execConcurrency: option(
      '--exec-concurrency <n>',
      'run at most n programs of --exec at a time (default: 16)',
      parseCount,
    ),
    interactive: toggle(
      '-i, --interactive',
      '--no-interactive',
      'send typed lines to the peer that spoke last (default: at a terminal)',
      'do not read stdin',
    ),
  });
}

/** The values of {@link responseOptions}, and two that the answers depend on. */
interface ResponseValues extends Omit<ValuesOf<ReturnType<typeof responseOptions>>, 'interactive'> {
  readonly encoding: Encoding;
  readonly ipv6: true | undefined;
}

/**
 * Refuses the options that say how a program runs. Call it if no program is to run.
 *
 * @param owner the option that would name the program
 * @throws {UsageError}
 */
export function refuseIdle(
  { shell, execTimeout, execConcurrency }: Pick<ResponseValues, 'shell' | 'execTimeout' | 'execConcurrency'>,
  owner: string,
): void {
  const options = { '--shell': shell, '--exec-timeout': execTimeout, '--exec-concurrency': execConcurrency };
  const [idle] = Object.entries(options).find(([, value]) => value !== undefined) ?? [];
  if (idle !== undefined) throw new UsageError(`option '${idle}' is about ${owner}: add it`);
}

const EXEC_TIMEOUT_MS = 5000;
const EXEC_CONCURRENCY = 16;

/** Makes the plan of the answers. Undefined: `serve` does not answer. @throws {UsageError} */
export async function planResponse(values: ResponseValues, local: Address, io: Io): Promise<ResponsePlan | undefined> {
  const { reply, replyFile, rules, exec } = values;
  const given = Object.entries({ '--reply': reply, '--reply-file': replyFile, '--rules': rules, '--exec': exec });
  const [first, second] = given.flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (second !== undefined) {
    throw new UsageError(`option '${first ?? ''}' and option '${second}' both give the answer; give one of them`);
  }
  if (exec !== undefined) return planProgram(exec, values, io);
  refuseIdle(values, '--exec');
  if (rules !== undefined) return { kind: 'rules', path: rules };
  const family = replyFamily(local, values);
  if (replyFile !== undefined) return { kind: 'file', path: replyFile, family };
  if (reply === undefined) return undefined;
  const payload = readPayload(reply, values.encoding, "option '--reply':", io);
  checkReplySize(payload, '--reply', family);
  return { kind: 'payload', payload };
}

/** The family whose largest payload is the limit for answers. A socket of both families has the limit of IPv4. */
function replyFamily({ host }: Address, { ipv6 }: ResponseValues): Family {
  const onlyIpv6 = ipv6 === true || (host.kind === 'literal' && familyOf(host.address) === 6);
  return onlyIpv6 ? 6 : 4;
}

async function planProgram(exec: string, values: ResponseValues, io: Io): Promise<ResponsePlan> {
  checkUtf8(exec, "option '--exec'", io);
  const { shell, execTimeout: timeoutMs = EXEC_TIMEOUT_MS, execConcurrency: concurrency = EXEC_CONCURRENCY } = values;
  const program: Program = shell === true ? { kind: 'shell', line: exec } : await splitWords(exec);
  if (exec.trim() === '') throw new UsageError("option '--exec' names no program");
  return { kind: 'program', program, timeoutMs, concurrency };
}

/**
 * Warns of a command that only a shell understands, but that no shell will run. Undefined: there is nothing to warn of.
 *
 * @param option the option that the warning names
 */
export function adviseShell(exec: string | undefined, shell: true | undefined, option = '--exec'): string | undefined {
  if (exec === undefined || shell === true) return undefined;
  const outsideSingleQuotes = exec.replace(/\\.|'[^']*'/gs, '');
  const unquoted = outsideSingleQuotes.replace(/"[^"]*"/gs, '');
  const [sign] = /\|\|?|&&|[<>;]/.exec(unquoted) ?? /\$[\w({]|`/.exec(outsideSingleQuotes) ?? [];
  if (sign === undefined) return undefined;
  return `${option}: "${sign}" goes to the program as it is, because no shell runs; add --shell for a shell`;
}

/**
 * Splits a command into words by blanks and quotes, as a POSIX shell does. It knows no `$`, `|` or `*`.
 *
 * @param option the option that an error names
 * @throws {UsageError} for a quote that is not closed
 */
export async function splitWords(exec: string, option = '--exec'): Promise<Program> {
  const { split } = await import('shlex');
  try {
    const [file = '', ...args] = split(exec);
    return { kind: 'words', file, args };
  } catch {
    throw new UsageError(`option '${option}': a quote is not closed in ${JSON.stringify(exec)}`);
  }
}
