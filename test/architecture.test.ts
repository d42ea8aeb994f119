import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { foldersOf, forbiddenImports, readFloors, roomOf } from './support/floors.js';
import { importCycles, readSources, type Source } from './support/imports.js';

const root = fileURLToPath(new URL('..', import.meta.url));

describe('the sources of udpcat', () => {
  const sources = readSources(root);
  const floors = readFloors(readFileSync(join(root, 'docs/code.md'), 'utf8'));

  test('were found', () => {
    expect(sources.map(({ path }) => path)).toEqual(expect.arrayContaining(['bin/udpcat.ts', 'src/net/index.ts']));
  });

  test('stand in rooms that docs/code.md names, and it names no other', () => {
    const rooms = new Set(sources.map(({ path }) => roomOf(path)));
    expect([...floors.keys()].sort()).toEqual([...rooms].sort());
  });

  test('import only what the table of floors in docs/code.md allows', () => {
    expect(forbiddenImports(sources, floors)).toEqual([]);
  });

  test('import in no circle of folders', () => {
    expect(importCycles(foldersOf(sources))).toEqual([]);
  });

  test('import in no circle', () => {
    expect(importCycles(sources)).toEqual([]);
  });

  test('import only files that are there', () => {
    const paths = new Set(sources.map(({ path }) => path));
    expect(sources.flatMap(({ imports }) => imports).filter((target) => !paths.has(target))).toEqual([]);
  });

  test('touch the process in bin only', () => {
    expect(sources.filter(({ path }) => !path.startsWith('bin/')).flatMap((source) => source.usesOfProcess)).toEqual(
      [],
    );
  });
});

describe('the reader of imports', () => {
  const root = mkdtempSync(join(tmpdir(), 'udpcat-architecture-'));
  const floors = readFloors(`
| floor | rooms | may import |
| --- | --- | --- |
| 1 | \`net\` | – |
| 3 | \`input\`, \`output\` | 1 to 2; \`output\` also \`input\` |
| 8 | \`commands\` | 1 to 7 |
| 9 | \`bin\` | 8 |
`);
  let sources: Source[];

  beforeAll(() => {
    const files = {
      'bin/udpcat.ts': `import '../src/commands/send.js'; process.exitCode = 1;`,
      'src/commands/send.ts': `const pacing = await import('../input/pacing.js');\nglobalThis.process.exit();`,
      'src/input/pacing.ts': `import type { Send } from '../commands/send.js';\nexport { x } from '../net/index.js';`,
      'src/net/index.ts': `type Up = import('../output/text.js').Text;\nexport type P = typeof process;`,
      'src/output/text.ts': `import { stdout } from 'node:process';\nexport const all = { process: 1 }.process;`,
    };
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    sources = readSources(root);
  });

  afterAll(() => {
    rmSync(root, { recursive: true });
  });

  test('sees type imports and import() that lead up', () => {
    expect(forbiddenImports(sources, floors).sort()).toEqual([
      'src/input/pacing.ts → src/commands/send.ts',
      'src/net/index.ts → src/output/text.ts',
    ]);
  });

  test('lets a room import from the floors, and the rooms, that its row names', () => {
    const imports = (from: string, ...targets: string[]): string[] =>
      forbiddenImports([{ path: from, imports: targets, usesOfProcess: [] }], floors);
    expect(imports('src/output/a.ts', 'src/input/b.ts', 'src/net/c.ts', 'src/output/deep/d.ts')).toEqual([]);
    expect(imports('src/input/a.ts', 'src/output/b.ts')).toEqual(['src/input/a.ts → src/output/b.ts']);
    expect(imports('bin/a.ts', 'src/input/b.ts')).toEqual(['bin/a.ts → src/input/b.ts']);
    expect(imports('src/net/a.ts', 'src/unknown/b.ts')).toEqual(['src/net/a.ts → src/unknown/b.ts']);
  });

  test('sees circles of folders, and none between a folder and one inside it', () => {
    const source = (path: string, ...imports: string[]): Source => ({ path, imports, usesOfProcess: [] });
    const all = [
      source('src/a/1.ts', 'src/b/1.ts'),
      source('src/b/1.ts', 'src/b/in/1.ts'),
      source('src/b/2.ts', 'src/a/2.ts'),
      source('src/b/in/1.ts', 'src/b/2.ts'),
    ];
    expect(importCycles(all)).toEqual([]);
    expect(importCycles(foldersOf(all))).toEqual(['src/a → src/b → src/a']);
  });

  test('sees circles', () => {
    expect(importCycles(sources)).toEqual(['src/commands/send.ts → src/input/pacing.ts → src/commands/send.ts']);
  });

  test('sees the global process in each of its guises, and no property of that name', () => {
    expect(sources.flatMap(({ usesOfProcess }) => usesOfProcess).sort()).toEqual([
      'bin/udpcat.ts:1',
      'src/commands/send.ts:2',
      'src/net/index.ts:2',
      'src/output/text.ts:1',
    ]);
  });
});
