/**
 * Runs code with the library in a process of its own, so that a test can see how the process ends, or that it crashes.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { HANG_MS } from './limits.js';
import { bundledNet } from './module-in-network.js';

/**
 * Runs a module body with the library as `net` and `'linux'` as `engine`. Resolves to its stdout. Rejects if its status
 * is not 0, and if a signal ended it.
 */
export async function runModule(body: string, native?: 'without koffi'): Promise<string> {
  const module = `import * as net from ${JSON.stringify(await bundledNet(native))}; const engine = 'linux'; ${body}`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', module], {
    env: { ...process.env, NODE_OPTIONS: '' },
    timeout: HANG_MS,
    killSignal: 'SIGKILL',
  });
  return stdout;
}
