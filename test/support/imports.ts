/** Reads the imports between source files, for test/architecture.test.ts. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative, sep } from 'node:path';
import ts from 'typescript';

export interface Source {
  /** Path from the top of the project, for example `src/net/index.ts`. */
  readonly path: string;
  /** Paths of the project files that it imports, also those imported as types or by `import()`. */
  readonly imports: readonly string[];
  /** Places, as `path:line`, that use the global `process` or import `node:process`. */
  readonly usesOfProcess: readonly string[];
}

/** Returns the specifier of an import of any kind; undefined for other nodes. */
function specifierOf(node: ts.Node): string | undefined {
  let specifier: ts.Node | undefined;
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) specifier = node.moduleSpecifier;
  else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) specifier = node.argument.literal;
  else if (ts.isExternalModuleReference(node)) specifier = node.expression;
  else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
    specifier = node.arguments[0];
  else if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === 'require')
    specifier = node.arguments[0];
  return specifier !== undefined && ts.isStringLiteralLike(specifier) ? specifier.text : undefined;
}

/** Whether a node means the global `process`, and not a property or a declaration of that name. */
function isGlobalProcess(node: ts.Node): boolean {
  if (!ts.isIdentifier(node) || node.text !== 'process') return false;
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) && parent.name === node)
    return ts.isIdentifier(parent.expression) && /^(globalThis|global)$/.test(parent.expression.text);
  if (ts.isQualifiedName(parent) && parent.right === node) return false;
  // These declare the name: { process: … }, { process() {} }, a class member, a parameter, a variable. The short form
  // { process } reads the global one.
  const declares = 'name' in parent && parent.name === node && !ts.isShorthandPropertyAssignment(parent);
  return !declares && !(ts.isBindingElement(parent) && parent.propertyName === node);
}

function readSource(root: string, path: string): Source {
  const file = ts.createSourceFile(path, readFileSync(join(root, path), 'utf8'), ts.ScriptTarget.Latest, true);
  const imports = new Set<string>();
  const usesOfProcess: string[] = [];
  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node);
    if (specifier?.startsWith('.')) {
      const target = posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts');
      imports.add(target);
    }
    if (specifier === 'node:process' || specifier === 'process' || isGlobalProcess(node)) {
      usesOfProcess.push(`${path}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return { path, imports: [...imports], usesOfProcess };
}

/** Reads every TypeScript file under the folders. */
export function readSources(root: string, folders: readonly string[] = ['bin', 'src']): Source[] {
  return folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => readSource(root, relative(root, join(entry.parentPath, entry.name)).replaceAll(sep, '/')));
}

/** Returns the first cycle that is found from each file, as `a → b → a`. Each cycle is returned once. */
export function importCycles(sources: readonly Source[]): string[] {
  const importsOf = new Map(sources.map(({ path, imports }) => [path, imports]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) cycles.push([...trail.slice(start), path].join(' → '));
    if (start >= 0 || done.has(path)) return;
    for (const target of importsOf.get(path) ?? []) walk(target, [...trail, path]);
    done.add(path);
  };
  for (const { path } of sources) walk(path, []);
  return cycles;
}
