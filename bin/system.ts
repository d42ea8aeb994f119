/**
 * The parts of the process that differ between systems: signals, processes that a program started, the terminal, the
 * bytes of arguments. The rest of the command reaches them through `Io`.
 */
import { fstatSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { StopSignal } from '../src/run/context.js';

const IS_WINDOWS = process.platform === 'win32';

/** The options before JavaScript text, with which this runtime runs the text as a CommonJS module. */
export const TEXT_OPTIONS: readonly string[] = process.versions.deno === undefined ? ['-e'] : ['eval', '--ext=cjs'];

/** Calls the listener at each signal of this name. A signal that the system or the runtime lacks never comes. */
export function onSignal(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): void {
  try {
    process.on(signal, listener);
  } catch {
    // Node takes an unknown name for an event that never occurs. Deno throws.
  }
}

/**
 * Ends this process by a signal, so that a shell ends its loop too. On Windows no process ends by a signal: there the
 * exit status is the one that a shell of other systems shows, for example 130.
 */
export function endBySignal(signal: StopSignal): void {
  if (IS_WINDOWS) process.exit(128 + constants.signals[signal]);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/**
 * Sends SIGINT to the job of this process, as Ctrl-C does. On Windows, where it would end the process at once, only this
 * process hears of it.
 */
export function interrupt(): void {
  if (IS_WINDOWS) process.emit('SIGINT');
  else process.kill(0, 'SIGINT');
}

/** How programs are started, so that {@link killTree} kills them with all processes that they start. */
export const programs = {
  /** On Windows a program that is detached opens a window. */
  detached: !IS_WINDOWS,
  killTree,
};

/**
 * Kills a program and all processes that it started. Without such processes it does nothing.
 *
 * @param pid the id of the program, which was started with `programs.detached`
 * @param hasEnded Whether the program itself has ended. Windows finds the processes that it started only while it runs.
 */
function killTree(pid: number, hasEnded: boolean): void {
  if (IS_WINDOWS) {
    if (hasEnded) return;
    void killOnWindows(pid);
    return;
  }
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // No process of the group is left.
  }
}

/** Runs `taskkill` of Windows: /T also ends the processes that the program started, /F asks none of them. */
async function killOnWindows(pid: number): Promise<void> {
  // A run that kills nothing does not load the module.
  const { spawn } = await import('node:child_process');
  const killer = spawn('taskkill', ['/PID', `${pid}`, '/T', '/F'], { stdio: 'ignore', windowsHide: true });
  killer.on('error', () => process.kill(pid, 'SIGKILL'));
}

/**
 * Whether this process is in the foreground of its terminal. Only the process group in the foreground may read a
 * terminal (proc_pid_stat(5): pgrp and tpgid). Systems without /proc do not tell: there it counts as in the foreground.
 */
export function isForeground(): boolean {
  try {
    const fields = readFileSync('/proc/self/stat', 'utf8').replace(/^.*\)/s, '').trim().split(' ');
    return fields[2] === fields[5];
  } catch {
    return true;
  }
}

/** How many bytes stdin can give: the size of a file, Infinity for a pipe, otherwise 0. */
export function stdinBytes(): number {
  try {
    const stdin = fstatSync(0);
    if (stdin.isFIFO()) return Infinity;
    return stdin.isFile() ? stdin.size : 0;
  } catch {
    // stdin is closed.
    return 0;
  }
}

/**
 * Returns the arguments as bytes, of which Node has only decoded text. Undefined where the system does not tell them.
 */
export function argumentBytes(): readonly Uint8Array[] | undefined {
  try {
    const line = readFileSync('/proc/self/cmdline');
    const parts: Uint8Array[] = [];
    let from = 0;
    for (let at = line.indexOf(0); at >= 0; at = line.indexOf(0, from)) {
      parts.push(line.subarray(from, at));
      from = at + 1;
    }
    return parts;
  } catch {
    return undefined;
  }
}
