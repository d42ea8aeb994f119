import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { importCycles, readSources, wrongWayImports, type Source } from './support/imports.js';

describe('the sources of udpcat', () => {
  const sources = readSources(fileURLToPath(new URL('..', import.meta.url)));

  test('were found', () => {
    expect(sources.map(({ path }) => path)).toEqual(expect.arrayContaining(['bin/udpcat.ts', 'src/net/index.ts']));
  });

  test('import one way: bin, commands, the rest, net', () => {
    expect(wrongWayImports(sources)).toEqual([]);
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
    expect(wrongWayImports(sources).sort()).toEqual([
      'src/input/pacing.ts → src/commands/send.ts',
      'src/net/index.ts → src/output/text.ts',
    ]);
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
