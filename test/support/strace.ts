/** Makes system calls of the command fail, with `strace`. Only some users may trace. */
import { spawnSync } from 'node:child_process';
import { test } from '@jest/globals';
import { hasProgram, without } from './peers.js';
import { commandLine, quote, type Running, shell, type StartOptions } from './udpcat.js';

const possible = hasProgram('strace') && spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;

/** Declares a test that makes system calls fail. It runs beside others of its file. It is skipped where this user may not trace. */
export function testWithFailingCalls(name: string, run: () => Promise<void>): void {
  if (!hasProgram('strace')) test.skip(without('strace', name), run);
  else if (!possible) test.skip(`${name} (skipped: this user may not trace)`, run);
  else test.concurrent(name, run);
}

/**
 * The calls that fail, for `inject` of strace(1): their names, their error, and which of the calls: the first, or
 * `2..4`, or `2+`.
 */
export interface Failing {
  readonly calls: string;
  readonly error: string;
  readonly when: string;
}

/** Starts udpcat with system calls that fail. Signals to the process reach udpcat, not strace. */
export function startFailing(
  { calls, error, when }: Failing,
  args: readonly string[],
  options?: StartOptions,
): Running {
  // With -D strace runs as a grandchild, so signals for the command do not reach it.
  const strace = ['strace', '-D', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${calls}`];
  const inject = ['-e', `inject=${calls}:error=${error}:when=${when}`];
  return shell(`exec ${[...strace, ...inject].map(quote).join(' ')} ${commandLine(args)}`, options);
}
