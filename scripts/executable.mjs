// npm run executable [-- FILE]: makes one file that needs no Node, by Node's own means (nodejs.org/api/single-executable-applications.html).
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { bundleExecutable, root } from './bundle.mjs';
import { startOf } from './npm.mjs';

const POSTJECT = 'postject@1.0.0-alpha.6';
/** Marks the place in the Node program where it looks for the other program. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

const target = resolve(process.argv[2] ?? join(root, 'dist.executable', 'udpcat'));
const folder = mkdtempSync(join(tmpdir(), 'udpcat-executable-'));

function run(program, args) {
  const { status } = spawnSync(...startOf(program, args), { cwd: folder, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error(`${program} ${args[0]} ended with status ${status}`);
}

try {
  await bundleExecutable(join(folder, 'main.cjs'));
  const config = { main: 'main.cjs', output: 'main.blob', disableExperimentalSEAWarning: true };
  writeFileSync(join(folder, 'sea.json'), JSON.stringify(config));
  run(process.execPath, ['--experimental-sea-config', 'sea.json']);
  mkdirSync(dirname(target), { recursive: true });
  rmSync(target, { force: true });
  copyFileSync(process.execPath, target);
  chmodSync(target, 0o755);
  run('npx', ['--yes', POSTJECT, target, 'NODE_SEA_BLOB', 'main.blob', '--sentinel-fuse', FUSE]);
  process.stderr.write(`udpcat: ${target} is made\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
