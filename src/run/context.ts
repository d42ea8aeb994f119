import type { Readable, Writable } from 'node:stream';
import { createLog, type Log, type LogLevel } from '../output/log.js';
import type { ProgramControl } from '../responders/program-run.js';
import { createPalette, type Palette, wantsColor } from '../output/palette.js';
import type { LogPlan } from './plan.js';

/** A signal that ends a command in order. */
export type StopSignal = 'SIGINT' | 'SIGTERM';

/** The process, as `bin` hands it to a command. A command reaches the process only through this. */
export interface Io {
  readonly stdin: Readable;
  /** Without a listener of the command, an error of stdout ends nothing: it changes the exit status at the end. */
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Whether each of the streams is a terminal. To read this does not open a stream. */
  readonly terminals: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The version of udpcat. */
  readonly version: string;
  /** The id of this process. */
  readonly pid: number;
  /**
   * The command that runs a program in a new process. The program, as JavaScript text that may call `require`, and its
   * arguments come behind it: the last members of `process.argv` there. With Node the command is `node -e`. A single
   * executable of udpcat runs itself.
   */
  readonly evaluate: readonly [program: string, ...args: string[]];
  /** The path of the program that the thread of `Examiner` runs, or a `data:` URL with it. */
  readonly examiner: string | URL;
  /** Aborted by the first signal: the command flushes everything and ends. The reason is the {@link StopSignal}. */
  readonly stop: AbortSignal;
  /** Aborted by the second signal: the command ends at once. */
  readonly force: AbortSignal;
  /**
   * Calls the listener each time the user asks for the progress of the command: by SIGUSR2, or by Ctrl-T where the system has
   * SIGINFO. Returns a function that removes the listener. Without a listener the signals have no effect.
   */
  onReport(listener: () => void): () => void;
  /**
   * Calls the listener each time the user wants files read again, by SIGHUP. Returns a function that removes the listener.
   * Before the first listener, SIGHUP ends the process.
   */
  onReload(listener: () => void): () => void;
  /** How programs are started and killed. */
  readonly programs: ProgramControl;
  /** Whether the process is in the foreground of its terminal. A background process that reads from the terminal is stopped. */
  isForeground(): boolean;
  /** How many bytes stdin can give: the size of a file, Infinity for a pipe, 0 for a terminal, a socket and `/dev/null`. */
  stdinBytes(): number;
  /** Sends SIGINT to the job of this process, as Ctrl-C does. A terminal in raw mode does not do it. */
  interrupt(): void;
  /** The arguments of the command line as bytes; undefined where the system does not tell. */
  argumentBytes(): readonly Uint8Array[] | undefined;
  /**
   * Sets a time limit for the end of the process, by `performance.now()`. The process does not wait longer for readers of its
   * output.
   */
  leaveBy(momentMs: number): void;
}

/** The surroundings of a command: the process, the log and the colours. */
export interface Context extends Io {
  readonly log: Log;
  /** The colours of stdout. */
  readonly palette: Palette;
  /** The colours of live lines and of the prompt on stderr. */
  readonly stderrPalette: Palette;
}

/** Makes the context of a command, with the log and the colours that the options ask for. */
export async function createContext(io: Io, plan: LogPlan): Promise<Context> {
  const isSilent = isPlugin(plan);
  const colored = wantsColor(plan.color, io.env, io.terminals.stderr);
  const log = createLog(() => io.stderr, {
    isSilent,
    level: logLevel(plan),
    format: plan.logFormat,
    colored,
    hasStatus:
      !isSilent && io.terminals.stderr && io.env.TERM !== 'dumb' && plan.logFormat === 'pretty' && plan.quiet !== true,
  });
  const palette = await createPalette(wantsColor(plan.color, io.env, io.terminals.stdout));
  const stderrPalette = await createPalette(colored && log.hasStatus);
  // A copy by spreading would read the property stdin, which opens it.
  return Object.assign(Object.create(io) as Io, { log, palette, stderrPalette });
}

/** Whether stderr must be empty. Some schedulers read both streams of a monitoring plugin as one. */
function isPlugin({ exitCode, verbose, logLevel: level, explain }: LogPlan): boolean {
  return exitCode === 'nagios' && verbose !== true && level !== 'debug' && explain !== true;
}

function logLevel({ logLevel: level, verbose, quiet }: LogPlan): LogLevel {
  if (verbose === true) return 'debug';
  return quiet === true ? 'error' : (level ?? 'info');
}

/** How a command ends: with a status, or by the signal that stopped it. */
export type Ending = number | StopSignal;
