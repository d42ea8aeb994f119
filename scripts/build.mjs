// npm run build [-- --sourcemap]: dist/net (the module, with types), dist/bin (the command), its manual page, and the licences.
import { execFileSync } from 'node:child_process';
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { bundle, root } from './bundle.mjs';
import { thirdPartyLicences } from './licences.mjs';
import { manPage } from './man-page.mjs';

const dist = join(root, 'dist');
await rm(dist, { recursive: true, force: true });

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
try {
  execFileSync(process.execPath, [tsc, '--project', join(root, 'tsconfig.net.json')], { stdio: 'inherit' });
} catch {
  // tsc has said what is wrong.
  process.exit(1);
}

const sourcemap = process.argv.includes('--sourcemap');
const metafiles = await bundle({ outdir: join(dist, 'bin'), sourcemap }).catch((error) => {
  // What esbuild found wrong in the sources it has printed already.
  if (error.errors?.length > 0) process.exit(1);
  throw error;
});
await chmod(join(dist, 'bin', 'udpcat.cjs'), 0o755);
await writeFile(join(dist, 'THIRD-PARTY-LICENSES.txt'), await thirdPartyLicences(metafiles));

const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
// Whoever builds the same sources again can have the same date (reproducible-builds.org/specs/source-date-epoch).
const { SOURCE_DATE_EPOCH: epoch } = process.env;
const date = epoch === undefined ? new Date() : new Date(Number(epoch) * 1000);
await writeFile(join(dist, 'udpcat.1'), await manPage({ outdir: dist, version, date }));
