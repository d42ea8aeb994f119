import { type ChildProcess, spawn } from 'node:child_process';
import { describeSystemError } from '../net/errors.js';
import { formatDuration } from '../text/time.js';
import { Alarm } from '../timing/alarm.js';
import { LineTaker } from './line-taker.js';

/** What is run: a program with its arguments, or a line for the system's shell. */
export type Program =
  | { readonly kind: 'words'; readonly file: string; readonly args: readonly string[] }
  | { readonly kind: 'shell'; readonly line: string };

/** One run of a program. */
export interface RunOptions {
  /** Its whole stdin. */
  readonly input: Uint8Array;
  /** Its whole environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The most that it may write to stdout, in bytes; if it writes more it is killed. */
  readonly maxOutputBytes: number;
  /** How long it may run, and its output be held open by what it has started, before all of that is killed. */
  readonly timeoutMs: number;
  /** Kills it at once. */
  readonly signal: AbortSignal;
  /** Called with what it writes to stderr, line by line and bounded. */
  readonly onErrorLine: (line: string) => void;
  /** Ends every process of a group by SIGKILL; none is left, that is fine. */
  readonly killGroup: (group: number) => void;
}

/** How a run ended. */
export type RunResult =
  | { readonly kind: 'ended'; readonly output: Uint8Array; readonly status: number }
  /** Could not be started, was killed, or wrote too much; `why` is words for the user. */
  | { readonly kind: 'failed'; readonly why: string }
  | { readonly kind: 'aborted' };

/**
 * Runs a program in a session and process group of its own, so that it does not see the terminal's Ctrl-C and nothing
 * that it starts outlives its run. It inherits no descriptor but its three streams. Never rejects.
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
  /** Why it was killed. */
  #verdict: RunResult | undefined;
  readonly #timeout = new Alarm(() => {
    const limit = formatDuration(this.#options.timeoutMs);
    const what = this.#hasEnded
      ? `the program ended, but what it started held its output open for longer than ${limit}`
      : `the program ran for longer than ${limit}`;
    this.#kill({ kind: 'failed', why: `${what} and was killed (--exec-timeout)` });
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
    // Where there was no descriptor left there are no streams, and the error follows.
    if (child.pid === undefined) return;
    child.stdout?.on('data', (chunk: Uint8Array) => {
      this.#collect(chunk);
    });
    child.stderr?.on('data', (chunk: Uint8Array) => {
      this.#lines.push(chunk);
    });
    child.once('close', (status, signal) => {
      this.#lines.end();
      // What it left behind had its chance: nobody reads it any more.
      this.#killGroup();
      this.#settle(this.#verdict ?? this.#resultOf(status, signal));
    });
    // A program need not read what it is asked.
    child.stdin?.on('error', () => undefined).end(this.#options.input);
  }

  #collect(chunk: Uint8Array): void {
    this.#outputBytes += chunk.length;
    const { maxOutputBytes } = this.#options;
    if (this.#outputBytes <= maxOutputBytes) this.#output.push(chunk);
    else {
      const why = `what the program wrote is more than a datagram holds, ${maxOutputBytes} bytes`;
      this.#kill({ kind: 'failed', why });
    }
  }

  #resultOf(status: number | null, signal: NodeJS.Signals | null): RunResult {
    if (status === null) return { kind: 'failed', why: `the program was ended by ${signal ?? 'a signal'}` };
    return { kind: 'ended', output: Buffer.concat(this.#output), status };
  }

  /** Whether the program itself is over, though its streams may be open still. */
  get #hasEnded(): boolean {
    return this.#child !== undefined && (this.#child.exitCode !== null || this.#child.signalCode !== null);
  }

  readonly #onAbort = (): void => {
    this.#kill({ kind: 'aborted' });
  };

  #kill(verdict: RunResult): void {
    this.#verdict ??= verdict;
    this.#killGroup();
    // What left the group would keep them open.
    for (const stream of this.#child?.stdio ?? []) stream?.destroy();
  }

  #killGroup(): void {
    if (this.#child?.pid !== undefined) this.#options.killGroup(this.#child.pid);
  }

  #settle(result: RunResult): void {
    this.#timeout.stop();
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#resolve(result);
  }
}

function start(program: Program, { env }: RunOptions): ChildProcess {
  const shared = { env, detached: true, windowsHide: true, stdio: 'pipe' } as const;
  if (program.kind === 'shell') return spawn(program.line, { ...shared, shell: true });
  return spawn(program.file, program.args, shared);
}

function cannotStart(cause: unknown): RunResult {
  return { kind: 'failed', why: `the program cannot be started: ${describeSystemError(cause)}` };
}
