/** Runs code with the library in a process of its own, so that its end, or its crash, can be looked at. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { HANG_MS } from './limits.js';
import { bundledNet } from './module-in-network.js';

/**
 * Runs a module body with the library as `net`; resolves to what it wrote, rejects unless the status is 0, also when a
 * signal ended it. `engine` is `'linux'`.
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
