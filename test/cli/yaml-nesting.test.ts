/** Deeply nested files of rules and of targets: the parser would use up the stack. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { runInProcess } from '../support/in-process.js';

const folder = mkdtempSync(join(tmpdir(), 'udpcat-nesting-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Contents with a value this deep below `rules`, by style. The value begins in line 2. */
const STYLES = {
  'lists in flow style': (depth: number) => `rules:\n  - when: ${'['.repeat(depth)}${']'.repeat(depth)}\n`,
  'mappings in flow style': (depth: number) => `rules:\n  - when: ${'{a: '.repeat(depth)}x${'}'.repeat(depth)}\n`,
  'lists in block style': (depth: number) => `rules:\n  ${'- '.repeat(depth)}x\n`,
  JSON: (depth: number) => `\n{"rules": ${'['.repeat(depth)}${']'.repeat(depth)}}\n`,
} as const;

for (const [style, write] of Object.entries(STYLES)) {
  for (const depth of [150, 1000, 100_000]) {
    test(`${depth} ${style} are an error about nesting, with the line`, async () => {
      const file = join(folder, 'nested.yaml');
      writeFileSync(file, write(depth));
      for (const command of [
        ['serve', '--rules'],
        ['watch', '--config'],
      ]) {
        expect(await runInProcess([...command, file])).toMatchObject({
          ending: 2,
          stderr: `udpcat: ${file}:2: lists and mappings are nested more than 100 deep here\n`,
        });
      }
    });
  }
}

test('mappings in block style are as well, at any depth', async () => {
  const file = join(folder, 'block.yaml');
  writeFileSync(file, Array.from({ length: 1000 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join(''));
  const { ending, stderr } = await runInProcess(['serve', '--rules', file]);
  expect(ending).toBe(2);
  expect(stderr).toMatch(/^udpcat: \S+block\.yaml:\d+: lists and mappings are nested more than 100 deep here\n$/);
});
