import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { testInNamespaces } from '../support/namespaces.js';
import { openPlace } from '../support/page-runs.js';
import { openPage, ROOT, testAllTaken } from '../support/pages.js';

const page = openPage('docs/library.md');

/** A package that has udpcat installed, as the build has made it. */
const folder = mkdtempSync(join(tmpdir(), 'udpcat-library-'));

const installed = (name: string): string => join(ROOT, 'node_modules', name);

beforeAll(() => {
  const modules = join(folder, 'node_modules');
  const copy = join(modules, 'udpcat');
  mkdirSync(copy, { recursive: true });
  cpSync(join(ROOT, 'dist/net'), join(copy, 'dist/net'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(copy, 'package.json'));
  mkdirSync(join(modules, '@types'));
  symlinkSync(installed('@types/node'), join(modules, '@types/node'));
  write('package.json', '{ "type": "module" }');
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** Runs Node in the package; returns the status and everything that it wrote. */
function node(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

const [echoServer, echoClient] = page.blocks('js', 'Two examples');
testInNamespaces('the echo server and the client talk to each other', async () => {
  await using place = await openPlace();
  const run = (name: string, code: string): string => `cd ${folder} && ${process.execPath} ${write(name, code)}`;
  place.start(run('server.js', echoServer.code));
  // The client gets its answer only if the server was there before it.
  const bound = "until grep -q ':270F ' /proc/net/udp; do :; done";
  const { lines } = await place.run(`${bound}; ${run('client.js', echoClient!.code)}`);
  expect(lines).toEqual(['Hello, World!']);
});

describe('a test of a UDP client', () => {
  const client = page.block('js', 'Test a UDP client');
  const withVitest = page.block('js', 'With vitest');
  const imports = page.block('js', 'With jest');

  beforeAll(() => {
    write('ask.js', client.code);
  });

  test('passes with jest', () => {
    const code = withVitest.code.replace(/^import .* from 'vitest';\n/m, imports.code);
    expect(code).not.toContain('vitest');
    write('ask.test.js', code);
    const jest = join(installed('jest'), 'bin/jest.js');
    const { status, output } = node('--experimental-vm-modules', jest, '--rootDir', folder, '--testTimeout', '120000');
    expect(output).toContain('2 passed, 2 total');
    expect(status).toBe(0);
  });

  const vitest = join(installed('vitest'), 'vitest.mjs');
  const declare = existsSync(vitest) ? test : test.skip;
  declare(`passes with vitest${existsSync(vitest) ? '' : ' (skipped: vitest is not installed)'}`, () => {
    symlinkSync(installed('vitest'), join(folder, 'node_modules/vitest'));
    write('ask.test.js', withVitest.code);
    const { status, output } = node(vitest, 'run', '--testTimeout', '120000');
    expect(output).toContain('2 passed');
    expect(status).toBe(0);
  });
});

/**
 * A program that compiles several files, each with options of its own, and writes the errors as a list of texts in JSON. It
 * reads the types of Node and of JavaScript only once, and does not check them. So it takes a tenth of the time of `tsc`.
 */
const COMPILER = `
import ts from ${JSON.stringify(join(installed('typescript'), 'lib/typescript.js'))};
const known = new Map();
const outputs = JSON.parse(process.argv[2]).map(({ name, compilerOptions }) => {
  const { options } = ts.parseJsonConfigFileContent({ compilerOptions, files: [name] }, ts.sys, process.cwd());
  const host = ts.createCompilerHost(options);
  const isKnown = (path) => /\\/typescript\\/lib\\/|\\/@types\\//.test(path);
  const read = host.getSourceFile;
  host.getSourceFile = (path, settings, ...rest) => {
    if (!isKnown(path)) return read(path, settings, ...rest);
    if (!known.has(path)) known.set(path, read(path, settings, ...rest));
    return known.get(path);
  };
  const program = ts.createProgram([name], options, host);
  const checked = program.getSourceFiles().filter(({ fileName }) => !isKnown(fileName));
  const errors = [program.getOptionsDiagnostics(), program.getGlobalDiagnostics()].flat();
  for (const file of checked) errors.push(...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file));
  if (errors.length === 0) program.emit();
  const format = { getCanonicalFileName: (path) => path, getCurrentDirectory: () => process.cwd(), getNewLine: () => '\\n' };
  return ts.formatDiagnostics(errors, format);
});
console.log(JSON.stringify(outputs));
`;

describe('TypeScript', () => {
  const settings = page.block('json', 'TypeScript');
  const program = page.block('ts', 'TypeScript');
  const { compilerOptions } = JSON.parse(settings.code) as { compilerOptions: Record<string, unknown> };

  test('compiles the program, which runs', () => {
    write('program.ts', program.code);
    write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['program.ts'] }));
    expect(node(join(installed('typescript'), 'bin/tsc'), '--project', folder)).toEqual({ status: 0, output: '' });
    expect(node('program.js')).toEqual({ status: 0, output: '127.0.0.1 sent hello\n' });
  });

  const ways = [
    { module: 'nodenext', moduleResolution: 'nodenext' },
    { module: 'node16', moduleResolution: 'node16' },
    { module: 'esnext', moduleResolution: 'bundler' },
    { module: 'preserve', moduleResolution: 'bundler' },
  ];
  const node16 = { module: 'node16', moduleResolution: 'node16' };
  const required = "import { startUdpServer } from 'udpcat';\nvoid startUdpServer;\n";
  const imported = "export const loading = import('udpcat');\nvoid loading;\n";
  /** What is compiled: each with the settings of the page, some of them changed. */
  const tasks = [
    ...ways.map((way) => ({ name: 'way.ts', code: program.code, changes: { ...way, noEmit: true } })),
    { name: 'untyped.ts', code: program.code, changes: { types: [] } },
    { name: 'common.cts', code: required, changes: {} },
    { name: 'common16.cts', code: required, changes: node16 },
    { name: 'loading.cts', code: imported, changes: node16 },
  ];
  /** The errors of each task. */
  let errors: readonly string[];

  beforeAll(() => {
    for (const { name, code } of tasks) write(name, code);
    const asked = tasks.map(({ name, changes }) => ({ name, compilerOptions: { ...compilerOptions, ...changes } }));
    const { status, output } = node(write('compiler.mjs', COMPILER), JSON.stringify(asked));
    if (status !== 0) throw new Error(output);
    errors = JSON.parse(output) as string[];
  });

  const errorsOf = (name: string): string | undefined => errors[tasks.findIndex((task) => task.name === name)];

  test.each(ways.map((way, index) => ({ ...way, index })))(
    'finds the types with $module and $moduleResolution',
    ({ index }) => {
      expect(errors[index]).toBe('');
    },
  );

  test('loads udpcat from CommonJS with nodenext, and with import() only with node16', () => {
    expect(errorsOf('common.cts')).toBe('');
    expect(node('common.cjs')).toEqual({ status: 0, output: '' });
    expect(errorsOf('common16.cts')).toContain('TS1479');
    expect(errorsOf('loading.cts')).toBe('');
  });

  test('needs the types of Node, and their name', () => {
    expect(errorsOf('untyped.ts')).toContain("Cannot find name 'node:events'");
  });
});

describe('CommonJS', () => {
  test.each(page.blocks('js', 'CommonJS'))('runs the example of line $line', ({ code }) => {
    write('example.cjs', code);
    expect(node('example.cjs')).toEqual({ status: 0, output: '127.0.0.1\n' });
  });
});

describe('the tables', () => {
  const words = new Set([...page.text.matchAll(/[A-Za-z_]\w*/g)].map(([word]) => word));

  test('name everything that the package exports', () => {
    const index = readFileSync(join(ROOT, 'src/net/index.ts'), 'utf8').replaceAll(/\/\*\*.*?\*\//gs, '');
    const names = [...index.matchAll(/\{([^}]*)\}/g)].flatMap(([, list = '']) =>
      list.split(',').map((name) => name.replace('type ', '').trim()),
    );
    expect(names.length).toBeGreaterThan(35);
    expect(names.filter((name) => name !== '' && !words.has(name))).toEqual([]);
  });

  test('name every method, option and error', async () => {
    const { DatagramClient, DatagramServer } = await import('../../src/net/index.js');
    const { SOCKET_OPTIONS } = await import('../../src/net/socket-options.js');
    const members = [DatagramServer, DatagramClient].flatMap(({ prototype }) => [
      ...Object.getOwnPropertyNames(prototype),
      ...Object.getOwnPropertyNames(Object.getPrototypeOf(prototype)),
    ]);
    const ofSubclasses = ['constructor', 'open', 'transmit', 'transmitNow', 'take'];
    const codes = [...readFileSync(join(ROOT, 'src/net/errors.ts'), 'utf8').matchAll(/^ {2}\| '([A-Z_]+)'/gm)].map(
      ([, code = '']) => code,
    );
    expect(codes.length).toBeGreaterThan(10);
    const names = [...members, ...Object.keys(SOCKET_OPTIONS), ...codes];
    expect(names.filter((name) => !ofSubclasses.includes(name) && !words.has(name))).toEqual([]);
  });
});

testAllTaken(page);
