import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { testWith } from './support/peers.js';
import { udpcat } from './support/udpcat.js';

const path = fileURLToPath(new URL('../dist/udpcat.1', import.meta.url));
const page = readFileSync(path, 'utf8');

/** Removes the markup of man(7) from text. */
function plain(text: string): string {
  return text
    .replaceAll(/\\f[BIR]/g, '')
    .replaceAll('\\-', '-')
    .replaceAll('\\&', '')
    .replaceAll('\\(aq', "'")
    .replaceAll('\\e', '\\');
}

/** Returns the sections, or with `.SS` the subsections, by heading. */
function parts(macro: '.SH' | '.SS', text: string): Map<string, string> {
  const [, ...found] = text.split(`\n${macro} `);
  return new Map(
    found.map((part) => [part.slice(0, part.indexOf('\n')), plain(part.slice(part.indexOf('\n')))] as const),
  );
}

const sections = parts('.SH', page);
const subsections = parts('.SS', page.slice(0, page.indexOf('\n.SH ADDRESSES')));

/** Returns the options of a subsection: their flags and their text. */
function optionsInPage(heading: string): [string, string][] {
  const tagged = subsections.get(heading)!.split('\n.TP\n').slice(1);
  return tagged
    .filter((item) => item.startsWith('-'))
    .map((item) => {
      const [flags = '', ...text] = item.split(/\n\.PP\n/)[0]!.split('\n');
      return [flags, text.join(' ').trim()];
    });
}

/** Returns the options of `--help`: their flags and their text. */
async function optionsInHelp(args: readonly string[]): Promise<[string, string][]> {
  const { stdout } = await udpcat([...args, '--help']);
  const found: [string, string][] = [];
  for (const line of stdout.toString().split('\n')) {
    const [, flags, text = ''] = /^ {2}(-\S.*?)(?: {2,}(.*))?$/.exec(line) ?? [];
    if (flags !== undefined) found.push([flags.replace(/<(.*)>/, '$1'), text]);
    else if (/^ {10,}\S/.test(line)) found.at(-1)?.splice(1, 1, `${found.at(-1)?.[1] ?? ''} ${line.trim()}`.trim());
  }
  return found;
}

const byFlags = ([one]: [string, string], [other]: [string, string]): number => (one < other ? -1 : 1);

describe('the manual page', () => {
  test('has the sections that readers look for, in their order', () => {
    expect([...sections.keys()]).toEqual([
      ...['NAME', 'SYNOPSIS', 'DESCRIPTION', 'COMMANDS', 'ADDRESSES', 'VALUES', 'EXIT STATUS', 'EXAMPLES', 'SEE ALSO'],
    ]);
  });

  test.each(['serve', 'send', 'echo'])('says of the options of %s what --help says', async (command) => {
    const told = [...optionsInPage(command), ...optionsInPage('Options that the commands share')];
    const help = await optionsInHelp([command]);
    expect(help.length).toBeGreaterThan(20);
    expect(told.sort(byFlags)).toEqual(help.sort(byFlags));
  });

  test('says of the options of the program what --help says', async () => {
    expect(optionsInPage('Options without a command').sort(byFlags)).toEqual((await optionsInHelp([])).sort(byFlags));
  });

  test('has every command that --help has', async () => {
    const help = (await udpcat(['--help'])).stdout.toString();
    const [, block = ''] = /^Commands:\n((?: {2}.*\n)+)/m.exec(help) ?? [];
    const names = [...block.matchAll(/^ {2}(\w+)/gm)].map(([, name = '']) => name);
    expect(names.length).toBeGreaterThan(3);
    for (const name of names) {
      expect(subsections.has(name)).toBe(true);
      expect(sections.get('SYNOPSIS')).toContain(`udpcat ${name} [options]`);
    }
  });

  test('has every exit status, and the examples of the help', async () => {
    const statuses = [...sections.get('EXIT STATUS')!.matchAll(/^\.TP\n(.*)$/gm)].map(([, status]) => status);
    expect(statuses).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '130, 143']);
    for (const command of ['serve', 'send', 'echo']) {
      const help = (await udpcat([command, '--help'])).stdout.toString();
      const examples = [...help.matchAll(/^ {2}((?:udpcat|printf) .*?)(?: {2,}.*)?$/gm)].map(([, line]) => line);
      expect(examples.length).toBeGreaterThan(2);
      for (const example of examples) expect(sections.get('EXAMPLES')).toContain(`\n${example}\n`);
    }
  });

  testWith('mandoc', 'is without fault to mandoc', () => {
    const { stdout, stderr, status } = spawnSync('mandoc', ['-Tlint', path], { encoding: 'utf8' });
    expect({ stdout, stderr, status }).toEqual({ stdout: '', stderr: '', status: 0 });
  });

  testWith('groff', 'is without fault to groff', () => {
    const { stderr, status } = spawnSync('groff', ['-man', '-ww', '-Tutf8', '-z', path], { encoding: 'utf8' });
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  });

  test('is installed by npm', () => {
    const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
      readonly man: readonly string[];
      readonly files: readonly string[];
    };
    // It must be an array: npm 11 ignores a string.
    expect(manifest.man).toEqual(['dist/udpcat.1']);
    expect(manifest.files).toContain('dist/udpcat.1');
  });
});
