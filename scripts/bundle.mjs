// Bundles the command into one CommonJS file. Each package that it loads on demand becomes a file of its own.
import { readFile, rm } from 'node:fs/promises';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';

export const root = fileURLToPath(new URL('..', import.meta.url));

const shared = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  format: 'cjs',
  minifyWhitespace: true,
  minifySyntax: true,
  // licences.mjs writes the licences into a file of their own.
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
};

/** Whether a specifier names an installed package, and not a file or a module of Node. */
const isPackage = (specifier) => /^[^./#]/.test(specifier) && !specifier.includes(':') && !isBuiltin(specifier);

/** The name of the file of a package in `vendor`, without its ending. */
const vendorName = (specifier) => specifier.replaceAll('/', '__');

/** Bundles one package into one file. Resolves to its metafile and to the names that `import()` of it has. */
async function bundlePackage(specifier, outfile, sourcemap) {
  const require = createRequire(join(root, 'package.json'));
  const { metafile } = await esbuild.build({ ...shared, sourcemap, entryPoints: [specifier], outfile });
  const entry = Object.values(metafile.outputs).find((output) => output.entryPoint)?.entryPoint;
  // The bundle must have the same names as the package has in Node.
  const namespace = await import(pathToFileURL(join(root, entry)).href).catch(() => require(specifier));
  const names = Object.keys(namespace).filter((name) => /^[A-Za-z_$][\w$]*$/.test(name));
  return { metafile, names, isEsm: metafile.inputs[entry].format === 'esm' };
}

/** Returns the code of an ES module that loads the vendor file and exports the names that `import()` of the package has. */
function standIn(specifier, { names, isEsm }) {
  const lines = [`const loaded = require('./vendor/${vendorName(specifier)}.cjs');`];
  for (const [index, name] of names.entries()) {
    const value = name === 'default' && !isEsm ? 'loaded' : `loaded[${JSON.stringify(name)}]`;
    lines.push(`const value${index} = ${value};`, `export { value${index} as ${name} };`);
  }
  return lines.join('\n');
}

/**
 * Bundles `bin/main.ts` to `<outdir>/main.cjs`, `bin/udpcat.ts`, which starts it, to `udpcat.cjs`, and `bin/examine.ts`,
 * the code of its thread, to `examine.cjs`. A package with a static import becomes part of these files. A package with
 * `import('package')` only becomes `<outdir>/vendor/<package>.cjs`. The `dependencies` and `optionalDependencies` of
 * package.json are not bundled.
 *
 * @param {object} options
 * @param {string} options.outdir folder of the result; it is emptied first
 * @param {boolean} [options.sourcemap] write source maps too; default false
 * @param {string} [options.banner] code to run before anything else
 * @param {esbuild.Plugin[]} [options.plugins] more esbuild plugins
 * @returns {Promise<esbuild.Metafile[]>} for each file, the list of its inputs
 */
export async function bundle({ outdir, sourcemap = false, banner = '', plugins = [] }) {
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  const outside = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });
  await rm(outdir, { recursive: true, force: true });

  const packages = new Map();
  const lazyPackages = {
    name: 'lazy-packages',
    setup(build) {
      build.onResolve({ filter: /.*/ }, ({ path, kind, namespace }) => {
        if (namespace === 'lazy-package') return { path, external: true };
        if (kind !== 'dynamic-import' || !isPackage(path)) return undefined;
        if (outside.some((name) => path === name || path.startsWith(`${name}/`))) return { path, external: true };
        return { path, namespace: 'lazy-package', sideEffects: false };
      });
      build.onLoad({ filter: /.*/, namespace: 'lazy-package' }, async ({ path }) => {
        const outfile = join(outdir, 'vendor', `${vendorName(path)}.cjs`);
        const result = await bundlePackage(path, outfile, sourcemap);
        packages.set(path, result);
        return { contents: standIn(path, result), loader: 'js', resolveDir: dirname(outfile) };
      });
    },
  };

  await esbuild.build({
    ...shared,
    entryPoints: ['bin/udpcat.ts'],
    outfile: join(outdir, 'udpcat.cjs'),
    banner: { js: '#!/usr/bin/env node' },
  });
  const { metafile } = await esbuild.build({
    ...shared,
    entryPoints: ['bin/main.ts', 'bin/examine.ts'],
    // Each run reads the file. With long names it is a third larger, and a run has one garbage collection more.
    minifyIdentifiers: true,
    outdir,
    outExtension: { '.js': '.cjs' },
    sourcemap,
    define: { __UDPCAT_VERSION__: JSON.stringify(manifest.version) },
    // import() becomes require(): it is faster, and it loads CommonJS without a wrapper.
    supported: { 'dynamic-import': false },
    banner: { js: banner },
    external: outside,
    plugins: [...plugins, lazyPackages],
  });
  return [metafile, ...[...packages.values()].map((result) => result.metafile)];
}
