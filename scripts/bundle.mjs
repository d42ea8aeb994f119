// The command as one CommonJS file, and each package that it loads only when needed as one more beside it.
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
  // Licences stand in a file of their own, see licences.mjs.
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
};

/** A specifier that names an installed package rather than a file or a part of Node. */
const isPackage = (specifier) => /^[^./#]/.test(specifier) && !specifier.includes(':') && !isBuiltin(specifier);

/** File name, without its ending, under which a package is kept in `vendor`. */
const vendorName = (specifier) => specifier.replaceAll('/', '__');

/** Bundles one package into one file; resolves to its metafile and the names that `import()` of it shows. */
async function bundlePackage(specifier, outfile, sourcemap) {
  const require = createRequire(join(root, 'package.json'));
  const { metafile } = await esbuild.build({ ...shared, sourcemap, entryPoints: [specifier], outfile });
  const entry = Object.values(metafile.outputs).find((output) => output.entryPoint)?.entryPoint;
  // What Node itself shows is the truth that the bundle has to repeat.
  const namespace = await import(pathToFileURL(join(root, entry)).href).catch(() => require(specifier));
  const names = Object.keys(namespace).filter((name) => /^[A-Za-z_$][\w$]*$/.test(name));
  return { metafile, names, isEsm: metafile.inputs[entry].format === 'esm' };
}

/** An ES module that shows what `import()` of the package itself would show, read from its vendor file. */
function standIn(specifier, { names, isEsm }) {
  const lines = [`const loaded = require('./vendor/${vendorName(specifier)}.cjs');`];
  for (const [index, name] of names.entries()) {
    const value = name === 'default' && !isEsm ? 'loaded' : `loaded[${JSON.stringify(name)}]`;
    lines.push(`const value${index} = ${value};`, `export { value${index} as ${name} };`);
  }
  return lines.join('\n');
}

/**
 * Bundles `bin/main.ts` to `<outdir>/main.cjs`, and beside it `bin/udpcat.ts`, which starts it, and `bin/examine.ts`, which
 * a thread of it runs. A package reached by a static import is part of that file; one
 * reached by `import('package')` alone becomes `<outdir>/vendor/<package>.cjs`, read when the import is; one that
 * package.json lists under `dependencies` or `optionalDependencies` stays outside.
 *
 * @param {object} options
 * @param {string} options.outdir folder of the result; emptied first
 * @param {boolean} [options.sourcemap] write source maps too; default false
 * @param {string} [options.banner] code to run before anything else
 * @param {esbuild.Plugin[]} [options.plugins] more esbuild plugins
 * @returns {Promise<esbuild.Metafile[]>} what went into each file
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
    // Each run reads the file, and memory for a third more of it costs a collection of garbage.
    minifyIdentifiers: true,
    outdir,
    outExtension: { '.js': '.cjs' },
    sourcemap,
    define: { __UDPCAT_VERSION__: JSON.stringify(manifest.version) },
    // import() becomes require(), which costs less and, unlike import(), reads CommonJS as it is.
    supported: { 'dynamic-import': false },
    banner: { js: banner },
    external: outside,
    plugins: [...plugins, lazyPackages],
  });
  return [metafile, ...[...packages.values()].map((result) => result.metafile)];
}
