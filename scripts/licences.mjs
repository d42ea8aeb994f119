// Collects names, versions and licence texts of the packages in a bundle.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from './bundle.mjs';

/** The folders of the bundled packages, relative to the project. */
function packageFolders(metafiles) {
  const folders = new Set();
  for (const { outputs } of metafiles) {
    for (const { inputs } of Object.values(outputs)) {
      for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
        const folder = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0];
        if (folder !== undefined && bytesInOutput > 0) folders.add(folder);
      }
    }
  }
  return [...folders].sort();
}

/** The text of THIRD-PARTY-LICENSES.txt. Rejects if a package has no licence file. */
export async function thirdPartyLicences(metafiles) {
  const sections = new Map();
  for (const folder of packageFolders(metafiles)) {
    const { name, version, license } = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8'));
    const files = (await readdir(join(root, folder))).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
    if (files.length === 0) throw new Error(`${name} ${version} (${license}) has no licence file to quote`);
    const texts = await Promise.all(files.sort().map((file) => readFile(join(root, folder, file), 'utf8')));
    sections.set(
      `${name}@${version}`,
      `${name} ${version} (${license})\n\n${texts.map((t) => t.trim()).join('\n\n')}\n`,
    );
  }
  const rule = `\n${'-'.repeat(79)}\n\n`;
  return ['udpcat contains code of these packages.\n', ...sections.values()].join(rule);
}
