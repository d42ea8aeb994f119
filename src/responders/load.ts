import { access, constants, stat } from 'node:fs/promises';
import { platform } from 'node:os';
import { delimiter, join } from 'node:path';
import { UsageError } from '../cli/usage-error.js';
import { readPayloadFile } from '../input/payload.js';
import { describeSystemError, systemCode } from '../net/errors.js';
import { MAX_PAYLOAD_BYTES } from '../net/index.js';
import type { Log } from '../output/log.js';
import { describeFailure, LocalFailure } from '../text/failure.js';
import { checkReplySize, type ResponsePlan } from './plan.js';
import type { ProgramControl } from './program-run.js';
import { respondEach, type Responder } from './responder.js';
import type { RuleResponder } from './rule-responder.js';

/** The parts of the process that a responder uses. */
export interface Surroundings {
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by the second signal. */
  readonly force: AbortSignal;
  /**
   * Calls the listener whenever the user asks for files to be read again (SIGHUP). Returns a function that stops this.
   */
  onReload(listener: () => void): () => void;
  /** How programs are started and killed. */
  readonly programs: ProgramControl;
}

/**
 * Variables of a service manager for this process only (sd_listen_fds(3), sd_notify(3)). Programs do not inherit them.
 */
const FOR_THIS_PROCESS: ReadonlySet<string> = new Set([
  'LISTEN_FDS',
  'LISTEN_PID',
  'LISTEN_PIDFDID',
  'LISTEN_FDNAMES',
  'NOTIFY_SOCKET',
]);

/** Makes the responder of a plan. Until it is disposed of, it reads the file of rules again on each reload. */
export class LoadedResponder {
  readonly #plan: ResponsePlan | undefined;
  readonly #context: Surroundings;
  /** Aborted at the end: a reading of the file that waits for a pipe is given up. */
  readonly #over = new AbortController();
  #endReloads = (): void => undefined;
  #rules: RuleResponder | undefined;
  /** Resolves when no reading of the file is under way. Readings run one after another, so that the last one wins. */
  #reloading = Promise.resolve();

  constructor(plan: ResponsePlan | undefined, context: Surroundings) {
    this.#plan = plan;
    this.#context = context;
  }

  /**
   * Makes the responder. Returns undefined if the plan has none.
   *
   * @param signal ends the reading of pipes
   * @throws {LocalFailure} if a file cannot be read, or the program is missing or not executable
   * @throws {UsageError} if the payload is too large, or the file of rules is not valid
   */
  async load(signal: AbortSignal): Promise<Responder | undefined> {
    const plan = this.#plan;
    switch (plan?.kind) {
      case undefined:
        return undefined;
      case 'payload':
        return respondEach(() => plan.payload);
      case 'file': {
        const payload = await readReply(plan.path, signal);
        checkReplySize(payload, '--reply-file', plan.family);
        return respondEach(() => payload);
      }
      case 'program':
        return this.#loadProgram(plan);
      case 'rules':
        return this.#loadRules(plan.path, signal);
    }
  }

  async #loadProgram({ program, timeoutMs, concurrency }: ResponsePlan & { kind: 'program' }): Promise<Responder> {
    const context = this.#context;
    const { log, force, programs: control } = context;
    const env = withoutServiceManager(context.env);
    if (program.kind === 'words') await checkProgram(program.file, env.PATH);
    const { ProgramResponder } = await import('./program-responder.js');
    return new ProgramResponder({ program, timeoutMs, concurrency, env, log, force, control });
  }

  async #loadRules(path: string, signal: AbortSignal): Promise<Responder> {
    // From here on SIGHUP no longer ends the process. A reload during the first reading reads the file once more.
    this.#endReloads = this.#context.onReload(() => {
      this.#reloading = this.#reloading.then(() => this.#reload(path));
    });
    const loading = readRuleResponder(path, this.#context.force, signal);
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
      const rules = await readRules(path, this.#over.signal);
      this.#rules?.replace(rules);
      log.info(`${path} was read again, and its rules apply from now on`);
    } catch (error) {
      if (this.#over.signal.aborted) return;
      const message = error instanceof UsageError ? error.message : describeFailure(error)?.message;
      if (message === undefined) throw error;
      log.warn(`${message}; the previous rules stay in effect`);
    }
  }

  [Symbol.dispose](): void {
    this.#endReloads();
    this.#over.abort('over');
  }
}

/** The environment of a program, without the variables of a service manager that are for this process. */
export function withoutServiceManager(env: Surroundings['env']): Surroundings['env'] {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !FOR_THIS_PROCESS.has(name)));
}

async function readRuleResponder(path: string, force: AbortSignal, signal: AbortSignal): Promise<RuleResponder> {
  const [{ readRules }, { RuleResponder }] = await Promise.all([
    import('../rules/rules-file.js'),
    import('./rule-responder.js'),
  ]);
  return new RuleResponder(await readRules(path, signal), force);
}

async function readReply(path: string, signal: AbortSignal): Promise<Uint8Array> {
  try {
    return await readPayloadFile(path, MAX_PAYLOAD_BYTES[6], signal);
  } catch (cause) {
    throw new LocalFailure(`cannot read ${path}: ${describeSystemError(cause)}`, { cause });
  }
}

/** Checks that a program exists and may be run. @throws {LocalFailure} if not */
export async function checkProgram(file: string, path = ''): Promise<void> {
  // Windows also looks in other folders and adds endings: it is left to the first run.
  if (platform() === 'win32') return;
  const places = file.includes('/') ? [file] : path.split(delimiter).map((folder) => join(folder, file));
  let why = 'no such program (ENOENT)';
  let cause: unknown;
  for (const place of places) {
    const found = await describeNoProgram(place);
    if (found === undefined) return;
    // A file that is found and cannot be run says more than a folder of the PATH without such a file.
    if (systemCode(cause) === undefined || systemCode(cause) === 'ENOENT') ({ why, cause } = found);
  }
  throw new LocalFailure(`cannot run ${file}: ${why}`, { cause });
}

/** Why a file cannot be run as a program. Undefined if it can. */
async function describeNoProgram(
  place: string,
): Promise<{ readonly why: string; readonly cause: unknown } | undefined> {
  try {
    if ((await stat(place)).isDirectory()) {
      const cause = Object.assign(new Error('it is a folder'), { code: 'EISDIR' });
      return { why: 'it is a folder, not a program', cause };
    }
  } catch (cause) {
    return { why: describeSystemError(cause, { ENOENT: 'no such program' }), cause };
  }
  try {
    await access(place, constants.X_OK);
    return undefined;
  } catch (cause) {
    return { why: `${describeSystemError(cause)}; chmod +x ${place} makes it executable`, cause };
  }
}
