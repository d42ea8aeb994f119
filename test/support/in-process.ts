/**
 * Runs a command line in the process of the test, which saves the start of a process. Output and status are the same.
 */
import { dirname, join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import type { Ending, Io } from '../../src/run/context.js';
import { runCommandLine } from '../../src/commands/program.js';
import { COMMAND, type Outcome, type RunOptions, withEngine } from './udpcat.js';

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
  const { stop = new AbortController().signal, force = new AbortController().signal, onStderr } = options;
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
    isPiped: () => false,
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

/**
 * Runs udpcat to its end, like the function of `udpcat.ts`, but takes a hundredth of the processor time. Use that function
 * for tests of the process: its start, signals, pipes and working directory. Use that function in `test.concurrent`, too: while
 * another test ends, jest refuses each `import()`.
 */
export async function udpcat(
  args: readonly string[],
  { stdin = '', env = {} }: Pick<RunOptions, 'stdin' | 'env'> = {},
): Promise<Outcome> {
  const all = withEngine(args);
  const { io, stdout, stderr } = openIo({ stdin }, all);
  const ending = await runCommandLine(all, { ...io, env: { ...io.env, ...env } });
  const ended = typeof ending === 'number' ? { status: ending, signal: null } : { status: null, signal: ending };
  return { stdout: stdout.bytes, stderr: stderr.text, ...ended };
}
