/** Runs code that uses src/net in a network namespace of its own. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll } from '@jest/globals';
import { build } from 'esbuild';
import { HANG_MS } from './limits.js';

const bundled = new Map<string, Promise<string>>();

/**
 * Bundles src/net into one file and returns its path. Only the packages of koffi stay outside: the file
 * imports them by path or, `without koffi`, by name, which is not found there.
 */
export function bundledNet(native: 'with koffi' | 'without koffi' = 'with koffi'): Promise<string> {
  let found = bundled.get(native);
  if (found === undefined) bundled.set(native, (found = bundle(native)));
  return found;
}

const { resolve } = createRequire(import.meta.url);

async function bundle(native: 'with koffi' | 'without koffi'): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'udpcat-module-'));
  folders.push(folder);
  const outfile = join(folder, 'net.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('../../src/net/index.ts', import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
    plugins: [
      {
        name: 'native-package',
        setup: (plugins) => {
          const own = `@koromix/koffi-linux-${process.arch}`;
          plugins.onResolve({ filter: /^@koromix\// }, ({ path }) => ({
            path: native === 'with koffi' && path === own ? resolve(path) : path,
            external: true,
          }));
        },
      },
    ],
  });
  return outfile;
}

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/**
 * Runs the shell commands of `network` in a new network namespace, then a module body. The body has the library as
 * `net` and `once` of node:events. Resolves to its result, passed as JSON.
 *
 * `/run` is empty and its own, so that `network` may name namespaces with `ip netns`. Programs in the background end
 * with the module.
 */
export async function runInNetwork<T>(network: string, body: string): Promise<T> {
  const module = `
    import * as net from ${JSON.stringify(await bundledNet())};
    import { once } from 'node:events';
    const run = async () => { ${body} };
    process.stdout.write(JSON.stringify(await run()));
  `;
  const script = `set -e\nmount -t tmpfs none /run\n${network}\nexec '${process.execPath}' --input-type=module -e "$MODULE"`;
  const { stdout } = await promisify(execFile)(
    'unshare',
    ['--net', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script],
    {
      env: { ...process.env, MODULE: module, NODE_OPTIONS: '' },
      timeout: HANG_MS,
      killSignal: 'SIGKILL',
    },
  );
  return JSON.parse(stdout) as T;
}
