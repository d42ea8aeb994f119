// npm run pack [-- --pack-destination FOLDER]: makes the tarball that is published. Without FOLDER it lies in the clone.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './bundle.mjs';
import { startOf } from './npm.mjs';
import { stage } from './stage.mjs';

const folder = mkdtempSync(join(tmpdir(), 'udpcat-pack-'));
try {
  stage(folder);
  const { status } = spawnSync(...startOf('npm', ['pack', folder, ...process.argv.slice(2)]), {
    cwd: root,
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
