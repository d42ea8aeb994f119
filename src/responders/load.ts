import { access, constants } from 'node:fs/promises';
import { platform } from 'node:os';
import { delimiter, join } from 'node:path';
import { UsageError } from '../cli/usage-error.js';
import { readPayloadFile } from '../input/payload.js';
import { describeSystemError, systemCode } from '../net/errors.js';
import { MAX_PAYLOAD_BYTES } from '../net/index.js';
import type { Log } from '../output/log.js';
import { describeFailure, LocalFailure } from '../text/failure.js';
import { checkReplySize, type ResponsePlan } from './plan.js';
import { answerEach, type Answering } from './responder.js';
import type { RuleAnswers } from './rules.js';

/** What a responder needs of the process that it runs in. */
export interface Surroundings {
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by the second signal. */
  readonly force: AbortSignal;
  /** Calls the listener whenever the user wants files read again. Returns what ends that. */
  onReload(listener: () => void): () => void;
  /** Ends every process of a group at once. */
  killGroup(group: number): void;
}

/** What a service manager tells a service alone: sockets passed to it (sd_listen_fds(3)), whom to notify (sd_notify(3)). */
const FOR_THIS_PROCESS: ReadonlySet<string> = new Set([
  'LISTEN_FDS',
  'LISTEN_PID',
  'LISTEN_PIDFDID',
  'LISTEN_FDNAMES',
  'NOTIFY_SOCKET',
]);

/** Makes the responder of a plan. It reads the file of rules again whenever the user wants it, until it is disposed of. */
export class LoadedResponder {
  readonly #plan: ResponsePlan | undefined;
  readonly #context: Surroundings;
  #endReloads = (): void => undefined;
  #rules: RuleAnswers | undefined;
  /** One after the other, so that the last one holds. */
  #reloading = Promise.resolve();

  constructor(plan: ResponsePlan | undefined, context: Surroundings) {
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

  async #loadProgram({ program, timeoutMs, concurrency }: ResponsePlan & { kind: 'program' }): Promise<Answering> {
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

function withoutServiceManager(env: Surroundings['env']): Surroundings['env'] {
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
