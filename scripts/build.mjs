// npm run build [-- --sourcemap]: dist/net (the module, with types), dist/bin (the command), the manual page, the licences.
// With --if-changed (npm run prepare) it does nothing if dist is current.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beginBuild, checksumOfInputs, finishBuild, isCurrent, removeLeftovers, sign, standIn } from './dist.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const sourcemap = process.argv.includes('--sourcemap');
const inputs = checksumOfInputs(root, { sourcemap });

removeLeftovers(dist);
if (!process.argv.includes('--if-changed') || !isCurrent(dist, inputs)) {
  if (isNpx()) standIn(dist, join(root, 'scripts', 'first-run.cjs'));
  else await build();
}

/**
 * Whether `npx udpcat` in the clone runs this as the script `prepare`. npm hides the output of the script then. If it is
 * interrupted or fails, npm 10 to 12 cannot run `npx udpcat` again until its cache is emptied. So the command builds later.
 */
function isNpx() {
  const { npm_command, npm_lifecycle_event, npm_config_install_links } = process.env;
  return npm_command === 'exec' && npm_lifecycle_event === 'prepare' && npm_config_install_links !== 'true';
}

async function build() {
  process.stderr.write('udpcat: building dist, which takes some seconds\n');
  const { buildInto } = await import('./build-into.mjs');
  const folder = beginBuild(dist);
  if (await buildInto(folder, { sourcemap })) {
    sign(folder, inputs);
    finishBuild(dist, folder);
  } else {
    rmSync(folder, { recursive: true });
    process.exitCode = 1;
  }
}
