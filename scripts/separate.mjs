// Bundles the command into two files: main.cjs, and separate.cjs with the code that only the separate commands have. Every
// start of the command reads all of main.cjs. Only a separate command reads separate.cjs.
//
// A module that both need lies in main.cjs. When main.cjs loads separate.cjs, it hands over a table of what is needed:
//
//     main.cjs       require('./separate.cjs')((name) => table[name] ?? require(name))
//     separate.cjs   const number = require('main:17')    src/text/number.ts is the input 17 of main.cjs
import { join, relative, sep } from 'node:path';
import * as esbuild from 'esbuild';

/** The modules with the code of the separate commands. Where `import()` imports one, it comes from separate.cjs. */
const SEPARATE = [
  'src/commands/relay.ts',
  'src/commands/watch.ts',
  'src/commands/completion.ts',
  'src/commands/help.ts',
];

/** Stands before the number of a module of main.cjs that separate.cjs imports. */
const FROM_MAIN = 'main:';

/** The specifier of the module that hands over the table. */
const TABLE = 'table-for-separate';

/** Matches a static import in the output of esbuild. Its groups: the names in braces, any other form, the module. */
const STATIC_IMPORT = new RegExp(`^import (?:(?:\\{([^}]*)\\}|(.*)) from )?"(${FROM_MAIN}.*)";$`, 'gm');

/**
 * Bundles `bin/main.ts` to `main.cjs` and `separate.cjs`.
 *
 * @param {esbuild.BuildOptions} options with `absWorkingDir`, `outdir`, `format: 'cjs'`, `metafile: true` and `plugins`
 * @returns {Promise<esbuild.Metafile[]>} for each file, the list of its inputs
 */
export async function bundleSeparately(options) {
  const { absWorkingDir: root, outdir, plugins, ...common } = options;
  const main = { ...options, entryPoints: ['bin/main.ts'] };
  const loaders = SEPARATE.map((name) => `${JSON.stringify(name)}: () => require(${JSON.stringify(`./${name}`)})`);
  const separate = {
    ...common,
    absWorkingDir: root,
    outfile: join(outdir, 'separate.cjs'),
    stdin: { contents: `module.exports = { ${loaders.join(', ')} };`, resolveDir: root },
    banner: { js: 'module.exports = (require, module) => {"use strict";' },
    footer: { js: 'return module.exports;\n};' },
  };

  // What main.cjs holds does not depend on separate.cjs.
  const { metafile } = await esbuild.build({ ...main, write: false, plugins: [...plugins, leavingOut(root)] });
  const inMain = Object.keys(metafile.inputs);
  const wrong = SEPARATE.find((name) => inMain.includes(name));
  if (wrong !== undefined) throw new Error(`${wrong} is separate, so only import() may import it`);
  separate.plugins = [...plugins, sharing(root, inMain)];

  // Of an ES module that is not minified, the imports can be read in the text.
  const draft = await esbuild.build({
    ...separate,
    ...{ format: 'esm', minifyWhitespace: false, minifyIdentifiers: false, sourcemap: false, banner: {}, footer: {} },
    write: false,
  });
  const table = tableFor(draft, root, inMain);

  const { metafile: ofMain } = await esbuild.build({ ...main, plugins: [...plugins, loading(root, table)] });
  const { metafile: ofSeparate } = await esbuild.build(separate);
  return [ofMain, ofSeparate];
}

/** Returns the path of a file in the form of metafiles. */
const nameOf = (root, path) => relative(root, path).replaceAll(sep, '/');

/** Returns the name of the separate module that an import loads; `undefined` for any other import. */
function separateModule(root, { kind, path, resolveDir }) {
  if (kind !== 'dynamic-import') return undefined;
  const name = nameOf(root, join(resolveDir, path.replace(/\.js$/, '.ts')));
  return SEPARATE.includes(name) ? name : undefined;
}

/** A plugin that leaves out the separate modules. */
const leavingOut = (root) => ({
  name: 'leaving-out',
  setup(build) {
    build.onResolve({ filter: /.*/ }, (request) =>
      separateModule(root, request) === undefined ? undefined : { path: request.path, external: true },
    );
  },
});

/** A plugin for separate.cjs: it takes the modules that main.cjs has from there. */
const sharing = (root, inMain) => ({
  name: 'sharing',
  setup(build) {
    build.onResolve({ filter: /.*/ }, async ({ path, pluginData, ...request }) => {
      if (pluginData === FROM_MAIN) return undefined;
      const resolved = await build.resolve(path, { ...request, pluginData: FROM_MAIN });
      const index = inMain.indexOf(nameOf(root, resolved.path));
      return index < 0 ? resolved : { path: `${FROM_MAIN}${index}`, external: true };
    });
  },
});

/** A plugin for main.cjs: it loads separate.cjs when a separate module is imported. */
const loading = (root, table) => ({
  name: 'loading',
  setup(build) {
    build.onResolve({ filter: /.*/ }, (request) => {
      if (request.path === TABLE) return { path: TABLE, namespace: TABLE };
      if (request.namespace === TABLE && request.path === './separate.cjs')
        return { path: request.path, external: true };
      const name = separateModule(root, request);
      return name === undefined ? undefined : { path: name, namespace: 'separate' };
    });
    build.onLoad({ filter: /.*/, namespace: TABLE }, () => ({ contents: table, resolveDir: root }));
    build.onLoad({ filter: /.*/, namespace: 'separate' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(TABLE)}).separate[${JSON.stringify(path)}]();`,
      resolveDir: root,
    }));
  },
});

/**
 * Returns the text of the module that hands over the table and loads separate.cjs.
 *
 * @param {esbuild.BuildResult} draft separate.cjs as an ES module that is not minified
 */
function tableFor({ outputFiles: [{ text }], metafile }, root, inMain) {
  const taken = new Map();
  for (const { path, kind } of Object.values(metafile.outputs)[0].imports) {
    if (!path.startsWith(FROM_MAIN)) continue;
    const { exports, isWhole } = taken.get(path) ?? { exports: new Set(), isWhole: false };
    taken.set(path, { exports, isWhole: isWhole || kind !== 'import-statement' });
  }
  for (const [, braced = '', other, path] of text.matchAll(STATIC_IMPORT)) {
    if (other !== undefined) throw new Error(`separate code can import only { names } from main.cjs, not ${other}`);
    for (const part of braced.split(',')) taken.get(path).exports.add(part.replace(/ as .*/s, '').trim());
  }
  const imports = [];
  const entries = [];
  for (const [path, { exports, isWhole }] of taken) {
    const index = path.slice(FROM_MAIN.length);
    const file = JSON.stringify(join(root, inMain[index]));
    if (isWhole) {
      entries.push(`get "${path}"() { return require(${file}); }`);
    } else {
      const variables = [...exports].map((name) => [name, `${name}_${index}`]);
      imports.push(`import { ${variables.map((pair) => pair.join(' as ')).join(', ')} } from ${file};`);
      entries.push(`"${path}": { ${variables.map((pair) => pair.join(': ')).join(', ')} }`);
    }
  }
  return `${imports.join('\n')}
    const table = { ${entries.join(', ')} };
    export const separate = require('./separate.cjs')((name) => table[name] ?? require(name), {});`;
}
