import { access, constants } from 'node:fs/promises';
import { platform } from 'node:os';
import { delimiter, join } from 'node:path';
import { answerEach, type Answering } from './responder.js';
import type { Program } from './program-run.js';
import type { Encoding } from '../text/encoding.js';
import { readPayloadFile } from '../input/payload.js';
import { describeSystemError, systemCode } from '../net/errors.js';
import { type Address, type Family, familyOf, MAX_PAYLOAD_BYTES } from '../net/index.js';
import type { RuleAnswers } from './rules.js';
import type { Context, Io } from '../run/context.js';
import { describeFailure, LocalFailure } from '../text/failure.js';
import { checkUtf8, readPayload } from '../commands/options/plan.js';
import { UsageError } from '../cli/usage-error.js';

/** How `serve` answers. */
export type AnswerPlan =
  | { readonly kind: 'payload'; readonly payload: Uint8Array }
  /** The family tells how much may be in it. */
  | { readonly kind: 'file'; readonly path: string; readonly family: Family }
  | { readonly kind: 'rules'; readonly path: string }
  | {
      readonly kind: 'program';
      readonly program: Program;
      readonly timeoutMs: number;
      /** Programs that run at a time. */
      readonly concurrency: number;
    };

/** The options that say how to answer. */
interface AnswerValues {
  readonly reply: string | undefined;
  readonly replyFile: string | undefined;
  readonly rules: string | undefined;
  readonly exec: string | undefined;
  readonly shell: true | undefined;
  readonly execTimeout: number | undefined;
  readonly execConcurrency: number | undefined;
  readonly encoding: Encoding;
  readonly ipv6: true | undefined;
}

const EXEC_TIMEOUT_MS = 5000;
const EXEC_CONCURRENCY = 16;

/** What a service manager tells a service alone: sockets passed to it (sd_listen_fds(3)), whom to notify (sd_notify(3)). */
const FOR_THIS_PROCESS: ReadonlySet<string> = new Set([
  'LISTEN_FDS',
  'LISTEN_PID',
  'LISTEN_PIDFDID',
  'LISTEN_FDNAMES',
  'NOTIFY_SOCKET',
]);

/** Reads how to answer; undefined for not at all. @throws {UsageError} */
export async function planAnswer(values: AnswerValues, local: Address, io: Io): Promise<AnswerPlan | undefined> {
  const { reply, replyFile, rules, exec } = values;
  const given = Object.entries({ '--reply': reply, '--reply-file': replyFile, '--rules': rules, '--exec': exec });
  const [first, second] = given.flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (second !== undefined) {
    throw new UsageError(`option '${first ?? ''}' and option '${second}' both give the answer; give one of them`);
  }
  if (exec !== undefined) return planProgram(exec, values, io);
  const { shell, execTimeout, execConcurrency } = values;
  const idle = Object.entries({
    '--shell': shell,
    '--exec-timeout': execTimeout,
    '--exec-concurrency': execConcurrency,
  }).find(([, value]) => value !== undefined);
  if (idle !== undefined) throw new UsageError(`option '${idle[0]}' says how --exec runs, which is not there`);
  if (rules !== undefined) return { kind: 'rules', path: rules };
  const family = replyFamily(local, values);
  if (replyFile !== undefined) return { kind: 'file', path: replyFile, family };
  if (reply === undefined) return undefined;
  const payload = readPayload(reply, values.encoding, "option '--reply':", io);
  checkReplySize(payload, '--reply', family);
  return { kind: 'payload', payload };
}

/** Of the two that it may be, the one to which less can be sent. */
function replyFamily({ host }: Address, { ipv6 }: AnswerValues): Family {
  const onlyIpv6 = ipv6 === true || (host.kind === 'literal' && familyOf(host.address) === 6);
  return onlyIpv6 ? 6 : 4;
}

function checkReplySize({ length }: Uint8Array, name: string, family: Family): void {
  const limit = MAX_PAYLOAD_BYTES[family];
  if (length <= limit) return;
  throw new UsageError(
    `option '${name}': a reply of ${length} bytes is more than a datagram to IPv${family} holds, ${limit}`,
  );
}

async function planProgram(exec: string, values: AnswerValues, io: Io): Promise<AnswerPlan> {
  checkUtf8(exec, "option '--exec'", io);
  const { shell, execTimeout: timeoutMs = EXEC_TIMEOUT_MS, execConcurrency: concurrency = EXEC_CONCURRENCY } = values;
  const program: Program = shell === true ? { kind: 'shell', line: exec } : await splitWords(exec);
  if (exec.trim() === '') throw new UsageError("option '--exec' names no program");
  return { kind: 'program', program, timeoutMs, concurrency };
}

/** Words as a POSIX shell would split them, by blanks and quotes; nothing else in them means anything. */
async function splitWords(exec: string): Promise<Program> {
  const { split } = await import('shlex');
  try {
    const [file = '', ...args] = split(exec);
    return { kind: 'words', file, args };
  } catch {
    throw new UsageError(`option '--exec': a quote is not closed in ${JSON.stringify(exec)}`);
  }
}

/** What a plan comes to: files are read, and those of rules read again when the user wants it, until it is disposed of. */
export class ServedAnswer {
  readonly #plan: AnswerPlan | undefined;
  readonly #context: Context;
  #endReloads = (): void => undefined;
  #rules: RuleAnswers | undefined;
  /** One after the other, so that the last one holds. */
  #reloading = Promise.resolve();

  constructor(plan: AnswerPlan | undefined, context: Context) {
    this.#plan = plan;
    this.#context = context;
  }

  /**
   * How to answer; undefined for not at all.
   *
   * @throws {LocalFailure} for what cannot be read or run; {@link UsageError} for what cannot be an answer
   */
  async load(): Promise<Answering | undefined> {
    const plan = this.#plan;
    switch (plan?.kind) {
      case undefined:
        return undefined;
      case 'payload':
        return answerEach(() => plan.payload);
      case 'file': {
        const payload = await readReply(plan.path);
        checkReplySize(payload, '--reply-file', plan.family);
        return answerEach(() => payload);
      }
      case 'program':
        return this.#loadProgram(plan);
      case 'rules':
        return this.#loadRules(plan.path);
    }
  }

  async #loadProgram({ program, timeoutMs, concurrency }: AnswerPlan & { kind: 'program' }): Promise<Answering> {
    const context = this.#context;
    const { log, force } = context;
    const env = withoutServiceManager(context.env);
    if (program.kind === 'words') await checkProgram(program.file, env.PATH);
    const { ProgramAnswers } = await import('./program.js');
    const killGroup = (group: number): void => {
      context.killGroup(group);
    };
    return new ProgramAnswers({ program, timeoutMs, concurrency, env, log, force, killGroup });
  }

  async #loadRules(path: string): Promise<Answering> {
    // From now on the signal ends nothing; one that comes while the file is being read has it read once more.
    this.#endReloads = this.#context.onReload(() => {
      this.#reloading = this.#reloading.then(() => this.#reload(path));
    });
    const loading = readRuleAnswers(path, this.#context.force);
    this.#reloading = loading.then(
      () => undefined,
      () => undefined,
    );
    this.#rules = await loading;
    return this.#rules;
  }

  async #reload(path: string): Promise<void> {
    const { log } = this.#context;
    try {
      const { readRules } = await import('../rules/rules-file.js');
      const rules = await readRules(path);
      this.#rules?.replace(rules);
      log.info(`${path} was read again, and its rules hold from now on`);
    } catch (error) {
      const message = error instanceof UsageError ? error.message : describeFailure(error)?.message;
      if (message === undefined) throw error;
      log.warn(`${message}; the rules from before hold still`);
    }
  }

  [Symbol.dispose](): void {
    this.#endReloads();
  }
}

function withoutServiceManager(env: Io['env']): Io['env'] {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !FOR_THIS_PROCESS.has(name)));
}

async function readRuleAnswers(path: string, force: AbortSignal): Promise<RuleAnswers> {
  const [{ readRules }, { RuleAnswers }] = await Promise.all([import('../rules/rules-file.js'), import('./rules.js')]);
  return new RuleAnswers(await readRules(path), force);
}

async function readReply(path: string): Promise<Uint8Array> {
  try {
    return await readPayloadFile(path, MAX_PAYLOAD_BYTES[6]);
  } catch (cause) {
    throw new LocalFailure(`cannot read ${path}: ${describeSystemError(cause)}`, { cause });
  }
}

/** Finds out before there is a first datagram whether there is such a program. @throws {LocalFailure} */
async function checkProgram(file: string, path = ''): Promise<void> {
  // What else may be run there, and how it is found, is a matter of its own.
  if (platform() === 'win32') return;
  const places = file.includes('/') ? [file] : path.split(delimiter).map((folder) => join(folder, file));
  let cause: unknown;
  for (const place of places) {
    try {
      await access(place, constants.X_OK);
      return;
    } catch (error) {
      if (systemCode(cause) === undefined || systemCode(error) === 'EACCES') cause = error;
    }
  }
  throw new LocalFailure(`cannot run ${file}: ${describeSystemError(cause)}`, { cause });
}
