/** Lets the system refuse socket options to the command, below its engines: with a library for LD_PRELOAD. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from '@jest/globals';
import * as constants from '../../src/net/engines/linux/constants.js';
import { hasProgram, without } from './peers.js';

const SOURCE = fileURLToPath(new URL('failing-options.c', import.meta.url));

/** The options that can be refused, with their level. */
const LEVELS = {
  SO_PASSCRED: constants.SOL_SOCKET,
  SO_RCVBUF: constants.SOL_SOCKET,
  SO_TIMESTAMPNS: constants.SOL_SOCKET,
  IP_PKTINFO: constants.SOL_IP,
  IP_RECVERR: constants.SOL_IP,
  IP_TOS: constants.SOL_IP,
  IPV6_RECVERR: constants.SOL_IPV6,
  IPV6_RECVPKTINFO: constants.SOL_IPV6,
  UDP_GRO: constants.SOL_UDP,
} as const;

export type RefusableOption = keyof typeof LEVELS;

let library: string | undefined;

/** Returns the path of the library. Compiles it before its first use. */
function compile(): string {
  if (library === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'udpcat-options-'));
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'failing-options.so');
    execFileSync('cc', ['-shared', '-fPIC', '-o', path, SOURCE, '-ldl'], { stdio: 'pipe' });
    library = path;
  }
  return library;
}

/** Returns the environment in which the system refuses these options. */
export function refusing(options: readonly RefusableOption[]): Record<string, string> {
  const names = options.map((option) => `${LEVELS[option]}:${constants[option]}`);
  return { LD_PRELOAD: compile(), FAILING_OPTIONS: ` ${names.join('  ')} ` };
}

/** Declares a test in which the system refuses options. It needs a C compiler and the loader of Linux. */
export function testWithRefusedOptions(name: string, run: () => Promise<void>): void {
  if (process.platform !== 'linux') test.skip(`${name} (skipped: it needs Linux)`, run);
  else if (!hasProgram('cc')) test.skip(without('cc', name), run);
  else test(name, run);
}
