/**
 * Runs a command line in the process of the test, which saves the start of a process. Output and status are the same.
 */
import { dirname, join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import type { Ending, Io } from '../../src/run/context.js';
import { runCommandLine } from '../../src/commands/program.js';
import { preload } from './preload.js';
import {
  COMMAND,
  type Outcome,
  quote,
  type RunOptions,
  type Running,
  type StartOptions,
  withEngine,
  Written,
} from './udpcat.js';

/** The result of a command line. */
export interface InProcessOutcome {
  readonly stdout: string;
  readonly stderr: string;
  /** The exit status, or the signal that ends the process. */
  readonly ending: Ending;
}

/** A stream that keeps everything written to it. */
export class Kept extends Writable {
  #chunks: Buffer[] = [];

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    // Copy the chunk: the writer overwrites its memory after `done`.
    this.#chunks.push(Buffer.from(chunk));
    done();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get text(): string {
    return this.bytes.toString();
  }
}

/** Options of {@link runInProcess}. */
export interface InProcessOptions {
  /** The whole stdin. Default: empty. */
  readonly stdin?: string | Uint8Array;
  /** The number of bytes that stdin is said to have, Infinity for a pipe. Default: 0, as of a socket. */
  readonly stdinBytes?: number;
  /** Abort it in place of the first signal, with the reason `SIGINT` or `SIGTERM`. Default: never aborted. */
  readonly stop?: AbortSignal;
  /** Abort it in place of the second signal. Default: never aborted. */
  readonly force?: AbortSignal;
  /** Called with the whole stderr so far, after each write to it. */
  readonly onStderr?: (text: string) => void;
}

/** The streams and signals of a run in the process of the test. */
export interface KeptIo {
  readonly io: Io;
  readonly stdout: Kept;
  readonly stderr: Kept;
}

/** Opens stdin, stdout and stderr for a run. None of them is a terminal. */
export function openIo(options: InProcessOptions = {}, args: readonly string[] = []): KeptIo {
  const { stop = new AbortController().signal, force = new AbortController().signal } = options;
  const { stdinBytes = 0, onStderr } = options;
  const stdin = new PassThrough();
  stdin.end(options.stdin ?? '');
  const stdout = new Kept();
  const stderr = new Kept();
  if (onStderr !== undefined) {
    const write = stderr._write.bind(stderr);
    stderr._write = (chunk: Buffer, encoding, done) => {
      write(chunk, encoding, done);
      onStderr(stderr.text);
    };
  }
  const io: Io = {
    stdin,
    stdout,
    stderr,
    terminals: { stdin: false, stdout: false, stderr: false },
    env: { PATH: process.env.PATH, TERM: 'xterm-256color' },
    version: '0.0.0',
    pid: process.pid,
    evaluate: [process.execPath, '-e'],
    examiner: join(dirname(COMMAND), 'examine.cjs'),
    stop,
    force,
    onReport: () => () => undefined,
    onReload: () => () => undefined,
    programs: { detached: true, killTree: () => undefined },
    isForeground: () => true,
    stdinBytes: () => stdinBytes,
    interrupt: () => undefined,
    argumentBytes: () => args.map((argument) => Buffer.from(argument)),
    leaveBy: () => undefined,
  };
  return { io, stdout, stderr };
}

/** Runs a command line to its end. None of its streams is a terminal. */
export async function runInProcess(args: readonly string[], options: InProcessOptions = {}): Promise<InProcessOutcome> {
  const { io, stdout, stderr } = openIo(options, args);
  const ending = await runCommandLine(args, io);
  return { stdout: stdout.text, stderr: stderr.text, ending };
}

/** A command that runs in the process of the test. It has no process to stop, and its stdout never fills up. */
export type RunningHere = Pick<Running, 'stdin' | 'outcome' | 'kill' | 'until' | 'listening'> & AsyncDisposable;

/**
 * Starts udpcat, like the function of `udpcat.ts`, but takes a tenth of the processor time. stdin stays open until the test
 * ends it. Use that function for tests of the process: its start, signals, pipes, working directory and `--deadline`, which
 * counts from the start of the process. This one cannot be used in a file with `test.concurrent`, because jest refuses each
 * `import()` when such a test ends. Use `sideBySide` of `side-by-side.ts` there.
 */
export function start(args: readonly string[], { env = {} }: Pick<StartOptions, 'env'> = {}): RunningHere {
  const all = withEngine(args);
  const written = new Written(all.map(quote).join(' '));
  const [stop, force] = [new AbortController(), new AbortController()];
  const reports = new Set<() => void>();
  const reloads = new Set<() => void>();
  const stdin = new PassThrough();
  const { io } = openIo({ stop: stop.signal, force: force.signal }, all);
  const into = (stream: 'stdout' | 'stderr'): Writable =>
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        // Copy the chunk: the writer overwrites its memory after `done`.
        written.add(stream, Buffer.from(chunk));
        done();
      },
    });
  const listen =
    (listeners: Set<() => void>) =>
    (listener: () => void): (() => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    };
  const mine: Io = {
    ...io,
    stdin,
    stdout: into('stdout'),
    stderr: into('stderr'),
    env: { ...io.env, ...env },
    onReport: listen(reports),
    onReload: listen(reloads),
  };
  const outcome = preload()
    .then(() => runCommandLine(all, mine))
    .then((how): Outcome => {
      const ended = typeof how === 'number' ? { status: how, signal: null } : { status: null, signal: how };
      return { stdout: written.bytes('stdout'), stderr: written.bytes('stderr').toString(), ...ended };
    })
    .finally(() => {
      written.end();
      stdin.destroy();
    });
  // Not every test awaits the outcome: the rejection must not count as unhandled. A test that awaits it still gets it.
  outcome.catch(() => undefined);
  const kill = (signal: NodeJS.Signals = 'SIGTERM'): void => {
    const heard: Partial<Record<NodeJS.Signals, () => void>> = { SIGUSR2: tell(reports), SIGHUP: tell(reloads) };
    const toStop = (): void => {
      if (stop.signal.aborted) force.abort();
      else stop.abort(signal);
    };
    const act = signal === 'SIGINT' || signal === 'SIGTERM' ? toStop : heard[signal];
    if (act === undefined) throw new Error(`${signal} needs a process`);
    act();
  };
  return {
    stdin,
    outcome,
    kill,
    until: (pattern, stream) => written.until(pattern, stream),
    listening: () => written.listening(),
    [Symbol.asyncDispose]: async () => {
      if (!written.ended) kill();
      await outcome.catch(() => undefined);
    },
  };
}

function tell(listeners: ReadonlySet<() => void>): () => void {
  return () => {
    for (const listener of listeners) listener();
  };
}

/** Runs udpcat to its end. See {@link start} for its use. */
export async function udpcat(
  args: readonly string[],
  { stdin = '', ...options }: Pick<RunOptions, 'stdin' | 'env'> = {},
): Promise<Outcome> {
  await using running = start(args, options);
  running.stdin.end(stdin);
  return await running.outcome;
}
