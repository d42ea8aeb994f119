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
import { respondEach, type Responder } from './responder.js';
import type { RuleResponder } from './rule-responder.js';

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

/** Variables by which a service manager speaks to this process alone (sd_listen_fds(3), sd_notify(3)). Programs do not get them. */
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
  #rules: RuleResponder | undefined;
  /** The readings of the file, one after the other, so that the last one holds. */
  #reloading = Promise.resolve();

  constructor(plan: ResponsePlan | undefined, context: Surroundings) {
    this.#plan = plan;
    this.#context = context;
  }

  /**
   * The responder; undefined if the plan has none.
   *
   * @throws {LocalFailure} for a file that cannot be read, or a program that cannot be run
   * @throws {UsageError} for contents that cannot be a response
   */
  async load(): Promise<Responder | undefined> {
    const plan = this.#plan;
    switch (plan?.kind) {
      case undefined:
        return undefined;
      case 'payload':
        return respondEach(() => plan.payload);
      case 'file': {
        const payload = await readReply(plan.path);
        checkReplySize(payload, '--reply-file', plan.family);
        return respondEach(() => payload);
      }
      case 'program':
        return this.#loadProgram(plan);
      case 'rules':
        return this.#loadRules(plan.path);
    }
  }

  async #loadProgram({ program, timeoutMs, concurrency }: ResponsePlan & { kind: 'program' }): Promise<Responder> {
    const context = this.#context;
    const { log, force } = context;
    const env = withoutServiceManager(context.env);
    if (program.kind === 'words') await checkProgram(program.file, env.PATH);
    const { ProgramResponder } = await import('./program-responder.js');
    const killGroup = (group: number): void => {
      context.killGroup(group);
    };
    return new ProgramResponder({ program, timeoutMs, concurrency, env, log, force, killGroup });
  }

  async #loadRules(path: string): Promise<Responder> {
    // From now on the signal ends nothing; one that comes while the file is being read has it read once more.
    this.#endReloads = this.#context.onReload(() => {
      this.#reloading = this.#reloading.then(() => this.#reload(path));
    });
    const loading = readRuleResponder(path, this.#context.force);
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

async function readRuleResponder(path: string, force: AbortSignal): Promise<RuleResponder> {
  const [{ readRules }, { RuleResponder }] = await Promise.all([
    import('../rules/rules-file.js'),
    import('./rule-responder.js'),
  ]);
  return new RuleResponder(await readRules(path), force);
}

async function readReply(path: string): Promise<Uint8Array> {
  try {
    return await readPayloadFile(path, MAX_PAYLOAD_BYTES[6]);
  } catch (cause) {
    throw new LocalFailure(`cannot read ${path}: ${describeSystemError(cause)}`, { cause });
  }
}

/** Checks, before the first datagram, that there is such a program. @throws {LocalFailure} */
async function checkProgram(file: string, path = ''): Promise<void> {
  // Windows finds programs in other ways.
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
