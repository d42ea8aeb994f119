/** Runs real programs that capture datagrams on the loopback. Tests are skipped where this user may not capture. */
import { spawn, spawnSync } from 'node:child_process';
import { test } from '@jest/globals';
import { hasProgram, PROGRAM_PATH, without } from './peers.js';

const env = { ...process.env, PATH: PROGRAM_PATH };

const possible = hasProgram('tcpdump') && spawnSync('tcpdump', ['-i', 'lo', '-L'], { env }).status === 0;

/** Declares a test that captures with these programs. It is skipped where that is not possible. */
export function testCapturing(programs: readonly string[], name: string, run: () => Promise<void>): void {
  const missing = ['tcpdump', ...programs].find((program) => !hasProgram(program));
  if (missing !== undefined) test.skip(without(missing, name), run);
  else if (!possible) test.skip(`${name} (skipped: this user may not capture)`, run);
  else test(name, run);
}

/** A running capture. */
export interface Capture extends AsyncDisposable {
  /** Resolves to the stdout of the program when it has ended. */
  readonly ended: Promise<Buffer>;
}

/**
 * Starts a program that captures. Resolves when its stderr matches `ready`; rejects with its stderr if it ends before.
 *
 * @param ready Matches what the program writes when it captures.
 */
export async function startCapture(program: string, args: readonly string[], ready: RegExp): Promise<Capture> {
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const written: Buffer[] = [];
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => written.push(chunk));
  const ended = new Promise<Buffer>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => {
      resolve(Buffer.concat(written));
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (ready.test(said)) resolve();
    });
    ended.then(() => {
      reject(new Error(`${program} ended: ${said}`));
    }, reject);
  });
  return {
    ended,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Runs a program with `input` in a pipe as its stdin. Returns its output. Throws unless its status is 0. */
export function filter(
  program: string,
  args: readonly string[],
  input: Uint8Array,
): { stdout: string; stderr: string } {
  const { status, stdout, stderr, error } = spawnSync('sh', ['-c', 'cat | "$0" "$@"', program, ...args], {
    // `cat` makes the pipe: Node would give the program a socket, which Wireshark does not read as a file.
    env,
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`${program} ended with ${String(status)}: ${stderr}`, { cause: error });
  return { stdout, stderr };
}
