import type { Readable, Writable } from 'node:stream';
import { createLog, type Log, type LogLevel } from '../output/log.js';
import { createPalette, type Palette, wantsColor } from '../output/palette.js';
import type { LogPlan } from './plan.js';

/** A signal that ends a command in order. */
export type StopSignal = 'SIGINT' | 'SIGTERM';

/** What `bin` hands in: all that a command may know of the process it runs in. */
export interface Io {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Which of them are terminals: to ask this opens none of them. */
  readonly terminals: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  /** Number of this process. */
  readonly pid: number;
  /** Path of the Node that runs. */
  readonly execPath: string;
  /** Path of the program that the thread of `Examiner` runs. */
  readonly examiner: string;
  /** The first signal: flush everything and end. Its reason is the {@link StopSignal}. */
  readonly stop: AbortSignal;
  /** The second signal: end at once. */
  readonly force: AbortSignal;
  /**
   * Calls the listener whenever the user asks how far the command is (SIGUSR2; SIGINFO where the system has it, Ctrl-T),
   * until what it returns is called. Who asks while nobody listens gets no answer.
   */
  onReport(listener: () => void): () => void;
  /**
   * Calls the listener whenever the user wants files read again (SIGHUP), until what it returns is called. The signal ends
   * the process as long as nobody has asked for it.
   */
  onReload(listener: () => void): () => void;
  /** Ends every process of a group at once (SIGKILL), if there are any. */
  killGroup(group: number): void;
  /** Whether the process is in the foreground of its terminal, so that reading it does not stop the process. */
  isForeground(): boolean;
  /** The command line as bytes, where the system tells. */
  argumentBytes(): readonly Uint8Array[] | undefined;
  /** At its end the process waits no longer than until then, by `performance.now()`, for what it wrote to be read. */
  leaveBy(momentMs: number): void;
}

/** What a command works with besides its plan. */
export interface Context extends Io {
  readonly log: Log;
  /** The colours of stdout. */
  readonly palette: Palette;
}

/** The context that the options ask for. */
export async function createContext(io: Io, plan: LogPlan): Promise<Context> {
  const log = createLog(() => io.stderr, {
    level: logLevel(plan),
    format: plan.logFormat,
    colored: wantsColor(plan.color, io.env, io.terminals.stderr),
    hasStatus: io.terminals.stderr && io.env.TERM !== 'dumb' && plan.logFormat === 'pretty' && plan.quiet !== true,
  });
  const palette = await createPalette(wantsColor(plan.color, io.env, io.terminals.stdout));
  // Not by spreading: stdin is opened by the first who asks for it.
  return Object.assign(Object.create(io) as Io, { log, palette });
}

function logLevel({ logLevel: level, verbose, quiet }: LogPlan): LogLevel {
  if (verbose === true) return 'debug';
  return quiet === true ? 'error' : (level ?? 'info');
}

/** How a command ends: with a status, or by the signal that stopped it. */
export type Ending = number | StopSignal;
