// Bundles the command into two files: main.cjs, and separate.cjs. Every start of the command reads all of main.cjs. It
// holds the static imports of bin/main.ts: the code of a plain `send`. The modules that `import()` loads lie in
// separate.cjs, which is read at the first such import.
//
// A module that both files need lies in main.cjs. When main.cjs loads separate.cjs, it hands over a table of what is needed:
//
//     main.cjs       load('separate.cjs')((name) => table[name] ?? require(name))
//     separate.cjs   const { parseNumber } = require('main:17')    src/text/number.ts is the input 17 of main.cjs
//
// Each file is one function. `load` of bin/udpcat.ts returns this function, with the compiled code that an earlier run kept.
import { join, relative, sep } from 'node:path';
import * as esbuild from 'esbuild';

/** Stands before the number of a module of main.cjs that separate.cjs imports. */
const FROM_MAIN = 'main:';

/** Stands before the name of a module of separate.cjs that main.cjs imports. */
const FROM_SEPARATE = 'separate:';

/** The specifier of the module that hands over the table. */
const TABLE = 'table-for-separate';

/** The start of main.cjs: its `require` finds the modules of separate.cjs, too. The table sets `requireSeparate`. */
const REQUIRE = `let requireSeparate;
const require = (name) => (name.startsWith("${FROM_SEPARATE}") ? requireSeparate(name) : requireOfNode(name));
`;

/** Matches a static import in the output of esbuild. Its groups: the names in braces, any other form, the module. */
const STATIC_IMPORT = new RegExp(`^import (?:(?:\\{([^}]*)\\}|(.*)) from )?"(${FROM_MAIN}.*)";$`, 'gm');

/** Returns the options of esbuild that make a file one function with these parameters. */
const asFunction = (parameters, { banner, result = '' }) => ({
  banner: { js: `(function (${parameters}) {"use strict";\n${banner}` },
  footer: { js: `${result}\n})` },
});

/**
 * Bundles `bin/main.ts` to `main.cjs` and `separate.cjs`.
 *
 * @param {esbuild.BuildOptions} options with `absWorkingDir`, `outdir`, `format: 'cjs'`, `metafile: true` and `plugins`
 * @param {string} banner code to run before that of main.cjs
 * @returns {Promise<esbuild.Metafile[]>} for each file, the list of its inputs
 */
export async function bundleSeparately(options, banner) {
  const { absWorkingDir: root, outdir, plugins, ...common } = options;
  const file = (name, contents) => ({
    ...common,
    absWorkingDir: root,
    outfile: join(outdir, name),
    stdin: { contents, resolveDir: root },
  });
  const main = "import './bin/main.ts';";

  // What main.cjs holds does not depend on separate.cjs.
  const loaded = new Set();
  const { metafile } = await esbuild.build({
    ...file('main.cjs', main),
    write: false,
    plugins: [...plugins, leavingOut(root, loaded)],
  });
  const inMain = Object.keys(metafile.inputs);
  const names = [...loaded].filter((name) => !inMain.includes(name));

  const loaders = names.map((name) => `'${FROM_SEPARATE}${name}': () => require('./${name}')`);
  const separate = file('separate.cjs', `module.exports = { ${loaders.join(', ')} };`);
  // Of an ES module that is not minified, the imports can be read in the text.
  const draft = await esbuild.build({
    ...separate,
    ...{ format: 'esm', minifyWhitespace: false, minifyIdentifiers: false, sourcemap: false },
    write: false,
    plugins: [...plugins, sharing(root, inMain)],
  });
  const taken = takenFromMain(draft);

  const { metafile: ofMain } = await esbuild.build({
    ...file('main.cjs', `${main} import '${TABLE}';`),
    ...asFunction('requireOfNode, __dirname, load', { banner: REQUIRE + banner }),
    plugins: [...plugins, loading(root, names, tableFor(taken, root, inMain))],
  });
  const { metafile: ofSeparate } = await esbuild.build({
    ...separate,
    ...asFunction('require, module', { banner: '', result: 'return module.exports;' }),
    plugins: [...plugins, sharing(root, inMain, taken)],
  });
  return [ofMain, ofSeparate];
}

/** Returns the path of a file in the form of metafiles. */
const nameOf = (root, path) => relative(root, path).replaceAll(sep, '/');

/** Returns the name of the module of this project that an `import()` loads; `undefined` for any other import. */
function loadedModule(root, { kind, path, resolveDir }) {
  if (kind !== 'dynamic-import' || !path.startsWith('.')) return undefined;
  return nameOf(root, join(resolveDir, path.replace(/\.js$/, '.ts')));
}

/** A plugin that leaves out the modules that `import()` loads, and adds their names to `loaded`. */
const leavingOut = (root, loaded) => ({
  name: 'leaving-out',
  setup(build) {
    build.onResolve({ filter: /.*/ }, (request) => {
      const name = loadedModule(root, request);
      if (name === undefined) return undefined;
      loaded.add(name);
      return { path: request.path, external: true };
    });
  },
});

/**
 * A plugin for separate.cjs: it takes the modules that main.cjs has from there.
 *
 * @param taken what is taken of each module; without it, the imports stay as they are
 */
const sharing = (root, inMain, taken) => ({
  name: 'sharing',
  setup(build) {
    build.onResolve({ filter: /.*/ }, async ({ path, pluginData, ...request }) => {
      if (path.startsWith(FROM_MAIN)) return { path, external: true };
      if (pluginData === FROM_MAIN) return undefined;
      const resolved = await build.resolve(path, { ...request, pluginData: FROM_MAIN });
      const index = inMain.indexOf(nameOf(root, resolved.path));
      // Only esbuild itself notes that a file is an ES module of Node, where `default` is the whole CommonJS module.
      if (index < 0) return undefined;
      const shared = `${FROM_MAIN}${index}`;
      const isStatic = request.kind === 'import-statement' && taken !== undefined;
      return isStatic ? { path: shared, namespace: FROM_MAIN, sideEffects: false } : { path: shared, external: true };
    });
    // Constants are as fast as the variables of main.cjs. Properties of the module would be looked up at each use.
    build.onLoad({ filter: /.*/, namespace: FROM_MAIN }, ({ path }) => ({
      contents: `export const { ${[...taken.get(path).exports].join(', ')} } = require(${JSON.stringify(path)});`,
    }));
  },
});

/** A plugin for main.cjs: it takes the modules that `import()` loads from separate.cjs. */
const loading = (root, names, table) => ({
  name: 'loading',
  setup(build) {
    build.onResolve({ filter: /.*/ }, (request) => {
      if (request.path === TABLE) return { path: TABLE, namespace: TABLE };
      const name = loadedModule(root, request);
      return names.includes(name) ? { path: FROM_SEPARATE + name, external: true } : undefined;
    });
    build.onLoad({ filter: /.*/, namespace: TABLE }, () => ({ contents: table, resolveDir: root }));
  },
});

/**
 * Returns what separate.cjs takes from main.cjs: for each module, the names of its exports, and whether the module is taken
 * as a whole.
 *
 * @param {esbuild.BuildResult} draft separate.cjs as an ES module that is not minified
 */
function takenFromMain({ outputFiles: [{ text }], metafile }) {
  const taken = new Map();
  for (const { path, kind } of Object.values(metafile.outputs)[0].imports) {
    if (!path.startsWith(FROM_MAIN)) continue;
    const { exports, isWhole } = taken.get(path) ?? { exports: new Set(), isWhole: false };
    taken.set(path, { exports, isWhole: isWhole || kind !== 'import-statement' });
  }
  for (const [, braced = '', other, path] of text.matchAll(STATIC_IMPORT)) {
    if (other !== undefined) throw new Error(`separate code can import only { names } from main.cjs, not ${other}`);
    const names = braced.split(',').map((part) => part.replace(/ as .*/s, '').trim());
    for (const name of names) if (name !== '') taken.get(path).exports.add(name);
  }
  return taken;
}

/** Returns the text of the module that sets `requireSeparate` of main.cjs. It loads separate.cjs, and hands over the table. */
function tableFor(taken, root, inMain) {
  const imports = [];
  const entries = [];
  for (const [path, { exports, isWhole }] of taken) {
    const index = path.slice(FROM_MAIN.length);
    const file = JSON.stringify(join(root, inMain[index]));
    if (isWhole) {
      imports.push(`import * as module_${index} from ${file};`);
      entries.push(`"${path}": module_${index}`);
    } else {
      const variables = [...exports].map((name) => [name, `${name}_${index}`]);
      imports.push(`import { ${variables.map((pair) => pair.join(' as ')).join(', ')} } from ${file};`);
      entries.push(`"${path}": { ${variables.map((pair) => pair.join(': ')).join(', ')} }`);
    }
  }
  return `${imports.join('\n')}
    let modules;
    requireSeparate = (name) => {
      if (modules === undefined) {
        const table = { ${entries.join(', ')} };
        modules = load('separate.cjs')((from) => table[from] ?? require(from), {});
      }
      return modules[name]();
    };`;
}
