// Bundles the command into CommonJS files, and each package that it loads on demand into another. Bundles the module.
import { readFile, rm } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { ofPackages } from './packages.mjs';
import { bundleSeparately } from './separate.mjs';

export const root = fileURLToPath(new URL('..', import.meta.url));

const shared = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  format: 'cjs',
  minifyWhitespace: true,
  minifySyntax: true,
  // Each run reads main.cjs. With long names it is a third larger, and a run has one garbage collection more.
  minifyIdentifiers: true,
  // licences.mjs writes the licences into a file of their own.
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
};

/** The packages that `import` finds when udpcat runs, because they are installed with it. */
const outsideOf = ({ dependencies, optionalDependencies }) => Object.keys({ ...dependencies, ...optionalDependencies });

const readManifest = async () => JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));

/**
 * Bundles `src/net`, the module that the package exports, to `<outdir>/index.js`; the linux engine, which is loaded on
 * demand, becomes a file of its own. Names are short, as in the command: with `sourcemap`, stack traces show the real ones.
 *
 * @param {object} options
 * @param {string} options.outdir folder of the result
 * @param {boolean} options.sourcemap write source maps too
 */
export async function bundleModule({ outdir, sourcemap }) {
  await esbuild.build({
    ...shared,
    entryPoints: ['src/net/index.ts'],
    outdir,
    sourcemap,
    format: 'esm',
    splitting: true,
    external: outsideOf(await readManifest()),
  });
}

/** Whether a specifier names an installed package, and not a file or a module of Node. */
const isPackage = (specifier) => /^[^./#]/.test(specifier) && !specifier.includes(':') && !isBuiltin(specifier);

/** Matches `./vendor/NAME.js`: a module of src that only exports the parts of a package that udpcat uses. */
const SELECTION = /^\.\/vendor\/([\w-]+)\.js$/;

/**
 * Bundles these files:
 *
 * - `bin/udpcat.ts`, which starts the command, to `<outdir>/udpcat.cjs`;
 * - `bin/main.ts`, the command, to `main.cjs`, and the modules that it loads on demand to `separate.cjs`, see separate.mjs;
 * - `bin/examine.ts`, the code of a thread, to `examine.cjs`;
 * - `import('package')` and `import('./vendor/NAME.js')` to `vendor/<package or NAME>.cjs`.
 *
 * A package with a static import becomes part of the files that import it. The `dependencies` and `optionalDependencies`
 * of package.json are not bundled. `import()` becomes `require()`, so the default export of a package is its whole
 * `module.exports`.
 *
 * @param {object} options
 * @param {string} options.outdir folder of the result; it is emptied first
 * @param {boolean} [options.sourcemap] write source maps too; default false
 * @param {string} [options.banner] code to run before anything else
 * @param {esbuild.Plugin[]} [options.plugins] more esbuild plugins
 * @returns {Promise<esbuild.Metafile[]>} for each file, the list of its inputs
 */
export async function bundle({ outdir, sourcemap = false, banner = '', plugins = [] }) {
  const manifest = await readManifest();
  const outside = outsideOf(manifest);
  await rm(outdir, { recursive: true, force: true });

  /** The entry points of the files in `vendor`, by the name of the file without its ending. */
  const vendors = new Map();
  const lazyPackages = {
    name: 'lazy-packages',
    setup(build) {
      build.onResolve({ filter: /.*/ }, ({ path, kind, resolveDir }) => {
        if (kind !== 'dynamic-import' || outside.includes(path)) return undefined;
        const [, selection] = SELECTION.exec(path) ?? [];
        if (selection === undefined && !isPackage(path)) return undefined;
        const name = selection ?? path.replaceAll('/', '__');
        vendors.set(name, selection === undefined ? path : join(resolveDir, 'vendor', `${name}.ts`));
        return { path: `./vendor/${name}.cjs`, external: true };
      });
    },
  };

  await esbuild.build({
    ...shared,
    entryPoints: ['bin/udpcat.ts'],
    outfile: join(outdir, 'udpcat.cjs'),
    banner: { js: '#!/usr/bin/env node' },
  });
  const command = {
    ...shared,
    outdir,
    outExtension: { '.js': '.cjs' },
    sourcemap,
    define: { __UDPCAT_VERSION__: JSON.stringify(manifest.version), __UDPCAT_EXAMINER__: '""' },
    // import() becomes require(): it is faster, and it loads CommonJS without a wrapper.
    supported: { 'dynamic-import': false },
    external: outside,
    plugins: [...plugins, lazyPackages],
  };
  const ofCommand = await bundleSeparately(command, banner);
  const { metafile: ofExaminer } = await esbuild.build({
    ...command,
    entryPoints: ['bin/examine.ts'],
    banner: { js: banner },
  });
  const { metafile: ofVendors } = await esbuild.build({
    ...shared,
    entryPoints: Object.fromEntries(vendors),
    outdir: join(outdir, 'vendor'),
    outExtension: { '.js': '.cjs' },
    sourcemap,
    ...ofPackages,
  });
  return [...ofCommand, ofExaminer, ofVendors];
}

/**
 * Bundles the command with all its packages into one file, the program of a single executable. The packages with binaries
 * stay outside: they are looked for in `node_modules` beside the executable and above.
 *
 * @param {string} outfile path of the result
 */
export async function bundleExecutable(outfile) {
  const manifest = await readManifest();
  const examiner = await esbuild.build({
    ...shared,
    entryPoints: ['bin/examine.ts'],
    format: 'esm',
    outfile: 'examine.mjs',
    write: false,
  });
  await esbuild.build({
    ...shared,
    entryPoints: ['bin/executable.ts'],
    outfile,
    define: {
      __UDPCAT_VERSION__: JSON.stringify(manifest.version),
      __UDPCAT_EXAMINER__: JSON.stringify(examiner.outputFiles[0].text),
    },
    supported: { 'dynamic-import': false },
    // In an executable, require() finds only the modules of Node.
    banner: { js: "require = require('node:module').createRequire(process.execPath);" },
    external: outsideOf(manifest),
    ...ofPackages,
  });
}
