/** Rules for all pages. What a page shows is tried in the test file of that page. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { openPage, Page, ROOT } from '../support/pages.js';

const guide = readdirSync(join(ROOT, 'docs'))
  .filter((name) => name.endsWith('.md'))
  .map((name) => openPage(`docs/${name}`));
const readme = openPage('README.md');

describe.each([readme, ...guide])('$path', (page) => {
  test('has no dead link', () => {
    expect(page.deadLinks()).toEqual([]);
  });

  test('has a test if it has blocks to try', () => {
    const name = page.path.replace('docs/', '').replace(/\.md$/, '').toLowerCase();
    expect(!page.needsTest || existsSync(join(ROOT, 'test/docs', `${name}.test.ts`))).toBe(true);
  });
});

test('the README links every page', () => {
  const linked = new Set(readme.links().map((link) => link.split('#')[0]));
  expect(guide.map(({ path }) => path).filter((path) => !linked.has(path))).toEqual([]);
});

test('a page finds its dead links, its anchors, and the blocks that were not taken', () => {
  const page = new Page(
    'docs/example.md',
    [
      '# One',
      '[a](#one) [b](#two) [c](code.md#the-code) [d](code.md#nowhere) [e](missing.md) `[f](missing)`',
      '```console',
      '# Not a heading',
      '```',
      '## One: `two`, *three*',
      '```sh',
      'udpcat echo',
      '```',
      '```text',
      'systemctl start echo',
      '```',
      '',
    ].join('\n'),
  );
  expect([...page.anchors()]).toEqual(['one', 'one-two-three']);
  expect(page.deadLinks()).toEqual(['#two', 'code.md#nowhere', 'missing.md']);
  expect(page.block('sh', 'One: `two`, *three*')).toMatchObject({ code: 'udpcat echo\n', line: 7 });
  expect(page.untaken()).toEqual(['docs/example.md:3 console: # Not a heading']);
});
