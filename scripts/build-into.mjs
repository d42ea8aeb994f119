// Builds everything that dist holds into a folder.
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import ts from 'typescript';
import { bundle, bundleModule, root } from './bundle.mjs';
import { thirdPartyLicences } from './licences.mjs';
import { manPage } from './man-page.mjs';

/**
 * Builds into an empty folder.
 *
 * @param {string} folder
 * @param {object} options
 * @param {boolean} options.sourcemap whether to write source maps, too
 * @returns {Promise<boolean>} false if the sources are wrong; the errors are on stderr then
 */
export async function buildInto(folder, { sourcemap }) {
  const net = join(folder, 'net');
  if (!declareModule(net)) return false;
  await removeHidden(net);
  let metafiles;
  try {
    await bundleModule({ outdir: net, sourcemap });
    metafiles = await bundle({ outdir: join(folder, 'bin'), sourcemap });
  } catch (error) {
    // esbuild has printed the errors in the sources.
    if (error.errors?.length > 0) return false;
    throw error;
  }
  await chmod(join(folder, 'bin', 'udpcat.cjs'), 0o755);
  await writeFile(join(folder, 'THIRD-PARTY-LICENSES.txt'), await thirdPartyLicences(metafiles));

  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  // With SOURCE_DATE_EPOCH, two builds of the same sources are equal (reproducible-builds.org/specs/source-date-epoch).
  const { SOURCE_DATE_EPOCH: epoch } = process.env;
  const date = epoch === undefined ? new Date() : new Date(Number(epoch) * 1000);
  await writeFile(join(folder, 'udpcat.1'), await manPage({ outdir: folder, version, date }));
  return true;
}

/** Checks src/net and writes its declarations, as tsc does. It runs in this process, so that it ends with this process. */
function declareModule(outDir) {
  const config = join(root, 'tsconfig.net.json');
  const { options, fileNames, errors } = ts.getParsedCommandLineOfConfigFile(config, { outDir }, ts.sys);
  const program = ts.createProgram({ rootNames: fileNames, options });
  const { diagnostics } = program.emit();
  const all = ts.sortAndDeduplicateDiagnostics([...errors, ...ts.getPreEmitDiagnostics(program), ...diagnostics]);
  const format = { getCanonicalFileName: (name) => name, getCurrentDirectory: () => root, getNewLine: () => '\n' };
  process.stderr.write(ts.formatDiagnostics(all, format));
  return all.length === 0;
}

/** Removes the declarations that `index.d.ts` does not reach: no program can use them. */
async function removeHidden(folder) {
  const { options } = ts.getParsedCommandLineOfConfigFile(join(root, 'tsconfig.net.json'), {}, ts.sys);
  // The types of Node and of JavaScript do not matter here, and take long to read.
  const program = ts.createProgram({
    rootNames: [join(folder, 'index.d.ts')],
    options: { ...options, noLib: true, types: [] },
  });
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && program.getSourceFile(path) === undefined) await rm(path);
  }
}
