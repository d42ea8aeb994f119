// The folder that is packed. npm packs package.json as it is, so the clone itself is never published: its scripts and its
// devDependencies are for developers, and installers would warn of the scripts.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from './bundle.mjs';

/** What npm always packs, beside the `files` of the manifest. */
const ALWAYS = ['README.md', 'LICENSE'];

/**
 * Returns the manifest of the package. `bugs` and `homepage` follow from `repository`; without it there is none of them.
 *
 * @param {object} manifest the content of package.json
 */
function publicManifest({ repository, ...manifest }) {
  for (const key of ['private', 'scripts', 'devDependencies']) delete manifest[key];
  if (repository === '') return manifest;
  const page = repository.replace(/^git\+/, '').replace(/\.git$/, '');
  return {
    ...manifest,
    repository: { type: 'git', url: `git+${page}.git` },
    bugs: `${page}/issues`,
    homepage: `${page}#readme`,
  };
}

/** Copies the package into an empty folder. `dist` must be built. Returns the manifest of the package. */
export function stage(folder) {
  const manifest = publicManifest(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
  for (const name of [...ALWAYS, ...manifest.files]) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}
