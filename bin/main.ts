import { createReadStream, fstatSync } from 'node:fs';
import { join } from 'node:path';
import { type Readable, Writable } from 'node:stream';
import { isatty } from 'node:tty';
import type { Ending, Io, StopSignal } from '../src/run/context.js';
import { describeSystemError, systemCode } from '../src/net/errors.js';
import { ExitCode, type Numbering, numberingOf, statusIn } from '../src/run/exit-code.js';
import { formatPluginLine } from '../src/run/plugin-line.js';
import { runCommandLine } from '../src/commands/program.js';
import { FileStream } from '../src/output/file-stream.js';
import { EVALUATE } from './evaluation.js';
import {
  argumentBytes,
  endBySignal,
  interrupt,
  isForeground,
  onSignal,
  programs,
  stdinBytes,
  TEXT_OPTIONS,
} from './system.js';

/** The version of the package. The build sets it. */
declare const __UDPCAT_VERSION__: string;
/** In a single executable, the code of bin/examine.ts as a module. Otherwise empty, and the code is a file. The build sets it. */
declare const __UDPCAT_EXAMINER__: string;

/** How many bytes of a file on stdin are read at a time. Another thread reads them, and each hand-over takes time. */
const FILE_CHUNK_BYTES = 256 * 1024;

const stop = new AbortController();
const force = new AbortController();
/** When the process ends although its output was not read, by `performance.now()`. */
let leaveByMs = Infinity;
/** Whether `process.stderr` was used. Node opens it at the first use, which costs time. */
let stderrIsOpen = false;
let ending: Ending | undefined;
let stdin: Readable | undefined;
let stdout: Writable | undefined;
/** The first error of stdout. */
let stdoutError: Error | undefined;
const reporters = new Set<() => void>();
const reloaders = new Set<() => void>();

const io: Io = {
  get stdin() {
    stdin ??= openStdin();
    return stdin;
  },
  get stdout() {
    stdout ??= openStdout();
    return stdout;
  },
  get stderr() {
    stderrIsOpen = true;
    return process.stderr;
  },
  terminals: { stdin: isatty(0), stdout: isatty(1), stderr: isatty(2) },
  env: process.env,
  version: __UDPCAT_VERSION__,
  pid: process.pid,
  evaluate: [process.execPath, ...(__UDPCAT_EXAMINER__ === '' ? TEXT_OPTIONS : [EVALUATE])],
  examiner:
    __UDPCAT_EXAMINER__ === ''
      ? join(__dirname, 'examine.cjs')
      : new URL(`data:text/javascript,${encodeURIComponent(__UDPCAT_EXAMINER__)}`),
  stop: stop.signal,
  force: force.signal,
  onReport: (listener) => {
    reporters.add(listener);
    return () => reporters.delete(listener);
  },
  onReload: (listener) => {
    if (process.listenerCount('SIGHUP') === 0) onSignal('SIGHUP', onReload);
    reloaders.add(listener);
    return () => reloaders.delete(listener);
  },
  programs,
  isForeground,
  stdinBytes,
  interrupt,
  argumentBytes,
  leaveBy: (momentMs) => {
    leaveByMs = Math.min(leaveByMs, momentMs);
  },
};

const onStop = (signal: StopSignal): void => {
  if (!stop.signal.aborted) {
    stop.abort(signal);
    return;
  }
  leaveByMs = 0;
  force.abort();
  if (ending !== undefined) leave(ending);
};
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  onSignal(signal, () => {
    onStop(signal);
  });
}
const onReport = (): void => {
  for (const report of reporters) report();
};
const onReload = (): void => {
  for (const reload of reloaders) reload();
};
for (const signal of ['SIGUSR2', 'SIGINFO'] as const) onSignal(signal, onReport);

/** Writes an error without the log, which may be the part that failed: without free descriptors it cannot be loaded. */
function tellBluntly(error: unknown): Ending {
  const says = `cannot run: ${error instanceof Error ? error.message.split('\n', 1).join('') : ''}`;
  if (numbering() === 'nagios') io.stdout.write(formatPluginLine('UNKNOWN', says));
  else process.stderr.write(`udpcat: ${says}\n`);
  return statusIn(numbering(), ExitCode.failure);
}

function numbering(): Numbering {
  return numberingOf(process.argv.slice(2));
}

const run = runCommandLine(process.argv.slice(2), io).catch(tellBluntly);
void run.then(async (result) => {
  ending = result;
  const written = Promise.all([flushed(io.stdout), stderrIsOpen && flushed(process.stderr)]);
  if (leaveByMs > performance.now()) await Promise.race([written, forced(), momentOfLeaving()]);
  leave(result === 0 ? unlessUnwritten() : result);
});

/** Opens stdin. `process.stdin` of a directory is an empty stream. A file stream fails with EISDIR instead. */
function openStdin(): Readable {
  const stdin = fstatSync(0);
  if (!stdin.isFile() && !stdin.isDirectory()) return process.stdin;
  return createReadStream('', { fd: 0, autoClose: false, highWaterMark: FILE_CHUNK_BYTES });
}

function openStdout(): Writable {
  const opened = fstatSync(1).isFile() || isBlackHole(process.stdout) ? new FileStream(1) : process.stdout;
  // An error without a listener would end the process.
  return opened.on('error', (error) => {
    stdoutError ??= error;
  });
}

/**
 * Returns status 0, or reports that stdout could not be written and returns the status of that. A closed pipe is no failure,
 * because its reader had enough, as a pager that was quit.
 */
function unlessUnwritten(): number {
  // A stream knows its error before it emits it, and Node's stdout forgets it afterwards.
  const error = stdoutError ?? io.stdout.errored;
  if (error === null || systemCode(error) === 'EPIPE') return ExitCode.ok;
  if (numbering() !== 'nagios') process.stderr.write(`udpcat: cannot write to stdout: ${describeSystemError(error)}\n`);
  return statusIn(numbering(), ExitCode.failure);
}

/** Whether Node has no stream for stdout, for example for a disk. It then gives a stream that discards everything. */
function isBlackHole(stream: Writable): boolean {
  return stream.constructor === Writable;
}

/**
 * Ends the process: with a status, or by the signal that stopped it. A shell ends its loop only after such a signal.
 */
function leave(how: Ending): void {
  if (typeof how === 'string') {
    endBySignal(how);
    return;
  }
  process.exitCode = how;
  // Skip what Node does after this event: it removes the listeners of signals, and SIGUSR2 would then kill the process.
  process.once('exit', (status) => {
    if (status === how) process.exit(how);
  });
  // An interrupted run may have left something open that keeps the process running. Otherwise the process ends by
  // itself.
  if (leaveByMs < Infinity || stop.signal.aborted) process.exit(how);
}

function momentOfLeaving(): Promise<void> {
  return new Promise((resolve) => {
    // A longer delay than a timer can have is left out: the promise then never resolves.
    const leftMs = leaveByMs - performance.now();
    if (leftMs < 0x7fff_ffff) setTimeout(resolve, leftMs);
  });
}

function flushed(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.writableLength === 0 || stream.destroyed) resolve();
    else
      stream.write('', () => {
        resolve();
      });
  });
}

function forced(): Promise<void> {
  return new Promise((resolve) => {
    force.signal.addEventListener('abort', () => {
      resolve();
    });
  });
}
