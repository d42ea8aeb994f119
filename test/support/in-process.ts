/** Runs a command line in the process of the test: no start-up, and the same text and status as the built command. */
import { dirname, join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import type { Ending, Io } from '../../src/run/context.js';
import { runCommandLine } from '../../src/commands/program.js';
import { COMMAND } from './udpcat.js';

/** The result of a command line. */
export interface InProcessOutcome {
  readonly stdout: string;
  readonly stderr: string;
  /** The exit status, or the signal that ends the process. */
  readonly ending: Ending;
}

/** Keeps what is written to it. */
export class Kept extends Writable {
  #chunks: Buffer[] = [];

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    // The writer uses the memory of a chunk again once it is done.
    this.#chunks.push(Buffer.from(chunk));
    done();
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}

/** Options of {@link runInProcess}. */
export interface InProcessOptions {
  /** All of stdin. Default: empty. */
  readonly stdin?: string | Uint8Array;
  /** Aborted for the first signal; the reason is `SIGINT` or `SIGTERM`. Default: never. */
  readonly stop?: AbortSignal;
  /** Aborted for the second signal. Default: never. */
  readonly force?: AbortSignal;
  /** Called with what stands on stderr whenever something was written there. */
  readonly onStderr?: (text: string) => void;
}

/** The streams and signals of a process that is none. */
export interface KeptIo {
  readonly io: Io;
  readonly stdout: Kept;
  readonly stderr: Kept;
}

/** Opens three streams that are no terminals. */
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
    execPath: process.execPath,
    examiner: join(dirname(COMMAND), 'examine.cjs'),
    stop,
    force,
    onReport: () => () => undefined,
    onReload: () => () => undefined,
    killGroup: () => undefined,
    isForeground: () => true,
    argumentBytes: () => args.map((argument) => Buffer.from(argument)),
    leaveBy: () => undefined,
  };
  return { io, stdout, stderr };
}

/** Runs a command line whose three streams are no terminals. */
export async function runInProcess(args: readonly string[], options: InProcessOptions = {}): Promise<InProcessOutcome> {
  const { io, stdout, stderr } = openIo(options, args);
  const ending = await runCommandLine(args, io);
  return { stdout: stdout.text, stderr: stderr.text, ending };
}
