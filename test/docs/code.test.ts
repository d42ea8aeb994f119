import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import ts from 'typescript';
import { openPage, ROOT, testAllTaken } from '../support/pages.js';

const page = openPage('docs/code.md');

/** Compiles files that are not on the disk as if they stood in the project; returns the errors. */
function compile(files: ReadonlyMap<string, string>): string[] {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
    config: object;
  };
  const { options, fileNames } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const declarations = fileNames.filter((path) => path.endsWith('.d.ts'));
  const host = ts.createCompilerHost(options);
  const onDisk = { ...host };
  host.fileExists = (path) => files.has(path) || onDisk.fileExists(path);
  host.readFile = (path) => files.get(path) ?? onDisk.readFile(path);
  host.getSourceFile = (path, target) => {
    const text = files.get(path);
    return text === undefined ? onDisk.getSourceFile(path, target) : ts.createSourceFile(path, text, target);
  };
  const program = ts.createProgram(
    [...files.keys(), ...declarations],
    { ...options, noEmit: true, skipLibCheck: true },
    host,
  );
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

describe('the recipes', () => {
  const examples = new Map(
    page.blocks('ts').map(({ code }) => {
      const [, path = ''] = /^\/\/ (\S+)\n/.exec(code) ?? [];
      return [join(ROOT, path), code] as const;
    }),
  );

  test('have examples that are new files, and that the compiler accepts there', () => {
    for (const path of examples.keys()) {
      expect({ path, folder: existsSync(dirname(path)), file: existsSync(path) }).toEqual({
        path,
        folder: true,
        file: false,
      });
    }
    expect(compile(examples)).toEqual([]);
  });

  test('would not pass with an example that is wrong', () => {
    const [[path, code] = ['', '']] = examples;
    expect(compile(new Map([[path, code.replace('create:', 'creates:')]]))).not.toEqual([]);
  });

  test('give a fault of their own a stream that is free', async () => {
    const { FAULTS } = await import('../../src/faults/table.js');
    const code = [...examples.values()].find((example) => example.includes('stream:')) ?? '';
    const [, stream] = /stream: (\d+)/.exec(code) ?? [];
    expect(Number(stream)).toBe(1 + Math.max(...Object.values(FAULTS).map((fault) => fault.stream ?? -1)));
  });
});

test('every path that the page names is there', () => {
  const paths = [...page.text.matchAll(/`((?:src|test|docs|scripts|bench|bin)\/[\w./-]*)`/g)].map(
    ([, path = '']) => path,
  );
  expect(paths.length).toBeGreaterThan(40);
  const madeByReaders = /NAME/;
  expect(paths.filter((path) => !madeByReaders.test(path) && !existsSync(join(ROOT, path)))).toEqual([]);
});

test('every name of a table or function that the page gives is in src', () => {
  const names: Readonly<Record<string, string>> = {
    TABLE: 'src/output/formats/table.ts',
    LOADERS: 'src/record/formats/table.ts',
    FORMATS: 'src/record/formats/decoders.ts',
    FAULTS: 'src/faults/table.ts',
    COMMANDS: 'src/commands/index.ts',
    EXAMPLES: 'src/commands/program.ts',
    SOCKET_OPTIONS: 'src/net/socket-options.ts',
    socketOptions: 'src/commands/options/plan.ts',
    checkShared: 'src/commands/options/plan.ts',
    planResponse: 'src/commands/options/responses.ts',
    planMessages: 'src/commands/options/send-plan.ts',
    askOptions: 'src/commands/send.ts',
    rangeOf: 'src/commands/options/socket.ts',
    beforeBind: 'src/net/engines/linux/options.ts',
    configure: 'src/net/engines/node/open.ts',
    ExitCode: 'src/run/exit-code.ts',
    MEANINGS: 'src/run/exit-code.ts',
    Verdict: 'src/check/judge.ts',
    pluginState: 'src/run/exit-code.ts',
    statusIn: 'src/run/exit-code.ts',
    exitCodeOf: 'src/run/exit-code.ts',
    MessageSource: 'src/exchange/plan.ts',
    RunPlan: 'src/run/plan.ts',
  };
  for (const [name, path] of Object.entries(names)) {
    expect(page.text).toContain(`\`${name}\``);
    expect({ name, found: new RegExp(`\\b${name}\\b`).test(readFileSync(join(ROOT, path), 'utf8')) }).toEqual({
      name,
      found: true,
    });
  }
});

test('every script that the page names is one of the package', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object };
  const named = [...page.text.matchAll(/`npm run ([\w:]+)/g)].map(([, name = '']) => name);
  expect(named.length).toBeGreaterThan(8);
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});

testAllTaken(page);
