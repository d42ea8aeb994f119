/** Real programs that capture what passes the loopback; only some users may. */
import { spawn, spawnSync } from 'node:child_process';
import { test } from '@jest/globals';
import { hasProgram, PROGRAM_PATH, without } from './peers.js';

const env = { ...process.env, PATH: PROGRAM_PATH };

const possible = hasProgram('tcpdump') && spawnSync('tcpdump', ['-i', 'lo', '-L'], { env }).status === 0;

/** `test`, for one that captures with these programs. */
export function testCapturing(programs: readonly string[], name: string, run: () => Promise<void>): void {
  const missing = ['tcpdump', ...programs].find((program) => !hasProgram(program));
  if (missing !== undefined) test.skip(without(missing, name), run);
  else if (!possible) test.skip(`${name} (skipped: this user may not capture)`, run);
  else test(name, run);
}

/** A capture under way. */
export interface Capture extends AsyncDisposable {
  /** Resolves to what it wrote to stdout, when it has ended by itself. */
  readonly ended: Promise<Buffer>;
}

/**
 * Starts a program that captures; resolves when its stderr says that it does, and rejects with what it said if it ends
 * before.
 *
 * @param ready What it writes when it is ready.
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

/** What a program makes of its input, which is a pipe; the test fails unless its status is 0. */
export function filter(
  program: string,
  args: readonly string[],
  input: Uint8Array,
): { stdout: string; stderr: string } {
  const { status, stdout, stderr, error } = spawnSync('sh', ['-c', 'cat | "$0" "$@"', program, ...args], {
    // Node gives a socket as stdin, which Wireshark does not take for a file.
    env,
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`${program} ended with ${String(status)}: ${stderr}`, { cause: error });
  return { stdout, stderr };
}
