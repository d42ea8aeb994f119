import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { openPage, ROOT, testAllTaken } from '../support/pages.js';
import { commandsOf } from '../support/page-runs.js';

const page = openPage('docs/benchmarks.md');
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

// A run takes up to an hour and writes bench/RESULTS.md: only that the commands exist is tried.
const lines = page.blocks('sh').flatMap(({ code }) => commandsOf(code));

test('every command of the page is a script of the package, and its file is there', () => {
  for (const line of lines) {
    const [, name = ''] = /^npm run ([\w:]+)/.exec(line) ?? [];
    const [, file = ''] = /^node (\S+)/.exec(scripts[name] ?? '') ?? [];
    expect({ line, exists: file !== '' && existsSync(join(ROOT, file)) }).toEqual({ line, exists: true });
  }
});

test('the words after "npm run bench --" stand in a title', () => {
  const results = readFileSync(join(ROOT, 'bench/RESULTS.md'), 'utf8');
  const asked = lines.flatMap((line) => /^npm run bench -- (?!--)(.*)$/.exec(line)?.[1] ?? []);
  expect(asked).toHaveLength(1);
  for (const words of asked.map((text) => text.split(' '))) {
    const titles = results.split('\n').filter((line) => words.every((word) => line.includes(word)));
    expect(titles).not.toEqual([]);
  }
});

test('the page has every bench', () => {
  for (const name of Object.keys(scripts).filter((script) => script.startsWith('bench'))) {
    expect(page.text).toContain(`| \`npm run ${name}\` |`);
  }
});

testAllTaken(page);
