/** System calls that fail on purpose: `strace` has them return an error; only some users may trace. */
import { spawnSync } from 'node:child_process';
import { test } from '@jest/globals';
import { hasProgram, without } from './peers.js';
import { commandLine, quote, type Running, shell, type StartOptions } from './udpcat.js';

const possible = hasProgram('strace') && spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;

/** `test`, for one whose system calls fail. */
export function testWithFailingCalls(name: string, run: () => Promise<void>): void {
  if (!hasProgram('strace')) test.skip(without('strace', name), run);
  else if (!possible) test.skip(`${name} (skipped: this user may not trace)`, run);
  else test(name, run);
}

/** Calls that fail, as `inject` of strace(1) has them: which ones, with which error, and the first, `2..4` or `2+` of each. */
export interface Failing {
  readonly calls: string;
  readonly error: string;
  readonly when: string;
}

/** Starts udpcat with system calls that fail; signals reach udpcat itself. */
export function startFailing(
  { calls, error, when }: Failing,
  args: readonly string[],
  options?: StartOptions,
): Running {
  // As the grandchild, strace gets no signal that is meant for the command.
  const strace = ['strace', '-D', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${calls}`];
  const inject = ['-e', `inject=${calls}:error=${error}:when=${when}`];
  return shell(`exec ${[...strace, ...inject].map(quote).join(' ')} ${commandLine(args)}`, options);
}
