/** Runs the built command like a user: with arguments and bytes as input, bytes and a status as output. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { GRACE_MS, HANG_MS } from './limits.js';

/** Path of the command under test. `npm run coverage` sets the path of another build. */
export const COMMAND =
  process.env.UDPCAT_COMMAND ?? fileURLToPath(new URL('../../dist/bin/udpcat.cjs', import.meta.url));

/** The engine of runs without `--engine`. `npm run test:engines` runs the tests of the commands with each engine. */
const ENGINE = process.env.UDPCAT_TEST_ENGINE;

/** Returns the arguments with the engine that `npm run test:engines` sets. */
export function withEngine(args: readonly string[]): readonly string[] {
  const isCommand = ['serve', 'send', 'echo', 'relay'].includes(args[0] ?? '');
  return ENGINE !== undefined && isCommand && !args.includes('--engine')
    ? [args[0] ?? '', '--engine', ENGINE, ...args.slice(1)]
    : args;
}

export interface Outcome {
  readonly stdout: Buffer;
  readonly stderr: string;
  /** Exit status; null if a signal ended the command. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StartOptions {
  /** Changes to the environment. `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Kills the command after this many milliseconds and rejects its outcome. Default: {@link HANG_MS}. */
  readonly timeoutMs?: number;
}

export interface RunOptions extends StartOptions {
  /** The whole stdin. Default: empty. */
  readonly stdin?: string | Uint8Array;
}

/** A command that was started. It may still run. */
export interface Running extends AsyncDisposable {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves when the command has ended and its output is complete. Rejects if it ran for longer than `timeoutMs`. */
  readonly outcome: Promise<Outcome>;
  kill(signal?: NodeJS.Signals): void;
  /** Waits until the output matches a pattern. Resolves to the first match. Rejects if the command ends without it. */
  until(pattern: string | RegExp, stream?: 'stdout' | 'stderr'): Promise<RegExpMatchArray>;
  /** Waits for `udpcat: listening on ADDRESS` on stderr. Resolves to the address. */
  listening(): Promise<string>;
  /** Stops reading stdout, like a slow reader: the pipe fills up. */
  pauseStdout(): void;
  resumeStdout(): void;
}

/** Returns the environment of a user's shell: without the variables that jest and npm add. */
function environment(changes: StartOptions['env'] = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(npm_.*|NODE_.*|JEST_WORKER_ID|INIT_CWD|FORCE_COLOR|NO_COLOR|COLORTERM|UDPCAT_.*)$/.test(name),
  );
  const all: NodeJS.ProcessEnv = {
    ...Object.fromEntries(inherited),
    LC_ALL: 'C.UTF-8',
    TERM: 'xterm-256color',
    // Without SHLVL, bash takes a socket as stdin for a remote login and reads ~/.bashrc. Node's pipes are sockets.
    SHLVL: '1',
    ...changes,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** Quotes a word for the shell. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Returns a shell command line that runs udpcat with these arguments. */
export function commandLine(args: readonly string[]): string {
  return [process.execPath, COMMAND, ...withEngine(args)].map(quote).join(' ');
}

/**
 * Returns a shell command line that runs `line`. Its stdout is a pipe that nobody reads and that stays open until stdin
 * ends.
 */
export function unread(line: string): string {
  return `exec 9<&0; ${line} | { read -r _ <&9; }`;
}

/** What a command has written so far. */
export class Written {
  readonly #chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  readonly #watchers = new Set<() => void>();
  readonly #title: string;
  #ended = false;

  /** @param title the command line, for errors */
  constructor(title: string) {
    this.#title = title;
  }

  /** Whether the command has ended. */
  get ended(): boolean {
    return this.#ended;
  }

  add(stream: 'stdout' | 'stderr', chunk: Buffer): void {
    this.#chunks[stream].push(chunk);
    for (const watch of this.#watchers) watch();
  }

  /** Tells that the command has ended. Its output is complete. */
  end(): void {
    this.#ended = true;
    for (const watch of this.#watchers) watch();
  }

  bytes(stream: 'stdout' | 'stderr'): Buffer {
    return Buffer.concat(this.#chunks[stream]);
  }

  /** Returns the command line and the end of its output. */
  report(): string {
    const tail = (stream: 'stdout' | 'stderr'): string => this.bytes(stream).toString().slice(-2000);
    return `${this.#title}\n--- stdout\n${tail('stdout')}\n--- stderr\n${tail('stderr')}`;
  }

  /** See `Running.until`. */
  until(pattern: string | RegExp, stream: 'stdout' | 'stderr' = 'stdout'): Promise<RegExpMatchArray> {
    const expression = typeof pattern === 'string' ? RegExp(pattern.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')) : pattern;
    return new Promise((resolve, reject) => {
      const watch = (): void => {
        const found = this.bytes(stream).toString().match(expression);
        if (found !== null || this.#ended) this.#watchers.delete(watch);
        if (found !== null) resolve(found);
        else if (this.#ended) reject(new Error(`ended without ${String(pattern)} on ${stream}: ${this.report()}`));
      };
      this.#watchers.add(watch);
      watch();
    });
  }

  /** See `Running.listening`. */
  async listening(): Promise<string> {
    return (await this.until(/udpcat: listening on (\S+)\r?\n/, 'stderr'))[1]!;
  }
}

function follow(child: ChildProcess, title: string, timeoutMs: number): Running {
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error('expected three pipes');
  const written = new Written(title);
  stdout.on('data', (chunk: Buffer) => {
    written.add('stdout', chunk);
  });
  stderr.on('data', (chunk: Buffer) => {
    written.add('stderr', chunk);
  });
  // A command may end before it has read its stdin. The test judges that by the outcome, so the error is ignored.
  stdin.on('error', () => undefined);

  const outcome = new Promise<Outcome>((resolve, reject) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
      // A descendant that still holds the pipes would delay the event 'close' for ever.
      stdout.destroy();
      stderr.destroy();
    }, timeoutMs);
    child.once('error', (error) => {
      clearTimeout(timer);
      written.end();
      reject(error);
    });
    child.once('close', (status, signal) => {
      clearTimeout(timer);
      if (late) reject(new Error(`killed after ${timeoutMs} ms: ${written.report()}`));
      else resolve({ stdout: written.bytes('stdout'), stderr: written.bytes('stderr').toString(), status, signal });
      written.end();
    });
  });
  // Not every test awaits the outcome: the rejection must not count as unhandled. A test that awaits it still gets it.
  outcome.catch(() => undefined);

  const running: Running = {
    pid: child.pid ?? -1,
    stdin,
    stdout,
    outcome,
    kill: (signal = 'SIGTERM') => {
      child.kill(signal);
    },
    until: (pattern, stream) => written.until(pattern, stream),
    listening: () => written.listening(),
    pauseStdout: () => {
      stdout.pause();
    },
    resumeStdout: () => {
      stdout.resume();
    },
    [Symbol.asyncDispose]: async () => {
      if (written.ended) return;
      stdout.resume();
      stdin.destroy();
      // SIGTERM first: a command that is killed by SIGKILL cannot write its coverage (npm run coverage).
      child.kill('SIGTERM');
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        stdout.destroy();
        stderr.destroy();
      }, GRACE_MS);
      await outcome.catch(() => undefined);
      clearTimeout(timer);
    },
  };
  return running;
}

function launch(program: string, args: readonly string[], { env, cwd, timeoutMs = HANG_MS }: StartOptions): Running {
  if (!existsSync(COMMAND)) throw new Error(`${COMMAND} is missing: npm run build makes it`);
  const child = spawn(program, args, { cwd, env: environment(env), stdio: 'pipe' });
  return follow(child, [program, ...args].map(quote).join(' '), timeoutMs);
}

/** Starts udpcat with pipes as its three streams. stdin stays open until the test ends it. */
export function start(args: readonly string[], options: StartOptions = {}): Running {
  return launch(process.execPath, [COMMAND, ...withEngine(args)], options);
}

/** Runs udpcat to its end. */
export async function udpcat(args: readonly string[], { stdin = '', ...options }: RunOptions = {}): Promise<Outcome> {
  await using running = start(args, options);
  running.stdin.end(stdin);
  return await running.outcome;
}

/**
 * Starts a shell command line, for pipelines, redirections and job control. Use {@link commandLine} for udpcat in it.
 */
export function shell(line: string, options: StartOptions & { readonly program?: 'sh' | 'bash' } = {}): Running {
  return launch(options.program ?? 'sh', ['-c', line], options);
}

export interface TerminalOptions extends StartOptions {
  /** Path of a file for stdout. Default: the terminal. */
  readonly stdout?: string;
  /** Path of a file for stderr. Default: the terminal. */
  readonly stderr?: string;
  /** Width of the terminal in characters. Default: 200. */
  readonly columns?: number;
}

/** A command in a terminal. Its `stdout` is all that the terminal shows, echoed typing too, with CRLF at line ends. */
export interface Terminal extends Running {
  /** Types the text; `\r` is the Enter key, `\x03` Ctrl-C, `\x04` Ctrl-D. */
  type(text: string): void;
}

/**
 * Starts udpcat, or a shell command line if `command` is a string, in a pseudo-terminal made by `script` of util-linux.
 *
 * The end of `stdin` is passed on as Ctrl-D, so leave `stdin` open as long as the command must run. Use `until` in
 * place of `listening()`, which reads stderr: here stderr is the terminal.
 */
export function terminal(command: readonly string[] | string, options: TerminalOptions = {}): Terminal {
  const { stdout, stderr, columns = 200, ...rest } = options;
  const redirections = [...(stdout ? [`>${quote(stdout)}`] : []), ...(stderr ? [`2>${quote(stderr)}`] : [])].join(' ');
  const body =
    typeof command === 'string' ? `{ ${command}\n} ${redirections}` : `exec ${commandLine(command)} ${redirections}`;
  const line = `stty cols ${columns} rows 50; ${body}`;
  const running = launch('script', ['-qefc', line, '/dev/null'], { ...rest, env: { SHELL: '/bin/sh', ...rest.env } });
  return Object.assign(running, {
    type: (text: string) => {
      running.stdin.write(text);
    },
  });
}

/** Removes the round-trip times from what a probe says on stderr. */
export function untimed(stderr: string): string {
  return stderr.replaceAll(/; answered in [\d.]+ ms(?=\n)/g, '');
}
