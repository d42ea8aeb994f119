import { type ChildProcess, spawn } from 'node:child_process';
import { describeSystemError } from '../net/errors.js';
import { formatDuration } from '../text/time.js';
import { Alarm } from '../timing/alarm.js';
import { LineTaker } from './line-taker.js';

/** A program with its arguments, or a command line for the system's shell. */
export type Program =
  | { readonly kind: 'words'; readonly file: string; readonly args: readonly string[] }
  | { readonly kind: 'shell'; readonly line: string };

/** How the system starts programs and kills them. */
export interface ProgramControl {
  /** Whether a program gets a session and process group of its own: everywhere but on Windows. */
  readonly detached: boolean;
  /**
   * Kills a program and every process that it started. No such process is no error.
   *
   * @param hasEnded Whether the program itself has ended. Some systems then do not find the processes that it started.
   */
  killTree(pid: number, hasEnded: boolean): void;
}

/** Options of {@link runProgram}. */
export interface RunOptions {
  /** The bytes of stdin. */
  readonly input: Uint8Array;
  /** The whole environment: the program inherits no other variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /**
   * The maximum number of bytes that the program may write to stdout. If it writes more, it is killed. Undefined: nobody
   * reads stdout.
   */
  readonly maxOutputBytes: number | undefined;
  /**
   * Milliseconds until the program, and every process that it started, has closed stdout. Then all of them are killed.
   */
  readonly timeoutMs: number;
  /** Kills the program. */
  readonly signal: AbortSignal;
  /** Called with the lines on stderr: at most 100, of at most 1000 bytes each. */
  readonly onErrorLine: (line: string) => void;
  /** How the program is started and killed. */
  readonly control: ProgramControl;
}

/** How a run ended. */
export type RunResult =
  /** The program ended by itself with this exit status. */
  | { readonly kind: 'ended'; readonly output: Uint8Array; readonly status: number }
  /** The program could not be started, was killed, or wrote too much. `why` tells the user which. */
  | { readonly kind: 'failed'; readonly why: string; readonly timedOut?: true }
  /** `signal` killed it. */
  | { readonly kind: 'aborted' };

/**
 * Runs a program in a session and process group of its own, on Windows with a hidden console of its own. So Ctrl-C on the
 * terminal does not reach it, and processes that it started are killed with it. It inherits no file descriptors but stdin, stdout and stderr. Never rejects.
 */
export function runProgram(program: Program, options: RunOptions): Promise<RunResult> {
  return new Promise((resolve) => {
    if (options.signal.aborted) resolve({ kind: 'aborted' });
    else new Run(program, options, resolve);
  });
}

class Run {
  readonly #options: RunOptions;
  readonly #resolve: (result: RunResult) => void;
  readonly #child: ChildProcess | undefined;
  readonly #lines: LineTaker;
  readonly #output: Uint8Array[] = [];
  #outputBytes = 0;
  /** The result if the program is killed: the first reason counts. */
  #verdict: RunResult | undefined;
  readonly #timeout = new Alarm(() => {
    const limit = formatDuration(this.#options.timeoutMs);
    const what = this.#hasEnded
      ? `the program ended, but a process that it started held its output open for longer than ${limit}`
      : `the program ran for longer than ${limit}`;
    this.#kill({ kind: 'failed', why: `${what} and was killed (--exec-timeout)`, timedOut: true });
  });

  constructor(program: Program, options: RunOptions, resolve: (result: RunResult) => void) {
    this.#options = options;
    this.#resolve = resolve;
    this.#lines = new LineTaker(options.onErrorLine);
    try {
      this.#child = start(program, options);
    } catch (cause) {
      this.#settle(cannotStart(cause));
      return;
    }
    this.#timeout.set(options.timeoutMs);
    options.signal.addEventListener('abort', this.#onAbort, { once: true });
    this.#follow(this.#child);
  }

  #follow(child: ChildProcess): void {
    child.once('error', (cause) => {
      this.#settle(cannotStart(cause));
    });
    // Without a process there may be no streams either. The 'error' event follows.
    if (child.pid === undefined) return;
    child.stdout?.on('data', (chunk: Uint8Array) => {
      this.#collect(chunk);
    });
    child.stderr?.on('data', (chunk: Uint8Array) => {
      this.#lines.push(chunk);
    });
    child.once('close', (status, signal) => {
      this.#lines.end();
      // The streams are closed. Processes that are still running can send nothing any more.
      this.#killTree();
      this.#settle(this.#verdict ?? this.#resultOf(status, signal));
    });
    // A program may end without reading its stdin. That is no error.
    child.stdin?.on('error', () => undefined).end(this.#options.input);
  }

  #collect(chunk: Uint8Array): void {
    this.#outputBytes += chunk.length;
    const { maxOutputBytes = Infinity } = this.#options;
    if (this.#outputBytes <= maxOutputBytes) this.#output.push(chunk);
    else {
      const why = `the program wrote more than a datagram can hold, ${maxOutputBytes} bytes`;
      this.#kill({ kind: 'failed', why });
    }
  }

  #resultOf(status: number | null, signal: NodeJS.Signals | null): RunResult {
    if (status === null) return { kind: 'failed', why: `the program was ended by ${signal ?? 'a signal'}` };
    return { kind: 'ended', output: Buffer.concat(this.#output), status };
  }

  /** Whether the program itself has ended. Processes that it started may still hold its streams open. */
  get #hasEnded(): boolean {
    return this.#child !== undefined && (this.#child.exitCode !== null || this.#child.signalCode !== null);
  }

  readonly #onAbort = (): void => {
    this.#kill({ kind: 'aborted' });
  };

  #kill(verdict: RunResult): void {
    this.#verdict ??= verdict;
    this.#killTree();
    // A process that left the group was not killed, and would keep the streams open.
    for (const stream of this.#child?.stdio ?? []) stream?.destroy();
  }

  #killTree(): void {
    if (this.#child?.pid !== undefined) this.#options.control.killTree(this.#child.pid, this.#hasEnded);
  }

  #settle(result: RunResult): void {
    this.#timeout.stop();
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#resolve(result);
  }
}

function start(program: Program, { env, control, maxOutputBytes }: RunOptions): ChildProcess {
  const stdout = maxOutputBytes === undefined ? 'ignore' : 'pipe';
  const stdio: ('pipe' | 'ignore')[] = ['pipe', stdout, 'pipe'];
  const shared = { env, detached: control.detached, windowsHide: true, stdio };
  if (program.kind === 'shell') return spawn(program.line, { ...shared, shell: true });
  return spawn(program.file, program.args, shared);
}

function cannotStart(cause: unknown): RunResult {
  return {
    kind: 'failed',
    why: `the program cannot be started: ${describeSystemError(cause, { ENOENT: 'no such program' })}`,
  };
}
